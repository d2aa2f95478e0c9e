"""The first line of confinement: no report says anything of who is not in its scope, and what is another's looks like nothing."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined
from tests.support.databases import Databases
from tests.support.owned_names import (
    OWNERS,
    SCOPES,
    TEAMS,
    all_marks,
    fill,
    mark,
    may_see,
    reports,
    team_name,
    tenant_name,
)
from tests.support.reports_store import open_store

OWN = {(owner, team): mark(owner, team) for owner in OWNERS for team in TEAMS}
OF_NOBODY = {
    "mappings",
    "quarantine",
    "quarantine pages",
    "dropped",
    "a refused item",
    "explain refused",
    "versions",
    "system",
    "a delivery",
    "factor sets",
    "tables kept",
    "contracts",
    "erasures",
}
"""What belongs to no tenant, or there is none of: nobody sees it, or everybody, but who sees everything."""
OF_NO_TEAM = {
    "audit",
    "bridge",
    "closings",
    "periods",
    "reconciliations",
    "restatements",
    "deliveries",
    "deliveries of alerts",
    "delivery health",
    "named deliveries",
    "a scope pack",
}
"""What knows no team: who sees some teams only sees none of it."""


class TestScopes:
    """On every database."""

    @pytest.fixture
    def engine(self, database: Databases) -> Iterator[Engine]:
        """A store in which all names say whose they are."""
        with open_store(database.emptied()) as store:
            fill(store)
            yield store.engine

    def test_nothing_of_others_is_in_any_answer(self, engine: Engine) -> None:
        """Every report with every scope; what was asked for by name is asked for by who may see it."""
        found = []
        for scope_name, scope in SCOPES.items():
            may = may_see(scope)
            for asking in reports():
                text = asking.outcome(engine, scope)
                if text.startswith("NotFoundError"):
                    continue  # it repeats what was asked for; the test of what is not there is about these
                leaked = {each for each in all_marks() - may if each in text}
                if leaked:
                    found.append((scope_name, asking.name, sorted(leaked)))
        assert found == []

    def test_who_may_see_something_does(self, engine: Engine) -> None:
        """The test above would also pass with empty answers: every report says more to the right scope than to nobody."""
        silent = []
        for owner, team in OWN:
            scope = Scope(frozenset({tenant_name(owner)}), frozenset({team_name(owner, team)} if team else ()))
            for asking in reports(own=OWN[owner, team]):
                if team is not None and asking.name in OF_NO_TEAM:
                    continue
                told, nothing = (asking.outcome(engine, each) for each in (scope, SCOPES["nobody"]))
                if asking.name not in OF_NOBODY and (told == nothing or told.startswith("NotFoundError")):
                    silent.append((OWN[owner, team], asking.name))
        assert silent == []

    @pytest.mark.parametrize("scope_name", ["one tenant", "a team that others have as well", "nobody"])
    def test_what_is_anothers_looks_like_what_is_not_there(self, engine: Engine, scope_name: str) -> None:
        """Asked for another's tenant, event, budget or name, the answer is that for a name which nobody has, to the letter."""
        scope = SCOPES[scope_name]
        theirs, nobodys = tenant_name("1"), "tenant-x7x"
        differing = []
        for own, not_there in ((mark("1", "a"), "x7ax"), (mark("1", "c"), "x7cx"), (mark("1", None), "x7nonex")):
            others, nobody = reports(theirs, own), reports(nobodys, not_there)
            for other, none in zip(others, nobody, strict=True):
                told = other.outcome(engine, scope).replace(own, "?").replace(theirs, "?")
                if told != none.outcome(engine, scope).replace(not_there, "?").replace(nobodys, "?"):
                    differing.append((other.name, told))
        assert differing == []

    def test_both_lines_of_confinement_say_the_same(self, engine: Engine) -> None:
        """A database that is told of the scope itself takes nothing from any answer that the statements' own conditions leave."""
        differing = []
        for scope_name, scope in SCOPES.items():
            for asking in reports():
                told = asking.outcome(confined(engine), scope)
                if told != asking.outcome(engine, scope):
                    differing.append((scope_name, asking.name, told[:300]))
        assert differing == []

    def test_the_scope_of_everything_leaves_nothing_out(self, engine: Engine) -> None:
        """All of every name: of tenants, teams, and what belongs to no team."""
        whole = "".join(asking.outcome(engine, EVERYTHING) for asking in reports())
        assert {each for each in all_marks() if each not in whole} == set()
