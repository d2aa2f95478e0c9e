"""`rebuild`: whatever was done to totals, they are what their records add up to again, beside workers, and nothing else changes."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.meter.amounts import Totals
from rice_stream.proof import rebuild as rebuilding
from rice_stream.proof.rebuild import Rebuild, rebuild, whole_days
from rice_stream.proof.verification import verify
from rice_stream.quantities import MEASURES
from rice_stream.store import postgres, totals_repair, writer
from rice_stream.store.batch import Records, totals_of
from rice_stream.store.budget_store import save_budget
from rice_stream.store.engine import writing
from rice_stream.store.retention import drop_records_before
from rice_stream.store.revisions import SchemaChangedError
from rice_stream.store.totals_tables import MINUTES, SLOTS, TOTALS_TABLES, USER_SLOTS, TotalsTable
from rice_stream.store.watching import watch_user
from rice_stream.store.writers import open_writer
from tests.support.damage import DAMAGES, damage_totals
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event, fake_pipeline
from tests.support.reports_store import NOON, Store, at
from tests.support.store_checks import TABLES, assert_exact, rows_in, stored_totals

TABLE_NAMES = [table.name for table in TOTALS_TABLES]
BY_NAME = {table.name: table for table in TOTALS_TABLES}


def filled(store: Store) -> Store:
    """Three days, two tenants, a watched user."""
    watch_user(store.engine, "acme", "u-1")
    store.add(
        at("2026-11-20T23:59:59.9Z", user_id="u-1"),
        at("2026-11-21T00:00:00Z", user_id="u-1", cache_read_input_tokens=4),
        at("2026-11-21T10:00:00Z", user_id="u-2", input_tokens=None),
        at("2026-11-22T11:00:00Z", tenant_id="globex", team_id=..., request_model="big"),
        at("2026-11-22T11:00:20Z", user_id="u-1"),
    )
    return store


def all_totals(store: Store) -> dict[str, Any]:
    """Every totals table, as stored."""
    return {name: stored_totals(rows_in(store.engine), name) for name in TABLES}


def add_to(store: Store, table: str, more: str = "") -> int:
    """One prompt too many in every row of a table, or in some of them."""
    return store.execute(f"UPDATE {table} SET prompts = prompts + 1 {more}")


def answer_of(answer: dict[str, Any], table: str) -> tuple[int, int, int, int]:
    """(missing, extra, differs, rows_rebuilt) of a table."""
    [row] = [row for row in answer["tables"] if row["table"] == table]
    return row["missing"], row["extra"], row["differs"], row["rows_rebuilt"]


class TestRebuild:
    """On every database."""

    def test_right_totals_are_left_alone(self, store: Store) -> None:
        """Also where there are none."""
        for _ in range(2):
            answer = rebuild(store.engine, by=OPERATOR)
            assert (answer["ok"], answer["rows_rebuilt"], answer["differences_before"]) == (True, 0, 0)
            assert [row["table"] for row in answer["tables"]] == TABLE_NAMES
            filled(store)
        assert_exact(rows_in(store.engine))

    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("table", TOTALS_TABLES, ids=TABLE_NAMES)
    def test_every_damage_to_every_table_is_put_right(self, store: Store, table: TotalsTable, damage: str) -> None:
        """Rows missing, added, emptied, or with other numbers."""
        right = all_totals(filled(store))
        damage_totals(store.engine, table, damage, Random(1))
        assert not verify(store.engine)["ok"]
        answer = rebuild(store.engine, by=OPERATOR)
        assert answer["ok"]
        assert answer["rows_rebuilt"] == answer["differences_before"] == sum(answer_of(answer, table.name)[:3]) > 0
        assert verify(store.engine)["ok"]
        assert all_totals(store) == right

    def test_what_was_wrong_is_counted_by_table(self, store: Store) -> None:
        """One row missing, one too many, one other, each in its own table."""
        filled(store)
        store.execute("DELETE FROM slot_total WHERE prompts = 2 OR slot_start_s = 1795345200")
        store.execute(
            f"INSERT INTO minute_total ({', '.join(MINUTES.columns)}) VALUES (77, 600, 3, {', '.join('0' for _ in MEASURES[1:])})"
        )
        add_to(store, "tenant_day_total", "WHERE day_start_s = 1795132800")
        answer = rebuild(store.engine, by=OPERATOR)
        assert answer_of(answer, "slot_total") == (2, 0, 0, 2)
        assert answer_of(answer, "minute_total") == (0, 1, 0, 1)
        assert answer_of(answer, "tenant_day_total") == (0, 0, 1, 1)
        assert answer["differences_before"] == 4
        assert_exact(rows_in(store.engine))

    def test_the_largest_numbers_are_put_right(self, store: Store) -> None:
        """Totals at the end of what a column holds."""
        filled(store)
        store.execute(f"UPDATE day_total SET carbon_high_ugco2e = {2**63 - 1}, prompts = {2**62}")
        assert rebuild(store.engine, by=OPERATOR)["ok"]
        assert_exact(rows_in(store.engine))

    def test_a_dry_run_counts_and_changes_nothing(self, store: Store) -> None:
        """What it counts is what a run then puts right."""
        filled(store)
        add_to(store, "slot_total")
        before = all_totals(store)
        dry = rebuild(store.engine, by=OPERATOR, dry_run=True)
        assert (dry["ok"], dry["rows_rebuilt"], dry["dry_run"]) == (False, 0, True)
        assert all_totals(store) == before
        assert rebuild(store.engine, by=OPERATOR)["rows_rebuilt"] == dry["differences_before"] > 0

    def test_a_stretch_is_widened_to_whole_days_and_nothing_outside_is_touched(self, store: Store) -> None:
        """From the day that --from lies in to the end of that in which --to lies; days are of UTC."""
        filled(store)
        for table in TABLE_NAMES:
            add_to(store, table)
        noon, evening = (datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (12, 18))
        answer = rebuild(store.engine, by=OPERATOR, start=noon, end=evening)
        assert (answer["from"], answer["to"]) == ("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")
        found = verify(store.engine)
        left = {(row["table"], day_of(row["key"])) for row in found["differences"]}
        by_day = [table for table in TABLE_NAMES if table != "month_total"]  # the month that they lie in is whole
        assert left == {(table, day) for table in by_day for day in ("2026-11-20", "2026-11-22")}
        assert rebuild(store.engine, by=OPERATOR, start=evening, end=NOON, tenant_id="globex")["ok"]
        assert verify(store.engine)["differences_total"] == found["differences_total"] - 6, (
            "its minute, slot, hour and days"
        )

    def test_one_tenant_alone(self, store: Store) -> None:
        """The others' totals stay as wrong as they were."""
        filled(store)
        for table in TABLE_NAMES:
            add_to(store, table)
        answer = rebuild(store.engine, by=OPERATOR, tenant_id="globex")
        assert answer["ok"]
        assert answer["rows_rebuilt"] == 7, "the tenant has no watched user"
        left = verify(store.engine)["differences"]
        assert {row["key"]["tenant_id"] for row in left} == {"acme"}

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"tenant_id": "nobody"}, "--tenant nobody"),
            ({"start": NOON, "end": datetime(2026, 11, 21, tzinfo=UTC)}, "--from must be earlier than --to"),
        ],
        ids=["no such tenant", "the wrong way round"],
    )
    def test_what_cannot_be_rebuilt_is_refused(self, store: Store, asked: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            rebuild(filled(store).engine, by=OPERATOR, **asked)

    @pytest.mark.parametrize("taken", range(14))
    def test_a_run_that_is_cut_short_leaves_whole_corrections_and_the_next_finishes(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, taken: int
    ) -> None:
        """After any of its steps."""
        monkeypatch.setattr(rebuilding, "ROWS_MAX", 1)
        right = all_totals(filled(store))
        for table in TOTALS_TABLES:
            damage_totals(store.engine, table, "numbers changed", Random(2))
            damage_totals(store.engine, table, "row deleted", Random(3))
        run = Rebuild(store.engine, whole_days(store.engine, None, None, None), OPERATOR).steps()
        for _ in zip(range(taken), run, strict=False):
            pass
        run.close()  # type: ignore[attr-defined]
        for name, rows in all_totals(store).items():
            for key, sums in rows.items():
                assert key in right[name], "no row without records is ever left in between"
                assert len(sums) == len(MEASURES)
        assert rebuild(store.engine, by=OPERATOR)["ok"]
        assert all_totals(store) == right

    def test_totals_whose_records_retention_has_dropped_stay(self, store: Store) -> None:
        """Also rows with the keys 0, which stand for records that were dropped before totals became finer; and a stretch
        that lies before the horizon altogether is refused."""
        watch_user(store.engine, "acme", "u-1")
        store.add(at("2026-09-30T10:00:00Z", user_id="u-1"), at("2026-11-01T00:00:00Z", user_id="u-1"))
        drop_records_before(store.engine, datetime(2026, 11, 15, tzinfo=UTC))
        store.execute("UPDATE user_slot_total SET attribution_key = 0, factor_key = 0 WHERE slot_start_s < 1793491200")
        right = all_totals(store)
        for table in TABLE_NAMES:
            start = BY_NAME[table].start
            assert add_to(store, table, f"WHERE {start} >= 1793491200") == 1
        answer = rebuild(store.engine, by=OPERATOR)
        assert (answer["ok"], answer["rows_rebuilt"]) == (True, len(TABLE_NAMES))
        assert answer["from"] == answer["records_from"] == "2026-11-01T00:00:00Z"
        assert all_totals(store) == right
        with pytest.raises(UsageError, match="2026-11-01T00:00:00Z have been dropped by retention"):
            rebuild(store.engine, by=OPERATOR, end=datetime(2026, 11, 1, tzinfo=UTC))

    def test_retention_that_drops_records_in_the_middle_of_a_run_costs_no_total(self, store: Store) -> None:
        """Between finding and correcting, and before finding."""
        store.add(at("2026-09-30T10:00:00Z"), at("2026-11-01T00:00:00Z"))
        for table in TABLE_NAMES:
            add_to(store, table)
        before = all_totals(store)
        run = Rebuild(store.engine, whole_days(store.engine, None, None, None), OPERATOR).steps()
        for what, _, _ in run:
            if what.startswith("correcting"):
                break
        drop_records_before(store.engine, datetime(2026, 11, 15, tzinfo=UTC))
        for _ in run:
            pass
        kept = {key: sums for rows in all_totals(store).values() for key, sums in rows.items() if key[1] < 1793491200}
        assert kept == {key: sums for rows in before.values() for key, sums in rows.items() if key[1] < 1793491200}
        # Prompts of before the horizon were one too many, and are for ever; all totals after it are right.
        assert [row["table"] for row in verify(store.engine)["differences"]] == ["kafka_progress"]

    def test_beside_a_worker_that_commits_all_the_time_totals_are_exact(self, store: Store) -> None:
        """Damage and repair again and again, in the same rows that batches add to."""
        watch_user(store.engine, "acme", "u-1")
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            worker = pool.submit(commit_until, store.engine, stop)
            random = Random(5)
            for user in ("u-1", "u-2", "u-1", "u-2"):
                for table in TOTALS_TABLES:
                    damage_totals(store.engine, table, random.choice(DAMAGES), random)
                watch_user(store.engine, random.choice(["acme", "globex"]), user)
                assert rebuild(store.engine, by=OPERATOR)["ok"]
            stop.set()
            batches = worker.result()
        assert batches > 4
        assert rebuild(store.engine, by=OPERATOR)["differences_before"] == 0
        assert_exact(rows_in(store.engine))

    def test_what_a_worker_that_knew_an_older_schema_left_out_is_made_good(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One from before there were totals of days, beside one that keeps them; and the latter goes on."""

        def without_days(records: Records, watched: Collection[tuple[int, int]]) -> dict[TotalsTable, Totals]:
            return {
                table: sums
                for table, sums in totals_of(records, watched).items()
                if table in (MINUTES, SLOTS, USER_SLOTS)
            }

        store.add(at("2026-11-22T10:00:00Z"))
        with monkeypatch.context() as old:
            for module in (postgres, writer):
                old.setattr(module, "totals_of", without_days)
            filled(store)
        store.add(at("2026-11-22T11:30:00Z"), at("2026-11-21T11:30:00Z", tenant_id="globex"))
        assert {row["table"] for row in verify(store.engine)["differences"]} == {
            *("factor_hour_total", "tenant_day_total", "day_total", "factor_day_total", "month_total")
        }
        assert rebuild(store.engine, by=OPERATOR)["ok"]
        store.add(at("2026-11-22T11:40:00Z"))
        assert verify(store.engine)["ok"]
        assert_exact(rows_in(store.engine))

    def test_two_runs_at_a_time_correct_nothing_twice(self, store: Store) -> None:
        """What one has put right is right for the other."""
        right = all_totals(filled(store))
        for _ in range(5):
            for table in TOTALS_TABLES:
                damage_totals(store.engine, table, "numbers changed", Random(7))
            with ThreadPoolExecutor(2) as pool:
                answers = [run.result() for run in [pool.submit(rebuild, store.engine, by=OPERATOR) for _ in range(2)]]
            assert all(answer["ok"] for answer in answers)
            assert all_totals(store) == right

    def test_another_schema_ends_it_with_what_to_do(self, store: Store) -> None:
        """A newer version may have other totals."""
        filled(store)
        add_to(store, "minute_total")
        before = all_totals(store)
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaChangedError, match="schema 9999, this version works with"):
            rebuild(store.engine, by=OPERATOR)
        assert all_totals(store) == before

    def test_a_damage_that_goes_on_is_told(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """`ok` is what a second recount found, not a hope."""
        filled(store)
        add_to(store, "minute_total")

        def correct_and_damage(engine: Engine, *arguments: Any, **named: Any) -> int:
            corrected = totals_repair.correct_day(engine, *arguments, **named)
            add_to(store, "minute_total")
            return corrected

        monkeypatch.setattr(rebuilding, "correct_day", correct_and_damage)
        assert rebuild(store.engine, by=OPERATOR)["ok"] is False

    def test_budgets_follow_at_the_next_judgement(self, store: Store) -> None:
        """What was exceeded by wrong totals alone is resolved, and announced."""
        filled(store)
        budget = parse_budget({"name": "b", "tenant_id": "acme", "limit_gco2e": 1_000, "period": "month"})
        with writing(store.engine) as connection:
            save_budget(connection, budget, NOON_US)
        judge = Judge(store.engine)
        judge.judge_all(NOON)
        assert states(store) == []
        for table in ("minute_total", "tenant_day_total"):
            store.execute(f"UPDATE {table} SET carbon_mid_ugco2e = carbon_mid_ugco2e + 2000000000")
        judge.judge_all(NOON)
        assert set(states(store)) == {"warning", "exceeded"}
        rebuild(store.engine, by=OPERATOR)
        judge.judge_all(NOON)
        assert states(store)[-1] == "resolved"
        [row] = rows_in(store.engine)("budget_state")
        assert '"active": []' in row["state"]


def day_of(key: dict[str, Any]) -> str:
    """The day of a difference's bucket."""
    return next(str(value)[:10] for name, value in key.items() if name.endswith("_start"))


def states(store: Store) -> list[str]:
    """States of all alerts, in their order."""
    return [row["state"] for row in sorted(rows_in(store.engine)("alert"), key=lambda row: row["sequence"])]


def commit_until(engine: Engine, stop: threading.Event) -> int:
    """Commit batches of new events of a few minutes, users and models; returns how many."""
    writer = open_writer(engine)
    pipeline = fake_pipeline(writer, engine)
    random = Random(11)
    batches = 0
    try:
        while not stop.is_set():
            events = [
                event(
                    event_id=f"e-{batches}-{k}",
                    ended_at=f"2026-11-2{random.randrange(1, 3)}T1{random.randrange(3)}:0{random.randrange(3)}:00Z",
                    started_at=...,
                    user_id=random.choice(["u-1", "u-2"]),
                    request_model=random.choice(["small", "big"]),
                    tenant_id=random.choice(["acme", "globex"]),
                )
                for k in range(20)
            ]
            pipeline.process([chunk_of(events, offset=batches * 20)], NOON_US)
            batches += 1
    finally:
        writer.close()
    return batches
