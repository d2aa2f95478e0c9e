"""A backlog of large records goes in batches of as many events as one of small records. Their bytes are let go meanwhile, and
where they turn out to be needed they are fetched again: every event is stored once, and acknowledged after that."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from rice_stream.events.kept_values import KeptRecord
from rice_stream.pipeline.chunks import Chunk, Place
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.failures import NotStorableError
from rice_stream.store.identity_rules import RulesChangedError
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import Intake, fetched_chunk
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from rice_stream.worker.sized_records import bytes_of
from tests.simulation.clock import VirtualExecutor, VirtualLoop
from tests.support.databases import SqliteDatabases
from tests.support.fakes import NOON_US, chunk_of, event
from tests.support.reports_store import Store, open_store

CHUNKS, OF_EACH, EVENTS_MAX = 20, 10, 160
_METRICS = Metrics()


@pytest.fixture
def store(sqlite: SqliteDatabases) -> Iterator[Store]:
    with open_store(sqlite.migrated()) as opened:
        yield opened


class Backlog:
    """A partition of chunks that waits for a batch loop on a virtual clock, which has room for the bytes of two of them."""

    def __init__(self, store: Store, *, odd_of_each: int = 0, apart_s: float = 0.0) -> None:
        """`odd_of_each`: so many records of each chunk are no events; `apart_s`: so long each chunk takes to be fetched."""
        self.loop = VirtualLoop()
        self.recorded: list[int] = []
        """Events of each commit."""
        self.quarantined: list[int] = []
        self.acknowledged: list[int] = []
        """Numbers of chunks, in order."""
        self.read_again = 0
        self.store = store
        self._chunks = [self._chunk(number, odd_of_each) for number in range(CHUNKS)]
        self._intake = Intake(events_max=EVENTS_MAX, bytes_max=2 * bytes_of(self._chunks[0].records))
        self._at = 0
        self._apart_s = apart_s

    def _chunk(self, number: int, odd: int) -> Chunk:
        events: list[Any] = [event(event_id=f"e-{number}-{each}", padding="." * 500) for each in range(OF_EACH)]
        events[:odd] = [b"no event " + b"." * 500] * odd
        chunk = chunk_of(events, offset=number * OF_EACH)
        fetched: Any = [KeptRecord(one.offset, NOON_US // 1000, 0, None, one.value) for one in chunk.records]
        return replace(chunk, records=fetched)

    def run(self) -> None:
        """Until all of it is acknowledged."""
        try:
            self.loop.run_until_complete(asyncio.wait_for(self._both(), 600))
        finally:
            self.loop.close()

    async def _both(self) -> None:
        running = asyncio.create_task(self._batches().run())
        while len(self.acknowledged) < CHUNKS and not running.done():
            if self._at < CHUNKS:
                number, era = self._at, self.read_again
                self._at += 1
                is_void = lambda era=era: era != self.read_again  # noqa: E731
                await asyncio.sleep(self._apart_s)
                await self._intake.put(
                    fetched_chunk(self._chunks[number], partial(self._acknowledge, number, is_void), is_void)
                )
            else:
                await asyncio.sleep(0.01)
        await self._intake.close()
        await running

    def _acknowledge(self, number: int, is_void: Any) -> None:
        if not is_void():
            self.acknowledged.append(number)

    def _set_aside(self, _place: Place, seconds: float) -> None:
        assert seconds == 0.0
        self.read_again += 1
        self._at = len(self.acknowledged)

    def _on_commit(self, result: CommitResult) -> None:
        self.recorded.append(result.recorded)
        self.quarantined.append(result.quarantined)

    def _batches(self) -> BatchLoop:
        batches = BatchLoop(
            self._intake,
            self.store.pipeline,
            Telemetry(_METRICS, Heartbeat(timeout_s=60)),
            guard=PartitionGuard(ratio_max=1.0, records_min=1_000_000, clock=time.monotonic, has_good=True),
            set_aside=self._set_aside,
            times=BatchTimes(lambda: 0.1, 30.0),
            on_commit=self._on_commit,
            now_us=lambda: NOON_US,
        )
        for name in ("_prepare_thread", "_commit_thread"):
            getattr(batches, name).shutdown()
            setattr(batches, name, VirtualExecutor(self.loop, Random(1), 0.001))
        return batches

    def stored(self, query: str) -> int:
        with reading(self.store.engine) as connection:
            return int(connection.scalar(text(query)) or 0)


def test_batches_are_full_by_their_events_and_not_by_the_bytes_these_came_in(store: Store) -> None:
    backlog = Backlog(store)
    backlog.run()
    assert max(backlog.recorded) >= EVENTS_MAX / 2 > 2 * OF_EACH, "two chunks are as many bytes as wait at a time"
    assert sum(backlog.recorded) == CHUNKS * OF_EACH
    assert backlog.acknowledged == list(range(CHUNKS))
    assert backlog.stored("SELECT last_offset FROM kafka_progress") == CHUNKS * OF_EACH - 1
    assert not backlog.read_again


def test_batches_are_as_full_where_records_are_fetched_no_faster_than_they_are_decoded(store: Store) -> None:
    """Nothing waits then that would say that more comes."""
    backlog = Backlog(store, apart_s=0.015)
    backlog.run()
    assert max(backlog.recorded) >= EVENTS_MAX / 2
    assert sum(backlog.recorded) == CHUNKS * OF_EACH
    assert backlog.acknowledged == list(range(CHUNKS))


def test_what_is_no_backlog_does_not_wait_for_what_comes_later(store: Store) -> None:
    backlog = Backlog(store, apart_s=0.2)
    backlog.run()
    assert backlog.recorded == [OF_EACH] * CHUNKS


def test_of_odd_records_the_bytes_are_kept_for_the_quarantine(store: Store) -> None:
    backlog = Backlog(store, odd_of_each=1)
    backlog.run()
    assert sum(backlog.recorded) == CHUNKS * (OF_EACH - 1)
    assert backlog.stored("SELECT COUNT(*) FROM quarantine") == CHUNKS
    assert backlog.stored("SELECT COUNT(*) FROM quarantine WHERE reason = 'not_json'") == CHUNKS
    assert backlog.stored("SELECT SUM(gaps) FROM kafka_progress") == 0


def test_where_most_is_refused_batches_hold_no_more_bytes_than_wait(store: Store) -> None:
    """Whose bytes are kept until they are in quarantine."""
    backlog = Backlog(store, odd_of_each=9)
    backlog.run()
    assert max(backlog.quarantined) <= 2 * 9 + 9
    assert sum(backlog.quarantined) == CHUNKS * 9
    assert backlog.acknowledged == list(range(CHUNKS))


@pytest.mark.parametrize("error", [RulesChangedError("changed"), NotStorableError(OverflowError())])
def test_a_batch_that_cannot_be_stored_as_it_is_is_fetched_again(
    store: Store, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its records are taken apart then, as their bytes are there: one that the database refuses is refused, its neighbours are
    stored."""
    commit, poison = store.pipeline.commit, b"e-12-7"
    told: list[Batch] = []

    def refuses(batch: Batch) -> CommitResult:
        held = [bytes(one) for one in batch.records.event_ids]
        if poison in held and (isinstance(error, NotStorableError) or not told):
            told.append(batch)
            raise error
        return commit(batch)

    monkeypatch.setattr(store.pipeline, "commit", refuses)
    backlog = Backlog(store)
    backlog.run()
    lost = 1 if isinstance(error, NotStorableError) else 0
    assert len(told[0].records.event_ids) > 2 * OF_EACH
    assert backlog.read_again >= 1
    assert backlog.acknowledged == list(range(CHUNKS))
    assert sum(backlog.recorded) == backlog.stored("SELECT COUNT(*) FROM prompt_record") == CHUNKS * OF_EACH - lost
    assert backlog.stored("SELECT COUNT(*) FROM quarantine") == lost
    assert backlog.stored("SELECT SUM(gaps) FROM kafka_progress") == 0


def test_a_store_that_is_away_while_names_are_learnt_costs_nothing_but_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, calls = store.pipeline.add, iter(range(1_000))

    def away(*arguments: Any, **named: Any) -> Any:
        if next(calls) % 3 == 1:
            raise StoreUnavailableError("away")
        return add(*arguments, **named)

    monkeypatch.setattr(store.pipeline, "add", away)
    backlog = Backlog(store)
    backlog.run()
    assert sum(backlog.recorded) == CHUNKS * OF_EACH
    assert backlog.acknowledged == list(range(CHUNKS))
    assert not backlog.read_again
