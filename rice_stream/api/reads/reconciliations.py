"""GET /v1/reconciliations and /v1/reconciliations/{reconciliation_id}: what months were compared with, and what came of it."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Name, Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.reconciliations import named_reconciliation, reconciliation_page

_PATH = "/v1/reconciliations"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


class ReconciliationParameters(Page):
    """Whose, and of which month."""

    tenant: Name | None = None
    month: Annotated[str, Field(max_length=20, description="YYYY-MM")] | None = None


def install(app: FastAPI, product: Product) -> None:
    """Add the routes."""

    @app.get(_PATH, summary="Comparisons of months with what providers state, latest first", tags=["periods"])
    async def _reconciliations(asked: Annotated[ReconciliationParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return await paged(product, caller, _PATH, asked, partial(answer_reconciliations, product, caller, asked))

    @app.get(f"{_PATH}/{{reconciliation_id}}", summary="One comparison of a month", tags=["periods"])
    async def _reconciliation(
        reconciliation_id: Name, _: Annotated[Parameters, Query()], caller: _Reader
    ) -> dict[str, Any]:
        scope = caller.scope(Right.READ)
        return await product.ask(lambda: named_reconciliation(product.engine(), scope, reconciliation_id))


def answer_reconciliations(
    product: Product, caller: Caller, asked: ReconciliationParameters, after: bytes | None = None
) -> dict[str, Any]:
    """A page of them with its position; for a thread of its own. NotFoundError: nothing of that tenant is seen."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    return reconciliation_page(product.engine(), scope, month=asked.month, after=after, limit=asked.limit)
