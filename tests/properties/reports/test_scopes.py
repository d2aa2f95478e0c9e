"""Whoever the tenants and teams are shared out to: what each of them is told adds up to what everybody is told together."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.databases import SqliteDatabases
from tests.support.owned_names import OWNERS, STARTS, TEAMS, all_marks, fill, may_see, team_name, tenant_name
from tests.support.reports_store import NOON, Store, open_store

NAMED_TEAMS = [team for team in TEAMS if team is not None]
AMOUNTS = ("prompts", "input_tokens", "output_tokens")
LINEAR = ("low", "high")


@pytest.fixture(scope="module")
def store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    databases = SqliteDatabases(sqlite_template, tmp_path_factory.mktemp("store"))
    with open_store(databases.migrated()) as store:
        fill(store)
        yield store


@st.composite
def shared_out(draw: st.DrawFn) -> list[tuple[Scope, bool]]:
    """Scopes that together hold every prompt once; whether each is of what no team was charged for, which no team sees."""
    scopes: list[tuple[Scope, bool]] = []
    groups: dict[int, set[str]] = {}
    for owner in OWNERS:
        if draw(st.booleans()):
            groups.setdefault(draw(st.integers(0, 2)), set()).add(tenant_name(owner))
            continue
        shares: dict[int, set[str]] = {}
        for team in NAMED_TEAMS:
            shares.setdefault(draw(st.integers(0, 2)), set()).add(team_name(owner, team))
        scopes += [(Scope(frozenset({tenant_name(owner)}), frozenset(teams)), False) for teams in shares.values()]
        scopes.append((Scope(frozenset({tenant_name(owner)})), True))
    return [*scopes, *((Scope(frozenset(tenants)), False) for tenants in groups.values())]


bounds = st.tuples(st.sampled_from(STARTS), st.sampled_from([-1, 0, 1, 60_000_000, 840_000_000])).map(
    lambda drawn: datetime.fromisoformat(drawn[0]) + timedelta(microseconds=drawn[1])
)


def exact(row: dict[str, Any]) -> list[int]:
    """Everything in a row that adds up, in whole numbers."""
    energies = [round(row[name] * 1e6) for name in ("it_energy_wh", "facility_energy_wh")]
    carbon = [row["carbon_gco2e"]["mid"], *(row["carbon_gco2e_linear"][end] for end in LINEAR)]
    return [*(row[name] for name in AMOUNTS), *energies, *(round(each * 1e6) for each in carbon)]


@settings(max_examples=60)
@given(
    scopes=shared_out(),
    by=st.lists(st.sampled_from(["team", "model", "user", "day", "hour", "basis"]), max_size=3, unique=True),
    between=st.one_of(st.none(), st.tuples(bounds, bounds)),
    tenant=st.one_of(st.none(), st.sampled_from(OWNERS).map(tenant_name)),
)
def test_shares_add_up_to_the_whole(
    store: Store,
    scopes: list[tuple[Scope, bool]],
    by: list[str],
    between: tuple[datetime, datetime] | None,
    tenant: str | None,
) -> None:
    """Totals of any break-down and stretch, to the microgram; and none of them names what is not in its scope."""
    stretch: dict[str, Any] = {}
    if between is not None:
        stretch = {"start": min(between), "end": max(between) + timedelta(microseconds=1)}
    query = TotalsQuery(tenant=tenant, by=[*by, "team"], **stretch)
    shares: list[list[int]] = []
    for scope, is_of_no_team in scopes:
        answer = totals(store.engine, scope, query, NOON)
        rows = [row for row in answer["rows"] if not is_of_no_team or row["team"] is None]
        shares += [exact(row) for row in rows]
        if not is_of_no_team:
            assert [sum(column) for column in zip(*map(exact, rows), strict=True)] == exact(answer["total"]) or not rows
        may = may_see(scope)
        assert {mark for mark in all_marks() - may if mark in str(answer)} == set()
    whole = exact(totals(store.engine, EVERYTHING, query, NOON)["total"])
    assert [sum(column) for column in zip(*shares, strict=True)] == whole or (not shares and not any(whole))
