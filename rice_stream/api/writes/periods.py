"""POST /v1/periods/close: closing a month of a tenant, softly by editors, for good and signed by admins."""

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
from rice_stream.api.routing import needs
from rice_stream.reports.periods import periods
from rice_stream.runtime.database_role import may_write_records
from rice_stream.runtime.opening import open_store
from rice_stream.store.audit import Actor
from rice_stream.store.scope import EVERYTHING

_Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class CloseBody(Body):
    """Which month, and how."""

    tenant_id: str = Field(min_length=1, max_length=256)
    month: str = Field(max_length=20, description="YYYY-MM, in the tenant's time zone")
    soft: bool = Field(default=False, description="Not signed yet; for editors")
    accept: dict[str, _Text] = Field(
        default_factory=dict, max_length=20, description="Reasons by the name of a line of the checklist"
    )
    dry_run: bool = Field(default=False, description="Only go through the checklist")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/periods/close",
        summary="Close a month; asked for again, it goes on where it was",
        tags=["periods"],
        openapi_extra=body_of(
            CloseBody, {"tenant_id": "acme", "month": "2026-10", "soft": True, "accept": {"quarantine": "known"}}
        ),
        responses={409: {"description": "The server's database login may not write records"}},
    )
    async def _close(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, CloseBody)
        check_may_close(product, caller, body)
        return await product.ask(answer_close, product, body, actor_of(caller, request))


def check_may_close(product: Product, caller: Caller, body: CloseBody) -> None:
    """NotFoundError: nothing of that tenant; ProblemError 403: not the right to close all of it, or to sign."""
    if product.scope(caller, Right.WRITE, body.tenant_id).teams:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "a month is the whole tenant's: this needs a token for all of its teams"
        )
    signs = caller.scope(Right.CLOSE_MONTHS)
    if not (body.soft or body.dry_run) and (not signs.has_tenant(body.tenant_id) or signs.teams):
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "only an admin of the tenant closes a month for good; say `soft` for a soft close"
        )


def answer_close(product: Product, body: CloseBody, by: Actor) -> dict[str, Any]:
    """What `POST /v1/periods/close` does and answers, once the caller is known to have the right; for a thread of its own.

    With the rights of the server's login and not the API's role, which may read neither every tenant's records nor the key that
    signs. RiceError: as from `Closing.close`; ProblemError: the login may not write records.
    """
    # What it takes is loaded where somebody asks for it, not at the start of every server.
    from rice_stream.ledger.closing import CloseOrder
    from rice_stream.runtime.month_closing import month_of_tenant, open_closing

    engine = open_store(product.settings)
    try:
        if not may_write_records(engine):
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "the server's database login may not write records: run `rice-stream close` where the worker runs",
            )
        closing = open_closing(product.settings, engine, by)
        month = month_of_tenant(engine, body.tenant_id, body.month)
        order = CloseOrder(body.tenant_id, month, body.soft, body.accept)
        if body.dry_run:
            return {"checklist": [line.as_json(None) for line in closing.checklist(order)]}
        closing.close(order)
        rows = periods(engine, EVERYTHING, product.now(), tenant=body.tenant_id)
        return next(row for row in rows if row["month"] == month.name)
    finally:
        engine.dispose()
