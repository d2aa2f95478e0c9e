"""Retention on every database: old records go once and are never counted again, whatever is in flight; what a clock says
is doubted; and the small tables do not grow for ever."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.instants import epoch_us, rfc3339
from rice_stream.proof.verification import verify
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import StoreUnavailableError, reading, writing
from rice_stream.store.lease import Lease
from rice_stream.store.retention import drop_records_before, drop_what_is_past, move_horizon
from rice_stream.store.retention_state import retention_state
from rice_stream.store.writers import open_writer
from rice_stream.worker import retention as worker_retention
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.retention import Retention, RetentionDays
from tests.support.databases import partitions
from tests.support.fakes import NOON_US, chunk_of, event, fake_pipeline
from tests.support.reports_store import NOON, Store
from tests.support.store_checks import rows_in, tenant_sums
from tests.support.store_running import new_pipeline, progress_of
from tests.support.store_running import store as store_batch

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def old_event(event_id: str = "old", **changes: Any) -> dict[str, Any]:
    """An event of September, which a horizon in October is past."""
    return event(event_id=event_id, ended_at="2026-09-15T12:00:00Z", started_at=None, **changes)


def prompts(engine: Engine) -> int:
    """What the totals say."""
    return sum(sums["prompts"] for sums in tenant_sums(rows_in(engine)).values())


def recorded_ids(engine: Engine) -> list[str]:
    """Ids of the records that are kept."""
    return sorted(row["event_id"] for row in rows_in(engine)("prompt_record"))


class TestBatchesInFlight:
    """The horizon is read in the transaction that records: what it is past is not recorded, and nothing else is lost."""

    def test_an_event_that_was_prepared_again_before_the_horizon_moved_counts_once(self, engine: Engine) -> None:
        pipeline = new_pipeline(engine)
        pipeline.process([chunk_of([old_event()])], NOON_US)
        again = pipeline.prepare([chunk_of([old_event()], offset=1)], NOON_US)
        assert drop_records_before(engine, OCTOBER) == 1
        result = pipeline.commit(again)
        assert (result.recorded, result.duplicates, result.older_than_retention) == (0, 0, 1)
        assert (prompts(engine), recorded_ids(engine)) == (1, [])
        progress = progress_of(engine)
        assert (progress["events"], progress["recorded"], progress["older_than_retention"]) == (1, 1, 1)
        assert verify(engine)["ok"]
        if engine.dialect.name == "postgresql":
            assert partitions(engine) == [], "a month that was dropped is not made again"

    def test_what_is_not_old_of_such_a_batch_is_recorded(self, engine: Engine) -> None:
        """In the same transaction, with the counts of each partition its own."""
        pipeline = new_pipeline(engine)
        chunks = [
            chunk_of([old_event("a"), event(event_id="new"), old_event("b"), old_event("b")]),
            chunk_of([old_event("c"), event(event_id="too")], partition=1),
        ]
        batch = pipeline.prepare(chunks, NOON_US)
        drop_records_before(engine, OCTOBER)
        result = pipeline.commit(batch)
        assert (result.recorded, result.older_than_retention) == (2, 3)
        assert recorded_ids(engine) == ["new", "too"]
        for partition, counts in ((0, (1, 1, 2)), (1, (1, 0, 1))):
            row = progress_of(engine, partition)
            assert (row["recorded"], row["duplicates"], row["older_than_retention"]) == counts
            assert row["events"] == row["recorded"] + row["duplicates"] + row["conflicts"]
        assert verify(engine)["ok"]

    def test_the_horizon_waits_for_a_batch_that_has_read_it(self, engine: Engine) -> None:
        """The batch was not told of it, so its records are there before the month is dropped, and go with it."""
        writer = open_writer(engine)
        pipeline = fake_pipeline(writer, engine)
        original = writer._save_progress
        with ThreadPoolExecutor(1) as pool:
            moving: list[Any] = []

            def move_meanwhile(rows: list[dict[str, Any]], committed_at_us: int) -> None:
                moving.append(pool.submit(move_horizon, engine, epoch_us(OCTOBER)))
                waiting = threading.Event()
                assert not waiting.wait(0.3)
                assert not moving[0].done(), "the horizon moved in the midst of a batch"
                original(rows, committed_at_us)

            writer._save_progress = move_meanwhile  # type: ignore[method-assign]
            assert pipeline.process([chunk_of([old_event()])], NOON_US).recorded == 1
            assert moving[0].result(timeout=30)
        drop_what_is_past(engine)
        assert (prompts(engine), recorded_ids(engine)) == (1, [])
        writer.close()

    def test_deliveries_and_drops_at_the_same_time_count_each_event_at_most_once(self, engine: Engine) -> None:
        """Events of three months are delivered over and over while the horizon moves past two of them: each is in the
        totals once at most, and those of the last month exactly once."""
        events = [
            event(event_id=f"e-{month}-{k}", ended_at=f"2026-{month:02}-15T12:00:{k:02}Z", started_at=None)
            for month in (9, 10, 11)
            for k in range(20)
        ]
        start = threading.Barrier(3)

        def deliver(number: int) -> None:
            random, writer = Random(number), open_writer(engine)
            pipeline = fake_pipeline(writer, engine)
            start.wait(30)
            for _ in range(12):
                batch = pipeline.prepare([chunk_of(random.sample(events, 30), partition=number)], NOON_US)
                for _ in range(20):
                    try:
                        pipeline.commit(batch)
                    except StoreUnavailableError:
                        continue
                    break
            pipeline.process([chunk_of(events, partition=number)], NOON_US)
            writer.close()

        def drop() -> None:
            start.wait(30)
            for moment in (OCTOBER, NOVEMBER):
                drop_records_before(engine, moment)

        with ThreadPoolExecutor(3) as pool:
            for finished in [pool.submit(deliver, 0), pool.submit(deliver, 1), pool.submit(drop)]:
                finished.result(timeout=120)
        drop_what_is_past(engine)
        assert recorded_ids(engine) == sorted(e["event_id"] for e in events if "-11-" in e["event_id"])
        by_day = {row["day_start_s"]: row["prompts"] for row in rows_in(engine)("tenant_day_total")}
        assert by_day[1_794_700_800] == 20
        assert all(count <= 20 for count in by_day.values())
        assert verify(engine)["ok"]

    def test_what_a_run_left_over_is_in_no_comparison_and_goes_with_the_next(self, engine: Engine) -> None:
        """Died after the horizon moved: nothing is counted again, and the records go later."""
        store_batch(engine, chunk_of([old_event(), event()]))
        assert move_horizon(engine, epoch_us(OCTOBER))
        assert not move_horizon(engine, epoch_us(OCTOBER)), "once is enough"
        assert store_batch(engine, chunk_of([old_event()], offset=2)).older_than_retention == 1
        assert verify(engine)["ok"]
        assert drop_what_is_past(engine) == 1
        assert drop_what_is_past(engine) == 0
        assert recorded_ids(engine) == ["e-1"]
        assert verify(engine)["ok"]


class TestKnownOldEvents:
    """Events from before the horizon are an outcome: counted, and no refusal."""

    def test_a_topic_that_reaches_back_further_than_the_ledger_is_read_again(self, store: Store) -> None:
        """1,500 of them: nothing in quarantine, no refused record, and all of them in the counts."""
        old = [old_event(f"e-{k}") for k in range(1_500)]
        store.add(*old)
        drop_records_before(store.engine, OCTOBER)
        batch = store.pipeline.prepare([chunk_of([*old, event()], offset=1_500)], NOON_US)
        [progress] = batch.progress
        assert (progress.records_taken, progress.records_refused, batch.refused) == (1_501, 0, [])
        result = store.pipeline.commit(batch)
        assert (result.recorded, result.quarantined, result.older_than_retention) == (1, 0, 1_500)
        assert store.rows("SELECT COUNT(*) AS n FROM quarantine") == [{"n": 0}]
        assert store.rows("SELECT events, older_than_retention FROM kafka_progress") == [
            {"events": 1_501, "older_than_retention": 1_500}
        ]
        assert verify(store.engine)["ok"]

    def test_they_bring_no_names_back(self, store: Store) -> None:
        """Users whose records are gone do not return with them."""
        drop_records_before(store.engine, OCTOBER)
        store.add(old_event(user_id="gone"), event(user_id="here"))
        assert store.rows("SELECT name FROM principal") == [{"name": "here"}]

    def test_events_of_the_last_month_are_not_taken_after_a_horizon_that_was_wrong(self, store: Store) -> None:
        """A clock in the future dropped everything: what comes again is not counted again, however young it is."""
        store.add(event())
        drop_records_before(store.engine, datetime(2097, 5, 1, tzinfo=UTC))
        assert store.add(event()).older_than_retention == 1
        assert prompts(store.engine) == 1


# --- clocks --------------------------------------------------------------------------------------------------------------


class Clock:
    """The database's clock, as the tests say it is."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.now = moment

    def __call__(self) -> int:
        return epoch_us(self.now)

    def passes(self, **duration: float) -> None:
        """So much later."""
        self.now += timedelta(**duration)


