"""One step to the prompt before and the one after, and whether there is anything before a moment."""

from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.ledger.voiding import void_record
from rice_stream.reports.earlier_prompts import any_before_later
from rice_stream.reports.prompt_neighbours import neighbours_later
from rice_stream.reports.record_keys import find_key
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store, at

TIMES = {
    "a": "2026-11-22T09:59:59.999Z",
    "b": "2026-11-22T10:00:00Z",
    "c": "2026-11-22T10:00:00.000001Z",
    "d": "2026-11-22T11:00:00Z",
}


def beside(store: Store, scope: Scope, event_id: str) -> list[str | None]:
    key = find_key(store.engine, scope, event_id, "acme").key
    return [None if each is None else each["event_id"] for each in neighbours_later(store.engine, scope, key)()]


class TestNeighbours:
    """On every database."""

    def test_they_lead_through_all_prompts_of_the_tenant_once(self, store: Store) -> None:
        """Two of one millisecond among them; from end to end, forwards and back."""
        store.add(
            *(at(time, event_id=name) for name, time in TIMES.items()),
            at("2026-11-22T10:00:00Z", event_id="other", tenant_id="globex"),
        )
        row: list[str] = []
        following: str | None = "a"
        while following is not None:
            row.append(following)
            following = beside(store, EVERYTHING, following)[1]
        assert sorted(row) == sorted(TIMES)
        assert row[0] == "a"
        assert row[-1] == "d"
        assert [beside(store, EVERYTHING, name)[0] for name in row] == [None, *row[:-1]]

    def test_what_is_another_teams_is_passed_over(self, store: Store) -> None:
        teams = {"a": "ads", "b": "search", "c": "ads", "d": "search"}
        store.add(*(at(time, event_id=name, team_id=teams[name]) for name, time in TIMES.items()))
        ads = Scope(frozenset({"acme"}), frozenset({"ads"}))
        assert (beside(store, ads, "a"), beside(store, ads, "c")) == ([None, "c"], ["a", None])


class TestEarlierPrompts:
    """On every database."""

    @pytest.mark.parametrize("minutes", [0, 15, 24 * 60])
    def test_a_prompt_is_before_a_moment_as_soon_as_it_ended_before_it(self, store: Store, minutes: int) -> None:
        """On quarter hours within a day and at its ends; another tenant's and another team's are not."""
        store.add(at("2026-11-22T10:14:59.999999Z", team_id="ads"))
        moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
        scopes = (EVERYTHING, Scope(frozenset({"acme"})), Scope(frozenset({"acme"}), frozenset({"ads"})))
        others = (Scope(frozenset({"globex"})), Scope(frozenset({"acme"}), frozenset({"search"})))
        step = timedelta(minutes=minutes)
        assert [any_before_later(store.engine, scope, moment + step)() for scope in scopes] == [True] * 3
        assert [any_before_later(store.engine, scope, moment + step)() for scope in others] == [False] * 2
        assert not any_before_later(store.engine, EVERYTHING, moment - timedelta(minutes=15) - step)()

    def test_what_was_voided_is_none(self, store: Store) -> None:
        store.add(at("2026-11-22T10:00:00Z", event_id="a"))
        moment = datetime(2026, 11, 23, tzinfo=UTC)
        assert any_before_later(store.engine, EVERYTHING, moment)()
        key = find_key(store.engine, EVERYTHING, "a", "acme").key
        void_record(store.engine, key, "acme", "a", reason="wrong", by=OPERATOR)
        assert not any_before_later(store.engine, EVERYTHING, moment)()
