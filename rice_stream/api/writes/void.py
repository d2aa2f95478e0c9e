"""POST /v1/void: taking a wrong event out of all totals."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import Name
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import needs
from rice_stream.api.writes.idempotency import KEY_PROBLEMS, KEYED, once
from rice_stream.reports.moments import instant
from rice_stream.store.audit import Actor

_CONFLICTS: dict[int | str, dict[str, Any]] = {
    409: {"description": f"{KEY_PROBLEMS[409]['description']}; or: {MAY_NOT[409]['description']}"}
}


class VoidBody(Body):
    """Which event is wrong, and why."""

    event_id: Name
    reason: str = Field(min_length=1, max_length=1_000, description="Kept with the correction for good")
    tenant: Name | None = Field(None, description="Needed where several tenants have an event of this id")
    ended_at: str | None = Field(
        None, max_length=40, description="RFC 3339; needed where a tenant has several of this id"
    )


_EXAMPLE = {"event_id": "req-7f3a", "tenant": "acme", "reason": "load test that was sent to the production topic"}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/void",
        status_code=201,
        summary="Take a wrong event out of all totals; its record stays, and what was reported of it",
        tags=["ledger"],
        openapi_extra=body_of(VoidBody, _EXAMPLE) | KEYED,
        responses=_CONFLICTS,
    )
    async def _void(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> JSONResponse:
        body = await product.bodies.read(request, caller, VoidBody)
        by = actor_of(caller, request)
        return await once(product, request, caller, body, lambda: product.ask(answer_void, product, caller, body, by))


def answer_void(product: Product, caller: Caller, body: VoidBody, by: Actor) -> dict[str, Any]:
    """What `POST /v1/void` does and answers a caller; for a thread of its own.

    RiceError: as from `void_record`; NotFoundError as well where the record is another's. ProblemError: as from `ledger_of`.
    """
    # They add up and read how records were estimated, with NumPy.
    from rice_stream.ledger.voiding import void_record
    from rice_stream.reports.record_keys import find_key

    scope = product.scope(caller, Right.WRITE, body.tenant)
    ended_at = instant("--ended-at", body.ended_at)
    found = find_key(product.engine(), scope, body.event_id, body.tenant, ended_at)
    with ledger_of(product.settings, "rice-stream void") as engine:
        return void_record(engine, found.key, found.tenant_id, found.event_id, reason=body.reason, by=by)
