"""`POST /preferences`: how pages look in this browser."""

from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Request, Response

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.local_paths import local_path
from rice_stream.api.access.rights import Right
from rice_stream.api.console.dashboard import Dashboard
from rice_stream.api.console.forms import PageForm
from rice_stream.api.console.theme import keep_theme
from rice_stream.api.routing import needs


class _Chosen(PageForm):
    theme: Literal["auto", "light", "dark"]
    next: str = "/"


def install(app: FastAPI, dashboard: Dashboard) -> None:
    """Add the route."""

    @app.post("/preferences", include_in_schema=False)
    async def _preferences(request: Request, caller: Annotated[Caller, Depends(needs(Right.READ))]) -> Response:
        chosen = await dashboard.forms.read(request, caller, _Chosen)
        answer = dashboard.done(local_path(chosen.next))
        keep_theme(request, answer, chosen.theme)
        return answer
