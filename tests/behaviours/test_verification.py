"""`verify`: finds any difference between totals and records, whichever side was changed, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.proof.differences import LISTED_MAX
from rice_stream.proof.verification import verify
from rice_stream.quantities import MEASURES
from rice_stream.store.retention import drop_records_before
from rice_stream.store.totals_tables import MINUTES, TOTALS_TABLES
from rice_stream.store.watching import watch_user
from tests.support.reports_store import Store, at, picked

Difference = tuple[str, str, int | None, int | None]
ALL = {table.name for table in TOTALS_TABLES}


def differences(answer: dict[str, Any]) -> list[Difference]:
    """(table, measure, stored, recomputed) of all that is listed."""
    return picked(answer["differences"], "table", "measure", "stored", "recomputed")


def filled(store: Store) -> Store:
    """Three prompts: two of acme in one minute (one by the watched user u-1), one of globex in the month before."""
    watch_user(store.engine, "acme", "u-1")
    store.add(
        at("2026-11-22T11:00:10Z", user_id="u-1", cache_read_input_tokens=4, reasoning_output_tokens=2),
        at("2026-11-22T11:00:20Z", user_id="u-2", input_tokens=None),
        at("2026-10-31T23:59:59.9Z", tenant_id="globex", team_id=...),
    )
    return store


class TestVerification:
    """On every database."""

    def test_an_empty_store_is_right(self, store: Store) -> None:
        """Nothing recorded, nothing to differ."""
        answer = verify(store.engine)
        assert answer == {
            "ok": True,
            "records": 0,
            "totals_checked": 0,
            "differences": [],
            "differences_total": 0,
            "from": None,
            "gaps": [],
        }

    def test_what_the_pipeline_wrote_is_right(self, store: Store) -> None:
        """3 records; 2 minute, slot, hour, day and month totals of each kind, 1 of a user; repeats and refusals change nothing."""
        filled(store)
        store.add(
            at("2026-11-22T11:00:10Z", user_id="u-1", cache_read_input_tokens=4, reasoning_output_tokens=2),
            at("2026-11-22T11:00:20Z", user_id="u-2", input_tokens=7),
            b"not json",
        )
        answer = verify(store.engine)
        assert (answer["ok"], answer["records"], answer["totals_checked"]) == (True, 3, 15)

    @pytest.mark.parametrize("table", [table.name for table in TOTALS_TABLES])
    def test_a_changed_total_is_found_and_nothing_else(self, store: Store, table: str) -> None:
        """Every measure of one row one too many: as many differences, with both numbers and the row's names."""
        filled(store)
        where = "WHERE tenant_key = (SELECT tenant_key FROM tenant WHERE tenant_id = 'acme')"
        [before] = store.rows(f"SELECT {', '.join(MEASURES)} FROM {table} {where}")
        changes = ", ".join(f"{name} = {name} + {k + 1}" for k, name in enumerate(MEASURES))
        assert store.execute(f"UPDATE {table} SET {changes} {where}") == 1
        answer = verify(store.engine)
        assert differences(answer) == [
            (table, name, before[name] + k + 1, before[name]) for k, name in enumerate(MEASURES)
        ]
        assert (answer["ok"], answer["differences_total"]) == (False, len(MEASURES))
        start, begun = {
            "minute_total": ("minute_start", "2026-11-22T11:00:00Z"),
            "factor_hour_total": ("hour_start", "2026-11-22T11:00:00Z"),
            "tenant_day_total": ("day_start", "2026-11-22T00:00:00Z"),
            "factor_day_total": ("day_start", "2026-11-22T00:00:00Z"),
            "day_total": ("day_start", "2026-11-22T00:00:00Z"),
            "month_total": ("month_start", "2026-11-01T00:00:00Z"),
        }.get(table, ("slot_start", "2026-11-22T11:00:00Z"))
        for difference in answer["differences"]:
            assert (difference["key"]["tenant_id"], difference["problem"]) == ("acme", "differs")
            assert difference["key"][start] == begun

    def test_the_smallest_difference_of_one_number_is_found(self, store: Store) -> None:
        """One microgram too little in one total of many."""
        filled(store)
        store.execute("UPDATE slot_total SET carbon_low_ugco2e = carbon_low_ugco2e - 1 WHERE prompts = 2")
        [(table, measure, stored, recomputed)] = differences(verify(store.engine))
        assert (table, measure) == ("slot_total", "carbon_low_ugco2e")
        assert stored is not None
        assert recomputed == stored + 1

    def test_a_missing_total_is_found(self, store: Store) -> None:
        """A deleted row counts as one difference: there ought to be 2 prompts."""
        filled(store)
        assert store.execute("DELETE FROM minute_total WHERE prompts = 2") == 1
        answer = verify(store.engine)
        assert differences(answer) == [("minute_total", "prompts", None, 2)]
        assert answer["differences"][0]["problem"] == "missing"

    @pytest.mark.parametrize("prompts", [0, 5])
    def test_a_total_without_records_is_found_even_when_it_is_zero(self, store: Store, prompts: int) -> None:
        """A row too many, at any time and of any tenant, named or not."""
        filled(store)
        zeros = ", ".join("0" for _ in MEASURES[1:])
        store.execute(f"INSERT INTO minute_total ({', '.join(MINUTES.columns)}) VALUES (77, 600, {prompts}, {zeros})")
        answer = verify(store.engine)
        assert differences(answer) == [("minute_total", "prompts", prompts, None)]
        assert answer["differences"][0]["problem"] == "extra"
        assert answer["differences"][0]["key"] == {"tenant_key": 77, "minute_start": "1970-01-01T00:10:00Z"}

    def test_a_deleted_record_is_found_in_every_total_that_counted_it(self, store: Store) -> None:
        """Its minute, its slot, its day, its user, and the number of records."""
        filled(store)
        assert store.execute("DELETE FROM prompt_record WHERE event_id = '2026-11-22T11:00:10Z'") == 1
        answer = verify(store.engine)
        tables = {row["table"] for row in answer["differences"]}
        assert tables == {*ALL, "kafka_progress"}
        assert ("user_slot_total", "prompts", 1, None) in differences(answer)
        assert ("minute_total", "prompts", 2, 1) in differences(answer)
        assert ("kafka_progress", "recorded", 3, 2) in differences(answer)
        assert answer["records"] == 2

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ("carbon_mid_ugco2e = carbon_mid_ugco2e - 1", ALL),
            ("input_tokens = NULL", ALL),
            ("ended_at_us = ended_at_us + 60000000", {"minute_total"}),
            (
                "ended_at_us = ended_at_us + 3600000000",
                {"minute_total", "slot_total", "user_slot_total", "factor_hour_total"},
            ),
            ("ended_at_us = ended_at_us + 86400000000000", ALL),
            ("attribution_key = attribution_key + 50", {"slot_total", "user_slot_total", "day_total"}),
            ("factor_key = factor_key + 50", ALL - {"minute_total", "tenant_day_total"}),
            ("user_key = NULL", {"user_slot_total"}),
        ],
    )
    def test_a_changed_record_is_found(self, store: Store, change: str, found: set[str]) -> None:
        """In the totals that depend on what was changed, and in no other."""
        filled(store)
        assert store.execute(f"UPDATE prompt_record SET {change} WHERE event_id = '2026-11-22T11:00:10Z'") == 1
        assert {row["table"] for row in verify(store.engine)["differences"]} == found

    def test_events_that_are_not_accounted_for_are_found(self, store: Store) -> None:
        """A partition's events are recorded, known or contradictory; one that is none of these was lost."""
        filled(store)
        store.execute("UPDATE kafka_progress SET events = events + 1")
        answer = verify(store.engine)
        assert differences(answer) == [("kafka_progress", "events", 4, 3)]
        assert answer["differences"][0]["key"] == {"topic": "events", "partition": 0}

    def test_all_differences_are_counted_and_the_first_are_listed(self, store: Store) -> None:
        """150 wrong minutes of two measures each are 300 differences."""
        store.add(*(at(f"2026-11-22T{9 + n // 60:02}:{n % 60:02}:00Z") for n in range(150)))
        store.execute("UPDATE minute_total SET prompts = prompts + 1, output_tokens = output_tokens + 1")
        answer = verify(store.engine)
        assert (len(answer["differences"]), answer["differences_total"]) == (LISTED_MAX, 300)

    def test_a_batch_that_commits_meanwhile_is_seen_as_a_whole_or_not_at_all(self, store: Store) -> None:
        """New batches land between all steps of the verification, and it stays exact."""
        filled(store)
        commits = iter(range(100))

        def commit(_what: str, _done: int, _total: int) -> None:
            store.add(at(f"2026-11-22T11:00:{next(commits):02}.5Z", user_id="u-1"))

        answer = verify(store.engine, commit)
        assert next(commits) >= 3
        assert (answer["ok"], answer["records"]) == (True, 3)
        assert verify(store.engine)["ok"]

    def test_what_retention_dropped_is_left_out_and_the_rest_is_compared(self, store: Store) -> None:
        """After October's records are gone: right as it stands; a total of then is not looked at, one of now is."""
        filled(store)
        drop_records_before(store.engine, datetime(2026, 11, 2, tzinfo=UTC))
        answer = verify(store.engine)
        assert (answer["ok"], answer["records"], answer["from"]) == (True, 2, "2026-11-01T00:00:00Z")
        store.execute("UPDATE slot_total SET prompts = prompts + 1")
        assert differences(verify(store.engine)) == [("slot_total", "prompts", 3, 2)]

    def test_a_start_can_be_given(self, store: Store) -> None:
        """From a moment on, rounded up to the next quarter hour."""
        filled(store)
        store.execute("UPDATE minute_total SET prompts = prompts + 1")
        late = verify(store.engine, horizon=datetime(2026, 11, 22, 11, 0, 1, tzinfo=UTC))
        assert (late["from"], late["records"]) == ("2026-11-22T11:15:00Z", 0)
        early = verify(store.engine, horizon=datetime(2026, 11, 22, 11, 0, 0, tzinfo=UTC))
        assert ("minute_total", "prompts", 3, 2) in differences(early)
        assert not any(row["key"].get("tenant_id") == "globex" for row in early["differences"])

    def test_a_horizon_within_a_day_leaves_that_day_out(self, store: Store) -> None:
        """Its total counts records before the horizon as well; the days after it are compared."""
        store.add(*(at(f"2026-11-{moment}:00Z") for moment in ("22T11:00", "22T12:00", "23T09:00")))
        horizon = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
        assert verify(store.engine, horizon=horizon)["ok"]
        store.execute("UPDATE tenant_day_total SET prompts = prompts + 1")
        assert differences(verify(store.engine, horizon=horizon)) == [("tenant_day_total", "prompts", 2, 1)]

    def test_offsets_that_kafka_never_gave_are_told_and_are_no_difference(self, store: Store) -> None:
        """Compaction and markers leave holes."""
        store.add(at("2026-11-22T11:00:00Z"))
        store.execute("UPDATE kafka_progress SET gaps = 2")
        answer = verify(store.engine)
        assert (answer["ok"], answer["gaps"]) == (True, [{"topic": "events", "partition": 0, "gaps": 2}])

    def test_progress_is_told_step_by_step(self, store: Store) -> None:
        """Steps done only grow, and end at the number of steps."""
        filled(store)
        told: list[tuple[int, int]] = []
        verify(store.engine, lambda _what, done, total: told.append((done, total)))
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == told[-1][1] > 3
