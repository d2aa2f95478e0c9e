"""What is another's and what is not there cost the same statements: nobody can tell one from the other by how long it takes.

Recorded rather than timed. For every route that names a tenant, or something of a tenant or team, the same request is sent for a
name of somebody else and for one that nobody has.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from psycopg import Cursor
from sqlalchemy import Engine, event

from tests.integration.api.test_matrix import Served
from tests.support.api_matrix import Try, about
from tests.support.asgi import Answer
from tests.support.databases import Databases
from tests.support.owned_names import fill
from tests.support.reports_store import open_store


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The statements of all databases, without their values: those of SQLAlchemy, and all that PostgreSQL's driver is given."""
    statements: list[str] = []
    execute = Cursor.execute

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def noted(cursor: Any, query: Any, *values: Any, **options: Any) -> Any:
        statements.append(str(query))
        return execute(cursor, query, *values, **options)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Cursor, "execute", noted)
            yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def renamed(one: Try, names: dict[str, str]) -> Try:
    """The same request for other names."""
    path, body = one.path, json.dumps(one.body) if isinstance(one.body, dict) else one.body
    for name, other in names.items():
        path = path.replace(name, other)
        body = body.replace(name, other) if isinstance(body, str) else body
    return replace(one, path=path, body=json.loads(body) if isinstance(body, str) else body)


_OF_A_REQUEST = ("ratelimit", "x-request-id", "content-length")
"""The length too: a time of whole milliseconds is written shorter. Bodies are compared, so nothing is lost by it."""
_WHEN_MADE = re.compile(r'"(?:as_of|sha256|content_sha256|made_at|created)":"[^"]*"')
"""When a file was made, and its digests, which say so as well."""


def told(answer: Answer, names: dict[str, str]) -> str:
    """An answer without the names that were asked for, and what changes with every request."""
    headers = {name: text for name, text in answer.headers.items() if name not in _OF_A_REQUEST}
    body = answer.body.decode("latin-1")
    if headers.pop("rice-as-of", None) is not None:
        headers.pop("repr-digest")
        headers.pop("rice-content-sha256", None)
        if not headers["content-type"].startswith(("text/", "application/json")):
            body = f"about {len(body) // 100}00 bytes"  # packed with when it was made
    body = _WHEN_MADE.sub("made", body)
    said = f"{answer.status} {headers} {body}"
    for name, other in names.items():
        said = said.replace(other, name)
    return said


def asked_for(served: Served, one: Try, role: str, scope: str) -> tuple[Answer, list[str]]:
    """The answer and its statements."""
    with recorded() as statements:
        return served.answer(one, role, scope), statements


@pytest.fixture
def served(either_database: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server in front of three tenants. What answers rest on is looked at once, and not again with the next second."""
    monkeypatch.setattr("rice_stream.api.product._META_HOLDS_S", 1e9)
    with open_store(either_database.migrated()) as store:
        fill(store)
        made = Served(store)
        yield made
        made.door.product.close()


ROLES = ("admin", "reader")
CASES = {
    "another tenant's": ("one tenant", ("1", "a"), {"x1ax": "x9ax", "tenant-x1x": "tenant-x9x"}),
    "another tenant's, of no team": ("one tenant", ("1", None), {"x1nonex": "x9nonex", "tenant-x1x": "tenant-x9x"}),
    "another team's": ("one team", ("1", "b"), {"x1bx": "x9bx"}),
    "another team's of all tenants": ("a team of all tenants", ("2", "a"), {"x2ax": "x9ax"}),
}
"""Who asks; whose it is; and the same names as nobody has them, just as long."""


TIMES = 3
"""PostgreSQL cleans up by itself, which is a commit: what is kept is asked for anew. What tells the two apart does so always."""


def differences(served: Served, one: Try, absent: Try, role: str, scope: str, names: dict[str, str]) -> list[str]:
    """How what is somebody else's is told from what nobody has, if it is."""
    # What is looked at once and kept, such as tables of factors and pages, is there then: for either name.
    asked_for(served, absent, role, scope)
    asked_for(served, one, role, scope)
    foreign_answer, foreign = asked_for(served, one, role, scope)
    absent_answer, nobodys = asked_for(served, absent, role, scope)
    line = f"{role}: {one.method} {one.path}: {foreign_answer.status}, {absent_answer.status}"
    found = []
    if foreign != nobodys:
        found.append(f"{line}: {len(foreign)} statements, {len(nobodys)} for what is not there")
    if told(foreign_answer, names) != told(absent_answer, names):
        found.append(f"{line}: {foreign_answer.body[:200]!r}, {absent_answer.body[:200]!r}")
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_is_anothers_takes_the_statements_of_what_is_not_there(served: Served, case: str) -> None:
    """And gets the same answer: for who may do everything there, and for who may only read."""
    scope, owner, names = CASES[case]
    tries = list(about(*owner))
    different = []
    for role in ROLES:
        for one in tries:
            told_apart: list[str] = []
            for _ in range(TIMES):
                told_apart = differences(served, one, renamed(one, names), role, scope, names)
                if not told_apart:
                    break
            different += told_apart
    assert different == []


def test_statements_are_recorded(served: Served) -> None:
    """What is one's own takes some, and other ones than what is not there."""
    own = Try("GET", "/v1/prompts/event-x0ax-1", "/v1/prompts/{event_id:path}")
    answer, statements = asked_for(served, own, "reader", "one tenant")
    assert answer.status == 200
    absent, fewer = asked_for(served, renamed(own, {"x0ax": "x9ax"}), "reader", "one tenant")
    assert absent.status == 404
    assert len(statements) > len(fewer) > 0
