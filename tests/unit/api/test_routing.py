"""Every route declares the right that it needs, and nobody comes in without it."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from rice_stream.api.access.rights import RIGHTS, Right
from rice_stream.api.routing import OPEN, UnguardedRouteError, check_routes, rights_of
from tests.support.asgi import ask
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door


@pytest.fixture
def tokens() -> Database:
    """A database without tokens."""
    return Database()


def guarded(app: FastAPI) -> list[tuple[str, str, Right]]:
    """Method, path and right of every route that is not open."""
    return [
        (method, route.path, right)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
        for right in rights_of(route)
    ]


def test_the_server_does_not_start_with_a_route_that_declares_no_right(door: Callable[..., Door]) -> None:
    app = door().app

    @app.get("/v1/forgotten")
    async def _forgotten() -> None:
        return None

    with pytest.raises(UnguardedRouteError, match="/v1/forgotten declares no right"):
        check_routes(app)


def test_all_roles_get_what_their_rights_say_and_no_more(door: Callable[..., Door], tokens: Database) -> None:
    """Every route x role: 401 without a token, 403 exactly where the role lacks the right."""
    app = door(tokens=tokens).app
    secrets = {role: tokens.make(role) for role in RIGHTS}
    seen = set()
    for method, path, right in guarded(app):
        filled = path.replace("{", "").replace("}", "")
        status = {}
        for role, secret in [*secrets.items(), ("nobody", "")]:
            headers = [("authorization", f"Bearer {secret}"), ("content-type", "application/json")]
            status[role] = asyncio.run(ask(app, method, filled, [b"x"], headers)).status
        assert status["nobody"] == 401, path
        for role in RIGHTS:
            assert (status[role] in (401, 403)) == (right not in RIGHTS[role]), (method, path, role, status[role])
        seen.add(path)
    assert {"/v1/events", "/v1/totals"} <= seen
    assert not seen & OPEN


def test_without_any_token_loopback_takes_events_and_shows_nothing(door: Callable[..., Door]) -> None:
    """401, as if there were tokens: what is recorded is for who can name themselves."""
    answer = door().get("/v1/totals")
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")


def test_metrics_need_a_token_where_others_can_ask(door: Callable[..., Door], tokens: Database) -> None:
    secret = tokens.make("reader")
    assert door(tokens=tokens).get("/metrics").status == 200
    away = door(tokens=tokens, http_host="0.0.0.0")  # noqa: S104 - not listened at
    assert away.get("/metrics").status == 401
    assert away.get("/metrics", authorization=f"Bearer {secret}").status == 200
