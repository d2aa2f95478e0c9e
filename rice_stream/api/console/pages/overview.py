"""`/`: how much today and this month, how sure, and what is wrong."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.later import fetches_parts
from rice_stream.api.console.once import Once
from rice_stream.api.console.pages.overview_asking import By
from rice_stream.api.console.pages.overview_figures import Part, overview_figures
from rice_stream.api.product import Product
from rice_stream.api.routing import needs

_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_LATE = timedelta(hours=1)
"""Past this the page says that nothing has come for a while."""


class _Asked(PageParameters):
    by: Annotated[By | None, Blank] = None
    part: Literal["week", "all"] | None = Field(None, exclude=True)


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry("/", "Overview", Right.READ))
    product, once = dashboard.product, Once()

    @app.get("/", include_in_schema=False)
    async def _overview(request: Request, asked: Annotated[_Asked, Query()], caller: _Reader) -> Response:
        later: Part | None = "rest" if asked.part is None and fetches_parts(request) else None
        part: Part | None = "week" if asked.part == "week" else later
        return await dashboard.show_live(
            request,
            caller,
            "pages/overview_week.html" if part == "week" else "pages/overview.html",
            asked.tenant,
            partial(_looked_up, product, once, caller, asked, part or "whole"),
            part=part,
            server=product.settings.http_public_url or f"http://{request.headers.get('host', 'localhost')}",
            late=_LATE,
        )


def _looked_up(
    product: Product, once: Once, caller: Caller, asked: _Asked, part: Part, around: Around, live: str
) -> Figures:
    """The figures, worked out once for all who see the same, as long as nothing has changed and the minute is the same."""
    minute = product.now().replace(second=0, microsecond=0)
    seen = product.scope(caller, Right.READ, asked.tenant), caller.scope(Right.READ)
    key = live, seen, asked.tenant, asked.time_zone, asked.by, minute, part
    return once.of(key, lambda: overview_figures(product, caller, asked, asked.by, around, part))
