"""POST /v1/factors: letting events that end from an instant on be estimated with a factor set."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.product import Product
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.instants import epoch_us
from rice_stream.ledger.factor_sets import add_factors
from rice_stream.reference.sets.columns import SetKind
from rice_stream.reference.sets.parsing import ROWS_MAX, parse_factor_file
from rice_stream.reports.factor_sets import factor_set
from rice_stream.store.audit import Actor
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import within

HOLDS_FOR_ALL = "a factor set holds for every tenant"
_Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class FactorSetBody(Body):
    """A factor set, as a file has it."""

    kind: SetKind
    name: _Text = Field(description="A later set of the same kind and name takes this one's place")
    source: _Text
    licence: _Text
    published: str = Field(max_length=40, description="ISO date")
    url: _Text | None = None
    note: _Text | None = None
    effective_from: str | None = Field(
        None,
        max_length=40,
        description="ISO date or time, later than all that is recorded; when all workers know otherwise",
    )
    rows: list[dict[str, Any]] = Field(max_length=ROWS_MAX, description="None: the set of this name is withdrawn")


_EXAMPLE = {
    "kind": "rci",
    "name": "grid",
    "source": "Grid Operator, annual report",
    "licence": "CC-BY-4.0",
    "published": "2026-11-15",
    "effective_from": "2030-01-01",
    "rows": [{"region": "azure:swedencentral", "scope": "lifecycle", "value": 12.5, "unit": "gCO2e/kWh", "year": 2025}],
}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/factors",
        status_code=HTTPStatus.CREATED,
        summary="Add a factor set, for events that end from an instant on",
        tags=["reference"],
        openapi_extra=body_of(FactorSetBody, _EXAMPLE) | KEYED,
        responses=KEY_PROBLEMS,
    )
    async def _add(request: Request, caller: Annotated[Caller, Depends(needs(Right.MANAGE_FACTORS))]) -> JSONResponse:
        check_every_tenant(caller, Right.MANAGE_FACTORS, HOLDS_FOR_ALL)
        body = await product.bodies.read(request, caller, FactorSetBody)
        by = actor_of(caller, request)
        return await once(product, request, caller, body, lambda: product.ask(_added, product, body, by))


def _added(product: Product, body: FactorSetBody, by: Actor) -> dict[str, Any]:
    """What is there now; `added` False: it was there before. UsageError: as from `add_factors`."""
    engine = within(product.engine(), EVERYTHING)
    file = parse_factor_file(body.model_dump(exclude_none=True), "body")
    added = add_factors(engine, file, product.built_in(), scope=product.settings.rci_scope, by=by)
    found = factor_set(product.engine(), EVERYTHING, added.stored.digest, now_us=epoch_us(product.now()))
    return {**{name: value for name, value in found.items() if name != "rows"}, "added": added.is_new}
