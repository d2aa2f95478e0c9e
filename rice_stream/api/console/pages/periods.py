"""`/periods`: what each month came to so far, and its files."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import AS_SHOWN, AmountsShown, PageParameters
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.periods_figures import TENANTS, periods
from rice_stream.api.routing import needs

PATH = "/periods"


class PeriodsParameters(PageParameters):
    """Which year, and how many tenants have a column of their own."""

    year: Annotated[int | None, Blank, Field(ge=1971, le=9_000)] = None
    columns: Annotated[int, Field(ge=1, le=50)] = TENANTS
    as_: AmountsShown = AS_SHOWN


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(PATH, "Periods and reports", Right.READ))

    @app.get(PATH, include_in_schema=False)
    async def _periods(
        request: Request,
        asked: Annotated[PeriodsParameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.READ))],
    ) -> Response:
        def look_up(around: Around, _live: str) -> Figures:
            return periods(dashboard.product, caller, asked, asked.year, asked.columns, around, asked.as_)

        return await dashboard.show_live(request, caller, "pages/periods.html", asked.tenant, look_up)
