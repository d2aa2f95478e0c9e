"""GET /v1/totals: prompts, tokens, energy and carbon of any stretch of time, broken down by names."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery

ROWS_MAX = 10_000


class TotalsParameters(Parameters):
    """What may be asked of `/v1/totals`."""

    tenant: Name | None = Field(None, description="One tenant; all that the caller may see otherwise")
    by: list[str] = Field(
        default_factory=list, max_length=20, description="Names to break down by, also as a comma list"
    )
    window: str | None = Field(None, description="A rolling window instead of `from` and `to`")
    from_: Moment | None = Field(None, alias="from", description="First instant, or local day")
    to: Moment | None = Field(None, description="First instant, or local day, that is not included")
    limit: int = Field(1_000, ge=1, le=ROWS_MAX)


def install(app: FastAPI, product: Product) -> None:
    """Add the route."""

    @app.get("/v1/totals", summary="Totals of any stretch of time", tags=["totals"])
    async def _totals(
        asked: Annotated[TotalsParameters, Query()], caller: Annotated[Caller, Depends(needs(Right.READ))]
    ) -> dict[str, Any]:
        query = TotalsQuery(
            tenant=asked.tenant, by=asked.by, window=asked.window, start=asked.from_, end=asked.to, limit=asked.limit
        )
        return await product.ask(_answer, product, caller, query)


def _answer(product: Product, caller: Caller, query: TotalsQuery) -> dict[str, Any]:
    return totals(product.engine(), product.scope(caller, Right.READ, query.tenant), query, product.now())
