"""The API with a database login of its own, as it is to be run outside loopback: PostgreSQL holds it to each caller's scope."""

import asyncio
import json
import re
import secrets
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text

from rice_stream.api.access.issuing import AskedToken, issue
from rice_stream.store.scope import EVERYTHING
from tests.support.asgi import Answer, ask
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store, open_store
from tests.support.three_tenants import fill
from tests.unit.api.conftest import Door

_NAMED = {"event_id": "2026-11-22T11:01:00Z", "name": "team", "tenant_id": "acme"}


class Served:
    """An application behind the login, and callers with tokens."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self.door = Door(database_url=url)

    def ask(
        self, method: str, path: str, role: str, tenant: str | None = None, body: object = None, **headers: str
    ) -> Answer:
        """The answer to a caller with a new token."""
        asked = AskedToken(secrets.token_hex(4), role, None if tenant is None else frozenset({tenant}))
        given = {"authorization": f"Bearer {issue(self._store.engine, asked, EVERYTHING, OPERATOR).secret}", **headers}
        pieces = []
        if body is not None:
            pieces, given["content-type"] = [json.dumps(body).encode()], "application/json"
        self.door.app.state.admission._book._looked_at_s = None  # tokens are looked for anew
        return asyncio.run(ask(self.door.app, method, path, pieces, given.items()))

    def paths(self) -> list[str]:
        """Every route that is read, with names of one tenant in its path."""
        found = [
            str(getattr(route, "path", ""))
            for route in self.door.app.routes
            if "GET" in (getattr(route, "methods", None) or ())
        ]
        named = [re.sub(r"{(\w+)(?::\w+)?}", lambda match: _NAMED.get(match[1], "1"), path) for path in found]
        return [f"{path}?tenant=acme" if "/prompts/" in path or "/budgets/" in path else path for path in named]


@pytest.fixture
def served(postgresql: Databases) -> Iterator[Served]:
    login = f"http_{secrets.token_hex(4)}"
    with open_store(postgresql.migrated()) as store:
        fill(store)
        store.execute(f"CREATE ROLE {login} LOGIN IN ROLE rice_api")
        url = make_url(str(store.engine.url)).set(username=login).render_as_string(hide_password=False)
        served = Served(store, url)
        yield served
        served.door.product.close()
        store.execute(f"DROP ROLE {login}")


def test_every_route_that_is_read_answers(served: Served) -> None:
    """To who sees everything and to who sees one tenant; those that need nothing else say what is there."""
    for tenant in (None, "acme"):
        answers = {path: served.ask("GET", path, "admin", tenant) for path in served.paths()}
        assert {path: answer.body for path, answer in answers.items() if answer.status >= 500} == {}
        for path in (
            "/v1/totals",
            "/v1/rolling-totals",
            "/v1/prompts",
            "/v1/budgets",
            "/v1/alerts",
            "/v1/tokens",
            "/v1/audit",
        ):
            assert answers[path].document["rows"], path
        others = [path for path, answer in answers.items() if "Müller" in answer.body.decode()]
        assert (others == []) is (tenant is not None), others


def test_what_is_changed_is_ones_own(served: Served) -> None:
    """Budgets, also on users and tenants that nobody knows so far, time zones, mappings, refused items and tokens."""
    budget = {"name": "new", "limit_gco2e": 5, "period": "day", "user_id": "u-new"}
    assert served.ask("POST", "/v1/budgets", "editor", "acme", {**budget, "tenant_id": "acme"}).status == 201
    assert served.ask("POST", "/v1/budgets", "editor", "acme", {**budget, "tenant_id": "*"}).status == 404
    assert served.ask("POST", "/v1/budgets", "editor", None, {**budget, "tenant_id": "not-seen-yet"}).status == 201
    seen = {"if-match": served.ask("GET", "/v1/budgets/new?tenant=acme", "reader", "acme").headers["etag"]}
    assert served.ask("DELETE", "/v1/budgets/new?tenant=acme", "editor", "acme", **seen).status == 204
    zone = {"time_zone": "Asia/Tokyo"}
    assert served.ask("PUT", "/v1/tenants/acme", "editor", "acme", zone).status == 200
    assert served.ask("PUT", "/v1/tenants/another", "editor", None, zone).status == 200
    mapping = {"kind": "tenant", "name": "old", "target": "acme"}
    assert served.ask("POST", "/v1/mappings", "editor", "acme", mapping).status == 403
    assert served.ask("POST", "/v1/mappings", "editor", None, mapping).status == 201
    assert (
        served.ask("POST", "/v1/tokens", "admin", "acme", {"name": "r", "role": "reader", "tenants": ["acme"]}).status
        == 201
    )
    assert served.ask("POST", "/v1/quarantine/drop", "editor", None, {"ids": [1]}).status == 200


def test_records_are_not_the_logins_to_write(served: Served) -> None:
    """The answer says who may."""
    answer = served.ask("POST", "/v1/quarantine/replay", "editor", None, {"ids": [1]})
    assert (answer.status, "where the worker runs" in answer.document["detail"]) == (409, True)


def test_the_role_is_asked_for_nothing_that_the_database_keeps(served: Served) -> None:
    """The login alone, without a scope, sees no row of a tenant."""
    engine = served.door.product.engine()
    with engine.execution_options(rice_scope=EVERYTHING).connect() as connection:
        # One by one: what this engine sends is prepared, and two statements cannot be.
        connection.execute(text("SET LOCAL rice.tenants = ''"))
        connection.execute(text("RESET ROLE"))
        assert connection.scalar(text("SELECT COUNT(*) FROM tenant")) == 0
