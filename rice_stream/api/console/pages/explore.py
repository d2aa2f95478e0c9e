"""`/explore`: where it comes from, by any name and over any time."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.dashboard import Dashboard, Entry
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.later import fetches_parts
from rice_stream.api.console.pages.explore_asked import ExploreParameters, Part
from rice_stream.api.console.pages.explore_figures import explored
from rice_stream.api.routing import needs

PATH = "/explore"
_TEMPLATES = {"bars": "pages/explore_bars.html", "latest": "pages/explore_latest.html"}
"""Of parts that come later."""


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page."""
    dashboard.entries.append(Entry(PATH, "Explore", Right.READ))

    @app.get(PATH, include_in_schema=False)
    async def _explore(
        request: Request,
        asked: Annotated[ExploreParameters, Query()],
        caller: Annotated[Caller, Depends(needs(Right.READ))],
    ) -> Response:
        later: Part | None = "rest" if asked.part is None and fetches_parts(request) else None
        part: Part | None = later if asked.part is None or asked.part == "all" else asked.part

        def look_up(around: Around, _live: str) -> Figures:
            return explored(dashboard.product, caller, asked, around, part or "whole")

        template = _TEMPLATES.get(part or "", "pages/explore.html")
        return await dashboard.show_live(request, caller, template, asked.tenant, look_up, part=part)
