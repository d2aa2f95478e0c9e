"""The loop from fetched to acknowledged: acknowledged after the commit only, tried again for a bounded time only."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest

from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.pipeline.refusal_limit import TooManyRefusedError
from rice_stream.quantities import MEASURES
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.identity_rules import RulesChangedError
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import FetchedChunk, Intake
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from tests.simulation.clock import VirtualExecutor, VirtualLoop, VirtualTime
from tests.support.fakes import NOON_US, chunk_of, event

METRICS = Metrics()
EVENTS_MAX = 2


class ScriptedPipeline:
    """Says what happened in `history`; fails as often as it is told to."""

    def __init__(self, history: list[str], *, prepare_fails: int = 0, commit_fails: int = 0) -> None:
        self._history = history
        self._prepare_fails = prepare_fails
        self._commit_fails = commit_fails

    def prepare_some(self, chunks: Sequence[Chunk], _received_at_us: int, *, items_max: int) -> Prepared:
        name = "+".join(chunk.topic for chunk in chunks)
        if self._prepare_fails:
            self._prepare_fails -= 1
            raise StoreUnavailableError("away")
        self._history.append(f"prepared {name}")
        assert items_max == EVENTS_MAX
        progress = [
            SimpleNamespace(
                topic=chunk.topic,
                partition=0,
                events=len(chunk.records),
                records_taken=len(chunk.records),
                records_refused=0,
            )
            for chunk in chunks
        ]
        records = SimpleNamespace(columns=dict[str, list[int]](basis_flags=[]))
        batch = SimpleNamespace(
            name=name, refused=[], ignored={}, rungs={}, contexts=0, progress=progress, records=records
        )
        return Prepared(cast(Batch, batch), list(chunks), [])

    def commit(self, batch: Any) -> CommitResult:
        if self._commit_fails:
            self._commit_fails -= 1
            self._history.append(f"failed {batch.name}")
            raise StoreUnavailableError("away")
        self._history.append(f"committed {batch.name}")
        return CommitResult(0, 0, 0, 0, frozenset(), dict.fromkeys(MEASURES, 0))


class Bench:
    """A batch loop on a virtual clock; `history` is what happened, in order."""

    def __init__(
        self,
        *,
        records_min: int = 1_000_000,
        has_good: bool = False,
        store_retry_s: float = 60.0,
        prepare_fails: int = 0,
        commit_fails: int = 0,
    ) -> None:
        self.loop = VirtualLoop()
        self.history: list[str] = []
        self.intake = Intake(events_max=EVENTS_MAX)
        self.pipeline: Any = ScriptedPipeline(self.history, prepare_fails=prepare_fails, commit_fails=commit_fails)
        self.heartbeat = Heartbeat(timeout_s=60, clock=self.loop.time)
        self._guard = PartitionGuard(ratio_max=0.5, records_min=records_min, clock=self.loop.time, has_good=has_good)
        self._store_retry_s = store_retry_s

    def run(self, script: Callable[[], Awaitable[None]]) -> None:
        """Run the batch loop beside a script that feeds it, until the loop ends."""

        async def both() -> None:
            batches = self._batches()
            feeding = asyncio.ensure_future(script())
            try:
                await batches.run()
            finally:
                await feeding

        time = VirtualTime(self.loop, NOON_US)
        try:
            with mock.patch("rice_stream.worker.batches.time", time):
                self.loop.run_until_complete(both())
        finally:
            self.loop.close()

    def _batches(self) -> BatchLoop:
        def on_commit(_result: CommitResult) -> None:
            self.history.append("told")

        batches = BatchLoop(
            self.intake,
            cast(Pipeline, self.pipeline),
            Telemetry(METRICS, self.heartbeat),
            guard=self._guard,
            set_aside=lambda place, seconds: self.history.append(f"set aside {place[0]} {seconds:g}"),
            times=BatchTimes(wait_s=lambda: 0.01, store_retry_s=self._store_retry_s),
            on_commit=on_commit,
        )
        for name in ("_prepare_thread", "_commit_thread"):
            getattr(batches, name).shutdown()
            setattr(batches, name, VirtualExecutor(self.loop, Random(1), 0.2))
        return batches

    async def put(self, *names: str) -> None:
        """Hand over one chunk per name, of two events each: a batch each."""
        for name in names:
            chunk = Chunk(name, 0, chunk_of([event(), event()]).records)
            await self.intake.put(FetchedChunk(chunk, partial(self.history.append, f"acked {name}")))


def test_a_batch_whose_rules_changed_is_prepared_again_and_stored() -> None:
    """More than once if need be; acknowledged after that alone, and the worker goes on."""
    bench = Bench()
    commit, changes = bench.pipeline.commit, iter([True, True])

    def commit_unless_changed(batch: Any) -> CommitResult:
        if batch.name == "a" and next(changes, False):
            raise RulesChangedError("changed")
        return cast(CommitResult, commit(batch))

    bench.pipeline.commit = commit_unless_changed

    async def script() -> None:
        await bench.put("a", "b")
        await bench.intake.close()

    bench.run(script)
    assert bench.history.count("prepared a") == 3
    done = [line for line in bench.history if line.startswith(("committed", "acked"))]
    assert done == ["committed a", "acked a", "committed b", "acked b"]


def test_a_chunk_is_acknowledged_after_its_commit() -> None:
    bench = Bench()

    async def script() -> None:
        await bench.put("a", "b", "c")
        await bench.intake.close()

    bench.run(script)
    for name in "abc":
        steps = [bench.history.index(f"{what} {name}") for what in ("prepared", "committed", "acked")]
        assert steps == sorted(steps)
    assert [line for line in bench.history if line.startswith("acked")] == ["acked a", "acked b", "acked c"]
    assert bench.history.count("told") == 3


def test_the_next_batch_is_prepared_while_one_commits_but_commits_after_it() -> None:
    bench = Bench(commit_fails=3)

    async def script() -> None:
        await bench.put("a", "b", "c")
        await bench.intake.close()

    bench.run(script)
    assert bench.history.index("prepared b") < bench.history.index("committed a")
    assert bench.history.index("acked a") < bench.history.index("committed b")


@pytest.mark.parametrize(("prepare_fails", "commit_fails"), [(8, 0), (0, 8)])
def test_an_outage_shorter_than_the_limit_only_costs_time(prepare_fails: int, commit_fails: int) -> None:
    bench = Bench(prepare_fails=prepare_fails, commit_fails=commit_fails)

    async def script() -> None:
        await bench.put("a", "b")
        await asyncio.sleep(0.15)
        assert bench.heartbeat.ready()[0] is False, "the worker is not ready meanwhile"
        await bench.intake.close()

    bench.run(script)
    assert bench.history.count("committed a") == bench.history.count("acked a") == 1
    assert bench.history.count("committed b") == bench.history.count("acked b") == 1
    assert bench.heartbeat.ready()[0] is True


@pytest.mark.parametrize(("prepare_fails", "commit_fails"), [(10**6, 0), (0, 10**6)])
def test_an_outage_longer_than_the_limit_stops_the_worker_un_acked(prepare_fails: int, commit_fails: int) -> None:
    bench = Bench(store_retry_s=5.0, prepare_fails=prepare_fails, commit_fails=commit_fails)

    async def script() -> None:
        await bench.put("a")

    with pytest.raises(StoreUnavailableError, match="RICE_STORE_RETRY_S"):
        bench.run(script)
    assert 3 <= bench.loop.time() <= 6
    assert not [line for line in bench.history if line.startswith(("committed", "acked"))]


def test_what_is_in_flight_when_the_worker_fails_is_finished_or_left_un_acked() -> None:
    """The second batch cannot be stored; the first one was, and is acknowledged."""
    bench = Bench(store_retry_s=1.0)
    commit = bench.pipeline.commit
    bench.pipeline.commit = lambda batch: commit(batch) if batch.name == "a" else _unavailable()

    async def script() -> None:
        await bench.put("a", "b", "c")

    with pytest.raises(StoreUnavailableError):
        bench.run(script)
    assert [line for line in bench.history if line.startswith("acked")] == ["acked a"]


def _unavailable() -> CommitResult:
    raise StoreUnavailableError("away")


def garbage(bench: Bench, *names: str) -> None:
    """The records of these topics are all refused."""
    prepare = bench.pipeline.prepare_some

    def refuse(chunks: Sequence[Chunk], received_at_us: int, *, items_max: int) -> Any:
        prepared = prepare(chunks, received_at_us, items_max=items_max)
        for part in prepared.batch.progress:
            if part.topic in names:
                part.records_taken, part.records_refused = 0, part.records_taken
        return prepared

    bench.pipeline.prepare_some = refuse


def test_a_start_with_nothing_good_ends_and_nothing_is_stored_or_acknowledged() -> None:
    bench = Bench(records_min=4)
    garbage(bench, "a", "b")

    async def script() -> None:
        await bench.put("a", "b")

    with pytest.raises(TooManyRefusedError, match="4 of the last 4 records were refused"):
        bench.run(script)
    assert not {"committed b", "acked b"} & set(bench.history)


def test_only_the_partition_concerned_waits_and_goes_on_by_itself_although_nothing_got_better() -> None:
    """What comes of it meanwhile is set aside, unacknowledged; other partitions go on; /readyz names it until it is better."""
    bench = Bench(records_min=2)
    garbage(bench, "bad")
    ready: list[Any] = []

    async def script() -> None:
        await bench.put("good-1", "bad", "good-2", "bad", "good-3")
        await asyncio.sleep(2.0)
        ready.append(bench.heartbeat.ready())
        await asyncio.sleep(4.0)
        await bench.put("bad", "good-4")
        await asyncio.sleep(2.0)
        await bench.put("bad")
        await bench.intake.close()

    bench.run(script)
    acked = [line for line in bench.history if line.startswith("acked")]
    assert acked == ["acked good-1", "acked good-2", "acked good-3", "acked bad", "acked good-4"]
    aside = [line for line in bench.history if line.startswith("set aside")]
    assert len(aside) == 3
    assert aside[0] == "set aside bad 5"
    assert aside[2] == "set aside bad 10", "the wait grows"
    (is_ready, details) = ready[0]
    assert not is_ready
    assert "most of its latest records were refused" in details["problems"]["partition bad/0"]


def test_a_ledger_that_has_had_events_is_not_ended_by_what_one_producer_sends_at_a_start() -> None:
    bench = Bench(records_min=2, has_good=True)
    garbage(bench, "bad")

    async def script() -> None:
        await bench.put("bad", "bad", "good")
        await bench.intake.close()

    bench.run(script)
    assert [line for line in bench.history if line.startswith("acked")] == ["acked good"]


def test_a_worker_that_cannot_commit_is_not_ready_although_it_can_prepare() -> None:
    """The next batch needs no new names, so preparing it succeeds: that says nothing of the store."""
    bench = Bench(commit_fails=8)
    ready: dict[str, bool] = {}
    prepare = bench.pipeline.prepare_some

    def prepare_and_note(chunks: Sequence[Chunk], received_at_us: int, *, items_max: int) -> Prepared:
        bench.loop.call_later(0.01, lambda: ready.update({chunks[0].topic: bench.heartbeat.ready()[0]}))
        return cast(Prepared, prepare(chunks, received_at_us, items_max=items_max))

    bench.pipeline.prepare_some = prepare_and_note

    async def script() -> None:
        await bench.put("a", "b")
        await asyncio.sleep(1.0)
        await bench.put("c")
        await bench.intake.close()

    bench.run(script)
    assert bench.history.index("prepared b") < bench.history.index("committed a")
    assert bench.history.index("prepared b") > bench.history.index("failed a")
    assert ready["b"] is False