class Runs:
    """Retention of a worker, run by hand."""

    def __init__(self, engine: Engine, **days: Any) -> None:
        self.clock = Clock()
        self.heartbeat = Heartbeat(timeout_s=60)
        kept: dict[str, Any] = {"records": 32, "quarantine": None, "settled": 400, **days}
        self.retention = Retention(engine, RetentionDays(**kept), Telemetry(Metrics(), self.heartbeat), self.clock)
        self._engine = engine

    def once(self, **later: float) -> None:
        """A run, so much after the last."""
        self.clock.passes(**later)
        self.retention.once()

    @property
    def horizon(self) -> str:
        """As it stands."""
        with reading(self._engine) as connection:
            return rfc3339(retention_state(connection).records_from_us)

    @property
    def problem(self) -> str | None:
        """Why it is not ready, on account of retention."""
        return self.heartbeat._problems.get("retention")


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Records of September and of today."""
    store_batch(engine, chunk_of([old_event(), event()]))
    return engine


class TestClocks:
    """What is dropped is gone for good, so a clock is believed only as far as the ledger and the last run agree."""

    def test_a_move_is_announced_a_run_ahead(self, filled: Engine, caplog: pytest.LogCaptureFixture) -> None:
        runs = Runs(filled)
        with caplog.at_level(logging.WARNING):
            runs.once()
        assert "records from before 2026-10-01T00:00:00Z will be dropped" in caplog.text
        assert recorded_ids(filled) == ["e-1", "old"]
        runs.once(minutes=10)
        assert recorded_ids(filled) == ["e-1", "old"], "another worker's run is no second one"
        runs.once(minutes=50)
        assert (recorded_ids(filled), runs.horizon) == (["e-1"], "2026-10-01T00:00:00Z")
        assert runs.problem is None
        runs.once(hours=1)
        assert verify(filled)["ok"]

    @pytest.mark.parametrize("years", [2, -2, 73])
    def test_a_clock_that_jumps_drops_nothing_and_is_told(self, filled: Engine, years: int) -> None:
        """Two years ahead, two years back, in 2099: not ready, nothing dropped; right again, all goes on by itself."""
        runs = Runs(filled, quarantine=1)
        runs.once()
        right = runs.clock.now
        for _ in range(3):
            runs.once(hours=1, days=365 * years)
            assert runs.problem is not None
            assert f"RICE_RETENTION_CLOCK_CONFIRMED={runs.clock.now.date()}" in runs.problem
            runs.clock.now -= timedelta(days=365 * years)
        assert recorded_ids(filled) == ["e-1", "old"]
        runs.clock.now = right
        runs.once(hours=1)
        assert not runs.problem
        assert recorded_ids(filled) == ["e-1"]

    def test_a_clock_that_was_wrong_from_the_start_never_gets_past_the_ledger(self, filled: Engine) -> None:
        """The first run of all has nothing to compare with but what the ledger has seen: its latest event and commit."""
        runs = Runs(filled)
        runs.clock.now = datetime(2099, 1, 1, tzinfo=UTC)
        for _ in range(5):
            runs.once(hours=1)
        assert (recorded_ids(filled), runs.horizon) == (["e-1"], "2026-10-01T00:00:00Z")

    @pytest.mark.parametrize("column", ["committed_at_us", "day_start_s"])
    def test_neither_commits_nor_events_of_the_future_move_it(self, filled: Engine, column: str) -> None:
        """One worker's clock, or one sender's: the other witnesses say otherwise."""
        far = datetime(2099, 1, 1, tzinfo=UTC)
        with writing(filled) as connection:
            if column == "committed_at_us":
                connection.execute(text("UPDATE kafka_progress SET committed_at_us = :far"), {"far": epoch_us(far)})
            else:
                query = "UPDATE tenant_day_total SET day_start_s = :far WHERE day_start_s > 1795000000"
                connection.execute(text(query), {"far": int(far.timestamp()) // 86_400 * 86_400})
        runs = Runs(filled)
        for _ in range(4):
            runs.once(hours=1)
        assert (recorded_ids(filled), runs.horizon) == (["e-1"], "2026-10-01T00:00:00Z")

    def test_after_weeks_without_a_worker_somebody_confirms_the_date(self, filled: Engine) -> None:
        """Then retention goes on, with its announcement."""
        Runs(filled).once()
        late = datetime(2027, 2, 1, 12, tzinfo=UTC)
        runs = Runs(filled)
        runs.clock.now = late
        runs.once()
        assert runs.problem is not None
        wrong = Runs(filled, clock_confirmed=date(2027, 1, 20))
        wrong.clock.now = late
        wrong.once()
        assert wrong.problem is not None
        confirmed = Runs(filled, clock_confirmed=date(2027, 2, 1))
        confirmed.clock.now = late
        confirmed.once()
        assert confirmed.problem is None
        runs.once(hours=1)
        assert not runs.problem
        assert recorded_ids(filled) == ["e-1"]

    def test_an_empty_or_idle_ledger_loses_nothing(self, engine: Engine) -> None:
        """Nothing was committed for months: the horizon stays where the latest commit leaves it."""
        runs = Runs(engine)
        runs.once()
        store_batch(engine, chunk_of([event()]))
        for _ in range(100):
            runs.once(days=2)
        assert runs.problem is None
        assert recorded_ids(engine) == ["e-1"]

    def test_records_are_kept_for_ever_unless_told_otherwise(self, filled: Engine) -> None:
        runs = Runs(filled, records=None)
        for _ in range(3):
            runs.once(hours=1)
        assert (recorded_ids(filled), runs.horizon) == (["e-1", "old"], "1970-01-01T00:00:00Z")

    def test_a_horizon_in_the_future_is_told_with_what_to_do(self, filled: Engine) -> None:
        """An earlier version believed a clock in 2099: nothing new is recorded until somebody sets the horizon right, and
        then nothing is counted twice."""
        move_horizon(filled, epoch_us(datetime(2097, 5, 1, tzinfo=UTC)))
        runs = Runs(filled)
        runs.once()
        mend = str(runs.problem).partition("in the database: ")[2].partition(";")[0]
        with writing(filled) as connection:
            connection.execute(text(mend))
        runs.once(hours=1)
        assert runs.problem is None
        result = store_batch(filled, chunk_of([old_event(), event(event_id="new", ended_at="2026-11-22T12:30:00Z")]))
        assert (result.recorded, result.older_than_retention) == (1, 1)
        assert verify(filled)["ok"]

    def test_one_worker_at_a_time_runs_it(self, filled: Engine) -> None:
        """Another that is at it has the lease; when it is gone, the next run takes over."""
        runs = Runs(filled)
        other = Lease(filled, "drop what is old", "another worker", seconds=60)
        assert other.acquire(runs.clock())
        runs.once()
        with reading(filled) as connection:
            assert retention_state(connection).run_at_us is None
        other.release()
        runs.once()
        with reading(filled) as connection:
            assert retention_state(connection).run_at_us == runs.clock()

    def test_a_database_that_does_not_let_it_drop_stops_no_worker(
        self, filled: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A role without the right to drop partitions, a constraint of somebody's: not ready, and all else goes on."""

        def not_allowed(engine: Engine) -> int:
            with writing(engine) as connection:
                return connection.execute(text("INSERT INTO retention (id, records_from_us) VALUES (2, 0)")).rowcount

        monkeypatch.setattr(worker_retention, "drop_what_is_past", not_allowed)
        runs = Runs(filled)

        async def run() -> None:
            task = asyncio.create_task(runs.retention.run())
            async with asyncio.timeout(30):
                while runs.problem is None:
                    await asyncio.sleep(0)
            assert not task.done()
            task.cancel()

        asyncio.run(run())
        assert "single_row" in str(runs.problem)

    def test_the_database_tells_its_time(self, engine: Engine) -> None:
        """Within a minute of this machine's, on which it runs."""
        with reading(engine) as connection:
            assert abs(database_now_us(connection) - epoch_us(datetime.now(UTC))) < 60_000_000
