"""The routes of signing in and out. Anybody may ask them: whoever does so is not known yet."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from rice_stream.api.access.sign_in_desk import CALLBACK, SignInDesk

PATHS = frozenset({"/auth/sign-in", CALLBACK, "/auth/sign-out", "/auth/link"})
_LONGEST = 4_096


def install(app: FastAPI, desk: SignInDesk) -> None:
    """Add the routes. They are for browsers and not in the OpenAPI document."""
    text = Query(max_length=_LONGEST)

    @app.get("/auth/sign-in", include_in_schema=False)
    async def _sign_in(request: Request, next: Annotated[str | None, text] = None) -> Response:
        return await desk.begin(request, next)

    @app.get(CALLBACK, include_in_schema=False)
    async def _callback(request: Request) -> Response:
        # As they come: providers add parameters of their own. A name that is given twice counts once.
        return await desk.finish(request, dict(request.query_params))

    @app.get("/auth/link", include_in_schema=False)
    async def _link(request: Request, key: Annotated[str, text]) -> Response:
        return await desk.by_link(request, key)

    @app.post("/auth/sign-out", include_in_schema=False)
    async def _sign_out(request: Request) -> Response:
        return await desk.end(request)
