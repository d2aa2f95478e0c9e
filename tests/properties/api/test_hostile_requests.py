"""SQL, escapes, odd bytes and tricks in every parameter, field, header and target of every route.

No answer is 500 or above, none has anything of another tenant in it, none has a header that a request wrote, and nothing that
was stored before is changed. The requests are made from the route table; they go over a socket, byte for byte.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from rice_stream.store.engine import reading
from rice_stream.store.schema import metadata
from rice_stream.store.scope import Scope
from tests.support.asgi import Answer
from tests.support.cases import drawn, size
from tests.support.databases import Databases
from tests.support.hostile import Hostile, hostile_requests, plain_requests
from tests.support.owned_names import SCOPES, all_marks, fill, may_see
from tests.support.reports_store import NOON, Store, open_store
from tests.support.wire import exchange, served_on_loopback
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

_MARK = re.compile(r"x\d(?:[abc]|none)?x")
_ASKED_AT = re.compile(rb'"as_of":"[^"]*"')
_ADDED_TO = {
    *("attribution_version", "audit_entry", "budget", "budget_state", "http_token", "idempotency_key", "mapping"),
    *("principal", "reference_tables", "restatement", "server_key", "watched_user"),
}
"""Tables in which a hostile name may become a row of its own: that is a name like any other. What is corrected is estimated anew,
with reference tables that are kept then."""
CALLERS = (
    ("admin", "everything"),
    ("admin", "one tenant"),
    ("editor", "one team"),
    ("auditor", "one tenant"),
    ("reader", "no tenant at all"),
    ("ingest", "one tenant"),
    (None, "no tenant at all"),
)
REQUESTS = int(os.environ.get("API_HOSTILE_REQUESTS", size(350, 1_000_000)))
"""For each caller, others in each run; a drill at its full size sends every one."""


@pytest.fixture(scope="module")
def stored(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Three tenants whose names are in everything that is theirs."""
    databases: Databases = request.getfixturevalue("postgres_of_module")
    with open_store(databases.migrated()) as store:
        fill(store)
        yield store


@pytest.fixture(scope="module")
def served(stored: Store) -> Iterator[tuple[Door, int, Database]]:
    """A server in front of it, its port, and the tokens that it knows."""
    tokens = Database()
    # There is one at least: without any, this machine would need none.
    tokens.make("reader")
    url = stored.engine.url.render_as_string(hide_password=False)
    door = Door(tokens=tokens, database_url=url, http_requests_per_s=1e6)
    door.product.now = lambda: NOON
    with served_on_loopback(door.app) as port:
        yield door, port, tokens
    door.product.close()


def content(store: Store) -> dict[str, set[str]]:
    """All rows of all tables."""
    with reading(store.engine) as connection:
        return {
            table.name: set(map(repr, connection.execute(text(f"SELECT * FROM {table.name}"))))
            for table in metadata.sorted_tables
        }


def sent(port: int, one: Hostile, secret: str | None) -> Answer:
    """What comes back."""
    headers = [*one.headers]
    names = [name for name, _ in headers]
    if secret is not None:
        headers.append((b"authorization", b"Bearer " + secret.encode()))
    if b"content-type" not in names:
        headers.append((b"content-type", b"application/json"))
    return exchange(port, one.method, one.target, headers, one.body)


@pytest.mark.parametrize(("role", "scope"), CALLERS)
def test_no_request_breaks_the_server_or_confinement(
    stored: Store, served: tuple[Door, int, Database], role: str | None, scope: str
) -> None:
    """Whoever sends it, whatever is in it."""
    door, port, tokens = served
    bounds = SCOPES[scope]
    secret = None if role is None else made_token(tokens, door, role, bounds)
    hidden = all_marks() - may_see(bounds)
    before = content(stored)
    plain = {(one.method, one.route): one.hostile("as it is") for one in plain_requests(door.app)}
    requests = list(hostile_requests(door.app))
    chosen = requests if len(requests) <= REQUESTS else drawn(f"hostile {role} {scope}").sample(requests, REQUESTS)
    statuses: dict[int, int] = {}
    for one in chosen:
        answer = sent(port, one, secret)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        told = f"{role} of {scope}: {one}: {one.target[:200]!r} {one.body[:200]!r} -> {answer.status} {answer.body[:500]!r}"
        check(answer, told, hidden, one)
        if one.same_as_plain:
            assert outcome(answer) == outcome(sent(port, plain[one.method, one.route], secret)), told
    if role is None:
        assert set(statuses) <= {0, 200, 303, 400, 401, 403, 404, 405, 415, 421, 422}, statuses
    after = content(stored)
    added = {table: after[table] - rows for table, rows in before.items() if after[table] != rows}
    assert not [table for table in added if not before[table] <= after[table]], "rows are gone or changed"
    assert added.keys() <= _ADDED_TO, {table: list(rows)[:3] for table, rows in added.items() if table not in _ADDED_TO}
    assert not hidden & set(_MARK.findall(str(added)))


def made_token(tokens: Database, door: Door, role: str, scope: Scope) -> str:
    """A token, known to the server at once."""
    made = tokens.make(role, tenants=None if scope.tenants is None else set(scope.tenants), teams=scope.teams)
    door.admission._book._looked_at_s = None  # type: ignore[union-attr]
    return made


def check(answer: Answer, told: str, hidden: set[str], one: Hostile) -> None:
    """What holds for every answer."""
    assert answer.status < 500, told
    assert "planted" not in f"{list(answer.headers)} {answer.headers.get('set-cookie')}", told
    said = f"{answer.headers} {answer.body.decode('latin-1')}"
    given = set(_MARK.findall(f"{one.target!r} {one.body!r} {one.headers!r}"))
    leaked = {found for found in _MARK.findall(said) if found in hidden} - given
    assert not leaked, told
    assert not re.search(r"Traceback|psycopg|sqlalchemy", said, re.IGNORECASE), told


def outcome(answer: Answer) -> tuple[int, Any]:
    """What an answer comes to, but for the instant at which a report says it was asked."""
    return answer.status, _ASKED_AT.sub(b"", answer.body)


def test_every_parameter_of_every_route_is_tried(served: tuple[Door, int, Database]) -> None:
    """There are some for each, and they are good requests but for what is hostile in them."""
    door = served[0]
    made = list(hostile_requests(door.app))
    document = door.app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tried = {
                one.what for one in made if one.method == method.upper() and one.route.replace(":path", "") == path
            }
            for each in operation.get("parameters", ()):
                if each["in"] in ("path", "query"):
                    assert f"NUL as {each['name']}" in tried
