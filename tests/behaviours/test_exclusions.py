"""What is not in the numbers: counted, estimated, and held against 5 % of all carbon."""

from typing import Any

import pytest

from rice_stream.ledger.voiding import void_record
from rice_stream.reports.coverage import coverage
from rice_stream.reports.record_keys import find_key
from rice_stream.store.quarantine import Choice, drop
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at

WRONG = {"event_id": "x", "tenant_id": "acme", "output_tokens": 1}


def excluded(store: Store, scope: Scope = EVERYTHING, **asked: Any) -> dict[str, Any]:
    """What `coverage` says of it."""
    found: dict[str, Any] = coverage(store.engine, scope, now=NOON, **asked)["exclusions"]
    return found


def told(found: dict[str, Any]) -> dict[str, tuple[int, float | None]]:
    """(items, grams) by kind."""
    return {row["kind"]: (row["items"], row["carbon_gco2e"]) for row in found["rows"]}


def void(store: Store, event_id: str) -> None:
    """Void the event of an id."""
    found = find_key(store.engine, EVERYTHING, event_id)
    void_record(store.engine, found.key, found.tenant_id, event_id, reason="a test call", by=OPERATOR)


class TestExclusions:
    """On every database. A prompt is 2.5 g."""

    def test_refused_items_count_as_mean_prompts_and_voided_ones_as_what_they_were(self, store: Store) -> None:
        """By hand: four prompts count and one is voided; of three refused items one is dropped: 10 g in the numbers, 10 g not."""
        store.add(
            *(at(f"2026-11-22T11:0{n}:00Z") for n in range(5)), *({**WRONG, "event_id": f"x{n}"} for n in range(3))
        )
        [first, *_] = store.rows("SELECT id FROM quarantine ORDER BY id")
        drop(store.engine, Choice(ids=(first["id"],)), NOON_US, by=OPERATOR)
        moment = "2026-11-22T11:03:00Z"
        void(store, moment)
        found = excluded(store)
        assert told(found) == {"refused": (2, 5.0), "put_aside": (1, 2.5), "voided": (1, 2.5)}
        assert (found["carbon_gco2e"], found["share_of_carbon"], found["share_max"]) == (10.0, 0.5, 0.05)

    def test_one_row_may_stand_for_many_items(self, store: Store) -> None:
        """Of 150 refused items of a record 100 are kept one by one, and the rest as one."""
        store.add(at("2026-11-22T11:00:00Z"), [{**WRONG, "event_id": f"x{n}"} for n in range(150)])
        assert store.rows("SELECT COUNT(*) AS n FROM quarantine") == [{"n": 101}]
        assert told(excluded(store))["refused"] == (150, 375.0)

    def test_nothing_left_out_is_a_share_of_nothing(self, store: Store) -> None:
        store.add(at("2026-11-22T11:00:00Z"))
        assert excluded(store)["share_of_carbon"] == 0.0

    def test_without_a_prompt_there_is_no_mean_and_no_number(self, store: Store) -> None:
        store.add(WRONG)
        found = excluded(store)
        assert told(found) == {"refused": (1, None), "put_aside": (0, 0.0), "voided": (0, 0.0)}
        assert (found["carbon_gco2e"], found["share_of_carbon"]) == (None, None)

    def test_only_what_came_in_that_time_counts(self, store: Store) -> None:
        """Items by when they arrived."""
        store.add(at("2026-11-22T11:00:00Z"))
        store.add(WRONG, received_at_us=0)
        assert told(excluded(store, days=1))["refused"] == (0, 0.0)
        assert told(excluded(store))["refused"] == (1, 2.5)

    @pytest.mark.parametrize(
        ("scope", "voided"),
        [(Scope(frozenset({"acme"})), (1, 2.5)), (Scope(frozenset({"acme"}), frozenset({"search"})), (0, 0.0))],
        ids=["a tenant", "a team"],
    )
    def test_nobody_is_told_of_what_others_have_left_out(
        self, store: Store, scope: Scope, voided: tuple[int, float]
    ) -> None:
        """Whose a refused item is nobody knows, and corrections know no team."""
        theirs, others = "2026-11-22T11:00:00Z", "2026-11-22T11:01:00Z"
        store.add(at(theirs, team_id="search"), at(others, tenant_id="globex"), WRONG)
        void(store, theirs)
        void(store, others)
        assert told(excluded(store, scope)) == {"refused": (0, 0.0), "put_aside": (0, 0.0), "voided": voided}
