"""POST /v1/restatements: ordering that recorded prompts are estimated again; a server does it, in steps."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import Name
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.instants import epoch_us
from rice_stream.reports.moments import moment
from rice_stream.reports.restatements import named_restatement
from rice_stream.store.audit import Actor
from rice_stream.store.scope import EVERYTHING

_CONFLICTS: dict[int | str, dict[str, Any]] = {
    409: {"description": f"{KEY_PROBLEMS[409]['description']}; or: {MAY_NOT[409]['description']}"}
}
_Text = Annotated[str, Field(max_length=40)]


class RestatementBody(Body):
    """Which prompts are estimated again, by what, and why."""

    from_: _Text = Field(alias="from", description="Date (UTC) or RFC 3339 instant at which to begin")
    to: _Text = Field(description="Date (UTC) or instant at which to end; itself not included")
    tenant: Name | None = Field(None, description="None: every tenant, for who has the right to all of them")
    method: Literal["rice-calibrated", "rice-paper"] | None = Field(None, description="None: that of the settings")
    factors: str | None = Field(
        None, min_length=1, max_length=200, description="A version of the tables that is kept; None: those of today"
    )
    reason: str = Field(min_length=1, max_length=1_000, description="Kept with the corrections for good")
    dry_run: bool = Field(default=False, description="Only say what would come of it")
    true_up: bool = Field(default=False, description="Only what rests on provisional carbon intensities, by final ones")


_EXAMPLE = {
    "from": "2026-01-01",
    "to": "2026-07-01",
    "tenant": "acme",
    "reason": "carbon intensities of 2026 are out",
    "dry_run": True,
}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/restatements",
        status_code=HTTPStatus.ACCEPTED,
        summary="Order that recorded prompts are estimated again; the difference is posted as entries",
        tags=["ledger"],
        openapi_extra=body_of(RestatementBody, _EXAMPLE) | KEYED,
        responses=_CONFLICTS,
    )
    async def _order(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> JSONResponse:
        body = await product.bodies.read(request, caller, RestatementBody)
        by = actor_of(caller, request)

        async def work() -> dict[str, Any]:
            return await product.ask(answer_order, product, caller, body, by)

        return await once(product, request, caller, body, work, status=HTTPStatus.ACCEPTED)


def answer_order(product: Product, caller: Caller, body: RestatementBody, by: Actor) -> dict[str, Any]:
    """The restatement that was ordered, or that is there already for the same order; for a thread of its own.

    RiceError: as from `order_restatement`, or nothing is kept of the version of the tables. ProblemError 403: it concerns tenants
    or teams that the caller has no right to; 409: as from `ledger_of`.
    """
    # What it takes to estimate is loaded where somebody asks for it.
    from rice_stream.ledger.restatement_orders import order_restatement
    from rice_stream.runtime.restating_orders import Restaters

    scope = product.scope(caller, Right.WRITE, body.tenant)
    if body.tenant is None:
        check_every_tenant(caller, Right.WRITE, "without a tenant it concerns every one")
    if scope.teams:
        raise ProblemError(HTTPStatus.FORBIDDEN, "a restatement is of whole tenants: this needs a token for all teams")
    with ledger_of(product.settings, "rice-stream restate") as engine:
        latest_at_us = epoch_us(product.now()) if body.true_up else None
        restaters = Restaters(product.settings, engine, body.factors, latest_at_us=latest_at_us)
        start, end = moment("--from", body.from_), moment("--to", body.to)
        order = restaters.order(
            start,
            end,
            tenant_id=body.tenant,
            method_name=body.method,
            reason=body.reason,
            dry_run=body.dry_run,
            true_up=body.true_up,
        )
        state, _ = order_restatement(engine, order, by, by_server=True)
        threshold_percent = product.settings.restatement_threshold_percent
        return named_restatement(engine, EVERYTHING, state.restatement_id, threshold_percent=threshold_percent)
