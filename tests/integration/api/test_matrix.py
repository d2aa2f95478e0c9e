"""Every route x role x scope x what is another's: nobody sees or changes it, by either line of confinement alone.

Three times over a real PostgreSQL: with both lines; with the conditions of the statements and the look at names open, so that
row-level security must hold; and without row-level security, so that they must. A route that is not tried fails the test.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import RIGHTS, Right
from rice_stream.api.product import Product
from rice_stream.store import scope_conditions
from rice_stream.store.engine import reading
from rice_stream.store.schema import metadata
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import confined
from tests.support.api_matrix import Try, pact_tries, routes, tries
from tests.support.asgi import Answer, ask
from tests.support.cases import some
from tests.support.closing import close
from tests.support.databases import Databases
from tests.support.owned_names import OWNERS, SCOPES, ZONES, all_marks, fill, may_see, tenant_name
from tests.support.reports_store import NOON, Store, open_store
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

_MARK = re.compile(r"x\d(?:[abc]|none)?x")
_CONDITIONS = ("tenant_id_in", "tenant_key_in", "team_in", "attribution_in", "has_any_of")
TRIED_SCOPES = ("one tenant", "one team", "a team of all tenants", "no tenant at all", "everything")
ONE_LINE = {"/v1/quarantine/replay", "/v1/periods/close", "/v1/contracts/apply"}
"""Routes that write or read what the API's role may not: with the rights of the server's login, once the caller is known to have
the right."""
LINES = ("both lines", "row-level security alone", "statements alone")


@pytest.fixture(scope="module")
def stored(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Three tenants whose names are in everything that is theirs, each with a closed month."""
    databases: Databases = request.getfixturevalue("postgres_of_module")
    with open_store(databases.migrated()) as store:
        fill(store)
        for owner in OWNERS:
            close(store.engine, "2026-10", tenant_name(owner), soft=True, time_zone=ZONES[owner])
        yield store


class Served:
    """The server in front of the store, and callers of every role and scope."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tokens = Database()
        url = store.engine.url.render_as_string(hide_password=False)
        self._secrets = {
            (role, name): self.tokens.make(
                role, tenants=None if scope.tenants is None else set(scope.tenants), teams=scope.teams
            )
            for role in RIGHTS
            for name, scope in SCOPES.items()
        }
        self.door = Door(
            tokens=self.tokens,
            database_url=url,
            http_requests_per_s=1e6,
            pact_company_domain="carbon.example",
            now=lambda: NOON,
        )

    def answer(self, one: Try, role: str, scope: str) -> Answer:
        """What a caller is answered."""
        headers = {
            "authorization": f"Bearer {self._secrets[role, scope]}",
            "content-type": "application/json",
            **one.headers,
        }
        body = one.body if isinstance(one.body, bytes) else json.dumps(one.body).encode()
        pieces = [] if one.body is None else [body]
        return asyncio.run(ask(self.door.app, one.method, one.path, pieces, headers.items()))

    def footprint_ids(self) -> dict[str, str]:
        """The id of a product footprint of each owner."""
        every = Try("GET", "/pact/3/footprints", "/pact/3/footprints")
        listed = self.answer(every, "admin", "everything").document["data"]
        return {
            owner: each["id"] for owner in OWNERS for each in listed if f"x{owner}x" in json.dumps(each["companyIds"])
        }


@pytest.fixture
def served(stored: Store) -> Iterator[Served]:
    """A server."""
    made = Served(stored)
    yield made
    made.door.product.close()


def open_first_line(patched: pytest.MonkeyPatch) -> None:
    """Statements leave nothing out, and names of other tenants are looked for: what is left is the database's own line."""
    originals = {name: getattr(scope_conditions, name) for name in _CONDITIONS}
    for module in [module for name, module in sys.modules.items() if name.startswith("rice_stream.")]:
        for name, original in originals.items():
            if getattr(module, name, None) is original:
                patched.setattr(module, name, lambda *_args, **_options: "TRUE")

    def whatever_is_asked(_product: Product, caller: Caller, right: Right, _tenant: str | None) -> Scope:
        return caller.scope(right)

    patched.setattr(Product, "scope", whatever_is_asked)
    patched.setattr(Scope, "has_tenant", lambda _scope, _tenant: True)
    patched.setattr(Scope, "has_team", lambda _scope, _team: True)
    patched.setattr(Scope, "is_everything", property(lambda _scope: True))


def open_second_line(patched: pytest.MonkeyPatch, served: Served) -> None:
    """The database shows everything to whoever asks."""
    engine = confined(served.store.engine, role=None)
    for name in ("engine", "export_engine"):
        patched.setattr(served.door.product, name, lambda: engine)


def content(store: Store) -> dict[str, list[Any]]:
    """All rows of all tables but those that every request may add to."""
    with reading(store.engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table.name}"))))
            for table in metadata.sorted_tables
            # Who is charged by the server's own settings becomes a version with its first look at events; the key that signs
            # positions in lists is drawn with the first list.
            if table.name not in ("attribution_version", "server_key")
        }


@pytest.mark.parametrize(
    ("scope", "lines"),
    [
        (scope, lines)
        for scope in some("scopes of the matrix", TRIED_SCOPES, 2)
        for lines in LINES
        # From who sees everything neither line keeps anything.
        if scope != "everything" or lines == "both lines"
    ],
)
def test_nobody_sees_or_changes_what_is_anothers(
    served: Served, monkeypatch: pytest.MonkeyPatch, lines: str, scope: str
) -> None:
    """In no status, body or header; and nothing that a request was refused for is changed."""
    prepare: dict[str, Callable[[], None]] = {
        "both lines": lambda: None,
        "row-level security alone": lambda: open_first_line(monkeypatch),
        "statements alone": lambda: open_second_line(monkeypatch, served),
    }
    footprints = served.footprint_ids()
    prepare[lines]()
    needed = routes(served.door.app)
    hidden = all_marks() - may_see(SCOPES[scope])
    before = content(served.store)
    untried = set(needed)
    for one in [*tries(), *pact_tries(footprints)]:
        untried.discard((one.method, one.route))
        if lines == "row-level security alone" and one.route in ONE_LINE:
            continue
        for role in RIGHTS:
            answer = served.answer(one, role, scope)
            told = f"{lines}: {role} of {scope}: {one.method} {one.path}: {answer.status}"
            assert answer.status < 500, told
            if not needed[one.method, one.route] <= RIGHTS[role]:
                assert answer.status == 403, told
            said = f"{answer.headers} {answer.body.decode('latin-1')}".replace(one.path, "")
            given = set(_MARK.findall(f"{one.path} {one.body}"))
            leaked = {found for found in _MARK.findall(said) if found in hidden} - given
            assert not leaked, f"{told}: {leaked}: {said[:500]}"
            if one.of is not None and not sees(scope, *one.of):
                assert answer.status >= 400 or not answer.body.strip() or lines != "both lines" or is_empty(answer), (
                    told
                )
    assert untried == set()
    assert content(served.store) == before


def sees(scope: str, owner: str, team: str | None) -> bool:
    """Whether anything of a team of a tenant may be seen."""
    if team == "any":
        return SCOPES[scope].has_tenant(tenant_name(owner))
    return f"x{owner}{team or 'none'}x" in may_see(SCOPES[scope])


def is_empty(answer: Answer) -> bool:
    """A list without rows, or a file with its header only."""
    if answer.headers.get("content-type", "").startswith("text/csv"):
        return answer.body.count(b"\r\n") == 1
    return not answer.document.get("rows")
