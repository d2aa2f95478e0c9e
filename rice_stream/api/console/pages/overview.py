"""`/`: how much today and this month, how sure, and what is wrong."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.pages.overview_figures import By, overview_figures
from rice_stream.api.routing import needs

_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_LATE = timedelta(hours=1)
"""Past this the page says that nothing has come for a while."""


class _Asked(PageParameters):
    by: Annotated[By | None, Blank] = None


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry("/", "Overview", Right.READ))
    product = dashboard.product

    @app.get("/", include_in_schema=False)
    async def _overview(request: Request, asked: Annotated[_Asked, Query()], caller: _Reader) -> Response:
        return await dashboard.show(
            request,
            caller,
            "pages/overview.html",
            lambda: {
                "live": dashboard.live(caller, asked.tenant),
                **overview_figures(product, caller, asked, asked.by),
            },
            server=product.settings.http_public_url or f"http://{request.headers.get('host', 'localhost')}",
            late=_LATE,
        )
