"""`/channels`: where alerts are sent, and whether they arrive."""

from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.pages import channels_figures as figures
from rice_stream.api.console.pages.channels_asked import ChannelsAsked
from rice_stream.api.routing import needs

_PATH = "/channels"
_LIST = "pages/channels.html"
_Reader = Annotated[Caller, Depends(needs(Right.READ))]


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the page. It is reached from the pages of administration and of budgets."""
    product = dashboard.product

    @app.get(_PATH, include_in_schema=False)
    async def _channels(request: Request, asked: Annotated[ChannelsAsked, Query()], caller: _Reader) -> Response:
        return await dashboard.show_live(
            request, caller, _LIST, asked.tenant, lambda _live: figures.listed(product, caller, asked)
        )
