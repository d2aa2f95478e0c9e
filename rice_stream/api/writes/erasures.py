"""POST /v1/erasures: erasing the names of a person or of a tenant; every sum and proof stays."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.parameters import Name
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import check_every_tenant, needs
from rice_stream.store.audit import Actor

STANDS_EVERYWHERE = "a name may stand in what belongs to no tenant, such as refused items"


class ErasureBody(Body):
    """Who is erased, and why."""

    tenant_id: Name
    user: Name | None = Field(
        None, description="A user of the tenant; with neither this nor `api_key` all of its names"
    )
    api_key: Name | None = Field(None, description="The alias of an API key of the tenant")
    reason: str = Field(min_length=1, max_length=1_000, description="Without the name: it is kept for good")
    dry_run: bool = Field(default=False, description="Only count")


_EXAMPLE = {"tenant_id": "acme", "user": "u-17", "reason": "asked for on 30 November", "dry_run": True}


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/erasures",
        summary="Erase the names of a person or of a whole tenant; doing it again takes out what has come since",
        tags=["access"],
        openapi_extra=body_of(ErasureBody, _EXAMPLE),
        responses=MAY_NOT,
    )
    async def _erase(request: Request, caller: Annotated[Caller, Depends(needs(Right.ERASE))]) -> dict[str, Any]:
        check_may_erase(caller)
        body = await product.bodies.read(request, caller, ErasureBody)
        return await product.ask(answer_erasure, product, body, actor_of(caller, request))


def check_may_erase(caller: Caller) -> None:
    """ProblemError 403: the caller's right is not for every tenant."""
    check_every_tenant(caller, Right.ERASE, STANDS_EVERYWHERE)


def answer_erasure(product: Product, body: ErasureBody, by: Actor) -> dict[str, Any]:
    """What was erased, once the caller is known to have the right; for a thread of its own.

    RiceError: as from `erase`; ProblemError: the server's login may not write records.
    """
    from rice_stream.ledger.erasing import ErasureOrder, erase  # loaded where somebody asks for it

    order = ErasureOrder(body.tenant_id, body.reason, body.user, body.api_key)
    with ledger_of(product.settings, "rice-stream erase") as engine:
        return erase(engine, order, by=by, dry_run=body.dry_run)
