"""Chunks wait for more of their batch only where no alert can wait for them; what is stored is the same."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.pipeline.chunks import Chunk
from rice_stream.store.batch import CommitResult
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import Intake, fetched_chunk
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from tests.simulation.clock import VirtualExecutor, VirtualLoop
from tests.support.databases import SqliteDatabases
from tests.support.fakes import CARBON_UGCO2E_PER_TOKEN, NOON_US, OPERATOR, chunk_of, event
from tests.support.reports_store import Store, open_store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FETCH_S, BATCH_S = 0.4, 1.0
_METRICS = Metrics()


@pytest.fixture
def store(sqlite: SqliteDatabases) -> Iterator[Store]:
    """A ledger in which acme is told at 100 events of 20 weighted tokens."""
    with open_store(sqlite.migrated()) as opened:
        grams = 100 * 20 * CARBON_UGCO2E_PER_TOKEN / 1e6
        wanted = {"name": "day", "tenant_id": "acme", "limit_gco2e": grams, "period": "day", "thresholds": [1.0]}
        set_budgets(opened.engine, [parse_budget(wanted)], NOON_US, OPERATOR)
        yield opened


class Fed:
    """A batch loop on a virtual clock that is given fetches, one every FETCH_S; budgets are judged after each commit."""

    def __init__(self, store: Store, *, is_alone: Callable[[], bool] = lambda: True) -> None:
        self.loop = VirtualLoop()
        self.batches: list[tuple[float, int]] = []
        """When each was committed, and how many events it recorded."""
        self.acknowledged: list[int] = []
        self._store = store
        self._judge = Judge(store.engine)
        self._headroom = Headroom(lambda: NOON, is_alone)
        self._intake = Intake(events_max=1_000)
        self._offset = 0

    def run(self, *fetches: list[int]) -> None:
        """Each fetch is a list of how many input tokens its events have."""
        try:
            self.loop.run_until_complete(self._both(fetches))
        finally:
            self.loop.close()

    async def _both(self, fetches: tuple[list[int], ...]) -> None:
        running = asyncio.create_task(self._batches().run())
        self._judged()
        for tokens in fetches:
            await self._intake.put(fetched_chunk(self._chunk(tokens), self._acknowledge(self._offset)))
            await asyncio.sleep(FETCH_S)
        await asyncio.sleep(2 * BATCH_S)
        await self._intake.close()
        await running

    def _acknowledge(self, end: int) -> Callable[[], None]:
        return lambda: self.acknowledged.append(end)

    def _chunk(self, tokens: list[int]) -> Chunk:
        events = [
            event(event_id=f"e-{self._offset + number}", input_tokens=count, output_tokens=0)
            for number, count in enumerate(tokens)
        ]
        chunk = chunk_of(events, offset=self._offset)
        self._offset += len(tokens)
        return chunk

    def _judged(self) -> None:
        begun = self._headroom.judging(of_all_tenants=True)
        self._headroom.judged(begun, self._judge.judge_all(NOON).rooms, of_all_tenants=True)

    def _on_commit(self, result: CommitResult) -> None:
        self.batches.append((round(self.loop.time(), 1), result.recorded))
        self._judged()

    def _batches(self) -> BatchLoop:
        batches = BatchLoop(
            self._intake,
            self._store.pipeline,
            Telemetry(_METRICS, Heartbeat(timeout_s=60)),
            guard=PartitionGuard(ratio_max=1.0, records_min=1_000_000, clock=time.monotonic),
            set_aside=lambda _place, _seconds: None,
            times=BatchTimes(lambda: FETCH_S, 1.0, lambda: BATCH_S),
            on_commit=self._on_commit,
            now_us=lambda: NOON_US,
            headroom=self._headroom,
        )
        for name in ("_prepare_thread", "_commit_thread"):
            getattr(batches, name).shutdown()
            setattr(batches, name, VirtualExecutor(self.loop, Random(1), 0.001))
        return batches


@pytest.mark.parametrize(
    ("tokens", "batches"),
    [(1_940, [(0.0, 1), (0.8, 2), (1.2, 1), (2.0, 2)]), (1_939, [(0.0, 1), (0.8, 2), (1.6, 2), (2.6, 1)])],
)
def test_what_is_far_from_every_threshold_goes_by_two_fetches_and_what_may_cross_one_goes_at_once(
    store: Store, tokens: int, batches: list[tuple[float, int]]
) -> None:
    """Of 2,000 tokens 60 are used when the fourth fetch comes. What comes after a quiet while goes at once."""
    fed = Fed(store)
    fed.run([20], [20], [20], [tokens], [0], [0])
    assert fed.batches == batches


def test_what_waits_is_stored_in_time_though_nothing_follows_and_acknowledged_after_that(store: Store) -> None:
    fed = Fed(store)
    fed.run([20], [20])
    assert fed.batches == [(0.0, 1), (1.0, 1)]
    assert fed.acknowledged == [1, 2]


def test_beside_another_worker_nothing_waits(store: Store) -> None:
    fed = Fed(store, is_alone=lambda: False)
    fed.run([20], [20], [20])
    assert fed.batches == [(0.0, 1), (0.4, 1), (0.8, 1)]
