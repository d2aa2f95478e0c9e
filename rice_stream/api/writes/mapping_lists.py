"""POST /v1/mappings/import: many mappings, all of them taken or none."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.reads.accounts import identified
from rice_stream.api.routing import needs
from rice_stream.api.writes.accounts import mapping_scope
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.pipeline.mapping_lists import checked_lines, not_there_yet, take_mappings
from rice_stream.reports.mappings import described
from rice_stream.store.audit import Actor
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import within

_MAX = 10_000
_Field = Annotated[str | None, Field(max_length=1_000)]


class ListedMappingBody(Body):
    """A mapping of the list, its fields as of `POST /v1/mappings`; no `target` ends what was mapped before."""

    kind: _Field = None
    name: _Field = None
    target: _Field = None
    valid_from: _Field = None
    tenant_id: _Field = None
    subject: _Field = None


class MappingListBody(Body):
    """The list."""

    mappings: list[ListedMappingBody] = Field(min_length=1, max_length=_MAX)
    dry_run: bool = Field(default=False, description="Only check it, and say which of them are not there yet")


_EXAMPLE = {
    "mappings": [
        {"kind": "cost_centre", "name": "search", "target": "CC-4711", "tenant_id": "acme", "subject": "team"}
    ],
    "dry_run": True,
}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/mappings/import",
        status_code=HTTPStatus.CREATED,
        summary="Take many mappings, all or none; those that are there already stay as they are",
        tags=["accounts"],
        openapi_extra=body_of(MappingListBody, _EXAMPLE),
    )
    async def _import(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, MappingListBody)
        scope = _scope(product, caller, body)
        return await product.ask(_taken, product, scope, body, actor_of(caller, request))


def _scope(product: Product, caller: Caller, body: MappingListBody) -> Scope:
    """Within what all of them are changed. ProblemError: as from `mapping_scope`, of any of them."""
    scopes = [
        mapping_scope(product, caller, *which)
        for which in dict.fromkeys((_kind(line), line.tenant_id or None) for line in body.mappings)
    ]
    if any(scope.is_everything for scope in scopes):
        return EVERYTHING
    tenants = [scope.tenants for scope in scopes if scope.tenants is not None]
    if not tenants:
        raise ProblemError(HTTPStatus.FORBIDDEN, "your token is for no tenant")
    return Scope(frozenset().union(*tenants))


def _kind(line: ListedMappingBody) -> str:
    return (line.kind or "").replace("-", "_")


def _taken(product: Product, scope: Scope, body: MappingListBody, by: Actor) -> dict[str, Any]:
    """What was added. UsageError: as from `checked_lines` and `take_mappings`."""
    now_us = epoch_us(product.now())
    lines = [line.model_dump(exclude_unset=True) for line in body.mappings]
    listed = checked_lines(lines, open_reference=lambda: product.estimator().reference, now_us=now_us)
    if not listed:
        raise UsageError("mappings: there are none")
    engine = within(product.engine(), scope)
    if body.dry_run:
        taken = not_there_yet(engine, listed)
    else:
        taken = take_mappings(engine, listed, now_us=now_us, by=by)
    return {"added": [identified(described(each)) for each in taken.added], "unchanged": taken.unchanged}
