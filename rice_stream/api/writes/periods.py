"""POST /v1/periods/close: ordering that a month of a tenant is closed, softly by editors, for good and signed by admins."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import Field

from rice_stream.api.access.actors import actor_of
from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_bodies import Body, body_of
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.record_writing import MAY_NOT, ledger_of
from rice_stream.api.routing import needs
from rice_stream.reports.closings import described
from rice_stream.store.audit import Actor

if TYPE_CHECKING:
    from rice_stream.ledger.closing import CloseOrder, Closing

_Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class CloseBody(Body):
    """Which month, and how."""

    tenant_id: str = Field(min_length=1, max_length=256)
    month: str = Field(max_length=20, description="YYYY-MM, in the tenant's time zone")
    soft: bool = Field(default=False, description="Not signed yet; for editors")
    accept: dict[str, _Text] = Field(
        default_factory=dict, max_length=20, description="Reasons by the name of a line of the checklist"
    )
    dry_run: bool = Field(default=False, description="Only go through the checklist, but for what takes long")


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.post(
        "/v1/periods/close",
        status_code=HTTPStatus.ACCEPTED,
        summary="Order that a month is closed; the same order while it goes on is the same one",
        tags=["periods"],
        openapi_extra=body_of(
            CloseBody, {"tenant_id": "acme", "month": "2026-10", "soft": True, "accept": {"quarantine": "known"}}
        ),
        responses=MAY_NOT,
    )
    async def _close(request: Request, caller: Annotated[Caller, Depends(needs(Right.WRITE))]) -> dict[str, Any]:
        body = await product.bodies.read(request, caller, CloseBody)
        check_may_close(product, caller, body)
        by = actor_of(caller, request)
        return await product.ask(answer_checklist if body.dry_run else answer_close, product, body, by)


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
    """The order, once the caller is known to have the right; a server goes about it. For a thread of its own.

    With the rights of the server's login and not the API's role, which may read neither every tenant's records nor the key that
    signs. RiceError: as from `order_closing`; ProblemError: the login may not write records.
    """
    # What it takes is loaded where somebody asks for it, not at the start of every server.
    from rice_stream.ledger.closing_orders import order_closing

    with _closing(product, body, by) as (closing, order):
        return described(order_closing(closing, order))


def answer_checklist(product: Product, body: CloseBody, by: Actor) -> dict[str, Any]:
    """What a close would find, but for what takes long of a large month. Errors as from `answer_close`."""
    with _closing(product, body, by) as (closing, order):
        return {"checklist": [line.as_json(None) for line in closing.checklist(order)]}


@contextmanager
def _closing(product: Product, body: CloseBody, by: Actor) -> Iterator[tuple["Closing", "CloseOrder"]]:
    from rice_stream.ledger.closing import CloseOrder
    from rice_stream.runtime.month_closing import month_of_tenant, open_closing

    with ledger_of(product.settings, "rice-stream close") as engine:
        month = month_of_tenant(engine, body.tenant_id, body.month)
        closing = open_closing(product.settings, engine, by, quick=True)
        yield closing, CloseOrder(body.tenant_id, month, body.soft, body.accept)
