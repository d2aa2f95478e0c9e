"""`/`: how much today and this month, how sure, and what is wrong."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.kept import Figures
from rice_stream.api.product import Product
from rice_stream.api.reads.totals import answer_totals
from rice_stream.api.routing import needs
from rice_stream.reports.totals_query import TotalsQuery

_LARGEST = 5
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry("/", "Overview", Right.READ))

    @app.get("/", include_in_schema=False)
    async def _overview(request: Request, asked: Annotated[PageParameters, Query()], caller: _Reader) -> Response:
        return await dashboard.show(
            request, caller, "pages/overview.html", lambda: _figures(dashboard.product, caller, asked)
        )


def _figures(product: Product, caller: Caller, asked: PageParameters) -> Figures:
    month = TotalsQuery(
        tenant=asked.tenant,
        by=["team"],
        window="mtd",
        time_zone=asked.time_zone,
        report_time_zone=product.settings.report_time_zone,
        top=_LARGEST,
    )
    totals = answer_totals(product, caller, month)
    return {"month": totals, "meta": totals["meta"], "zone": totals["meta"]["time_zone"], "asked": asked}
