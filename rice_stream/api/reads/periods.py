"""GET /v1/periods, /v1/periods/closings and /v1/proofs/{event_id}: months of tenants, orders to close one, and proof that a prompt
is in one that was closed."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Moment, Name, Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.closings import closing_page, named_closing
from rice_stream.reports.moments import as_instant
from rice_stream.reports.periods import period_page
from rice_stream.store.scope import Scope

_PATH = "/v1/periods"
_CLOSINGS = f"{_PATH}/closings"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class PeriodParameters(Page):
    """Whose months."""

    tenant: Name | None = None


class PromptProofParameters(Parameters):
    """Which of the records of one event id."""

    tenant: Name | None = None
    ended_at: Moment | None = Field(None, description="Where a tenant has several of this id")


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get(_PATH, summary="Months of tenants: open, or closed with what was asserted", tags=["periods"])
    async def _periods(asked: Annotated[PeriodParameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)

        def report(after: bytes | None) -> dict[str, Any]:
            return period_page(product.engine_for(scope), scope, product.now(), after=after, limit=asked.limit)

        return await paged(product, caller, _PATH, asked, report)

    @app.get(_CLOSINGS, summary="Orders to close a month, latest first", tags=["periods"])
    async def _closings(asked: Annotated[PeriodParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await paged(product, caller, _CLOSINGS, asked, partial(answer_closings, product, caller, asked))

    @app.get(
        f"{_CLOSINGS}/{{closing_id}}",
        summary="How far the close of a month has come, or why it failed",
        tags=["periods"],
    )
    async def _closing(closing_id: Name, _: Annotated[Parameters, Query()], caller: _Reader) -> dict[str, Any]:
        scope = caller.scope(Right.READ)
        return await product.ask(lambda: named_closing(product.engine(), scope, closing_id))

    @app.get("/v1/proofs/{event_id:path}", summary="Proof that a prompt is in a closed month", tags=["periods"])
    async def _proof(
        event_id: str, asked: Annotated[PromptProofParameters, Query()], caller: _Reader
    ) -> dict[str, Any]:
        scope = product.scope(caller, Right.READ, asked.tenant)
        return await product.ask(_proven, product, scope, event_id, asked)


def answer_closings(
    product: Product, caller: Caller, asked: PeriodParameters, after: bytes | None = None
) -> dict[str, Any]:
    """A page of orders with its position; for a thread of its own. NotFoundError: nothing of that tenant is seen."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    return closing_page(product.engine(), scope, after=after, limit=asked.limit)


def _proven(product: Product, scope: Scope, event_id: str, asked: PromptProofParameters) -> dict[str, Any]:
    from rice_stream.reports.month_proofs import month_proof  # numpy takes a tenth of the server's start

    when = as_instant(asked.ended_at)
    return month_proof(product.engine(), scope, event_id, tenant=asked.tenant, ended_at=when)
