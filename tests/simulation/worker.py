"""One worker process: the real consumer, intake, batch loop, pipeline, writer and judge, wired as in `worker.app`."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, cast

from faust.types import TP
from faust.types.tuples import Message

from rice_stream.errors import RiceError
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.tenant_amounts import TenantAmounts
from rice_stream.store.batch import CommitResult
from rice_stream.worker.batches import BatchLoop
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.health import Heartbeat, Telemetry
from rice_stream.worker.held_chunks import BatchTimes
from rice_stream.worker.intake import BATCH_BYTES_MAX, Intake, fetched_chunk
from rice_stream.worker.metrics import Metrics
from rice_stream.worker.partition_guard import PartitionGuard
from tests.simulation.broker import Broker
from tests.simulation.clock import VirtualExecutor
from tests.simulation.consumer import BrokerThread, make_consumer
from tests.simulation.store import Faults, FaultyPipeline, Store

_QUEUE_CHUNKS_MAX = 4


class SomeHeadroom(Headroom):
    """Lets every second fetch wait for the next one, whatever it holds: what is stored must not depend on that."""

    is_known = True

    def __init__(self, random: Random) -> None:
        super().__init__(lambda: datetime.now(UTC), lambda: True)
        self._random = random

    def covers(self, amounts: TenantAmounts) -> bool:
        del amounts
        return self._random.random() < 0.5


METRICS = Metrics()
"""Shared: making a registry takes longer than a schedule."""


class Worker:
    """Lives until `crash` or `stop`. `failed` says why its batch loop gave up, if it did."""

    def __init__(
        self, name: str, broker: Broker, store: Store, faults: Faults, random: Random, *, sizes: "Sizes"
    ) -> None:
        self.name = name
        self.reachable = True
        self.failed: Exception | None = None
        self._broker = broker
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._queue: list[Message] = []
        self._any_order = sizes.any_order
        self._queue_changed = asyncio.Condition()
        self.consumer = make_consumer(
            partial(BrokerThread, broker, self, random, sizes.chunk_records_max, sizes.hop_s_max),
            self._enqueue,
            on_revoked=self._on_revoked,
            on_assigned=self._on_assigned,
        )
        self.thread = cast(BrokerThread, self.consumer._thread)
        self._intake = Intake(events_max=sizes.batch_events_max, bytes_max=sizes.batch_bytes_max)
        self._store = store
        self._pipeline = store.pipeline(faults)
        self._batches = BatchLoop(
            self._intake,
            self._pipeline,
            Telemetry(METRICS, Heartbeat(timeout_s=60, clock=self._loop.time)),
            guard=PartitionGuard(
                ratio_max=0.3, records_min=sizes.guard_records_min, clock=self._loop.time, has_good=True
            ),
            set_aside=lambda place, seconds: self.consumer.set_aside(TP(*place), seconds),
            times=BatchTimes(lambda: sizes.batch_wait_s, sizes.store_retry_s, lambda: 5 * sizes.batch_wait_s),
            on_commit=self._on_commit,
            headroom=SomeHeadroom(random),
        )
        self._executors = [self._replace_thread(name) for name in ("_prepare_thread", "_commit_thread")]
        self._tasks = [
            asyncio.create_task(work, name=f"{name} {what}")
            for what, work in (
                ("drain", self.consumer._drain_messages(cast(Any, _Fetcher()))),
                ("agent", self._agent()),
                ("offsets", self._commit_offsets()),
            )
        ]
        self._batch_task = asyncio.create_task(self._run_batches(), name=f"{name} batches")
        self._others: set[asyncio.Task[None]] = set()

    def _replace_thread(self, name: str) -> VirtualExecutor:
        getattr(self._batches, name).shutdown()
        executor = VirtualExecutor(self._loop, self._random, seconds_max=0.5)
        setattr(self._batches, name, executor)
        return executor

    # --- as in worker.app and faust.App ----------------------------------------------------------------------------

    async def _enqueue(self, message: Message) -> None:
        """The stream's buffer: a few chunks, then the fetcher waits."""
        async with self._queue_changed:
            await self._queue_changed.wait_for(lambda: len(self._queue) < _QUEUE_CHUNKS_MAX)
            self._queue.append(message)
            self._queue_changed.notify_all()

    async def _agent(self) -> None:
        while True:
            async with self._queue_changed:
                await self._queue_changed.wait_for(lambda: self._queue)
                place = self._random.randrange(len(self._queue)) if self._any_order else 0
                message = self._queue.pop(place)
                self._queue_changed.notify_all()
            records: Any = message.value
            chunk = Chunk(message.topic, message.partition, records)
            is_void = partial(self.consumer.is_void, message)
            await self._intake.put(fetched_chunk(chunk, partial(self.consumer.ack, message), is_void))

    async def _run_batches(self) -> None:
        try:
            await self._batches.run()
        except RiceError as error:
            self.failed = error

    async def _commit_offsets(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.1, 1.0))
            await self.consumer.commit()

    def _on_commit(self, result: CommitResult) -> None:
        if result.tenants and self._random.random() < 0.2:
            self.judge()

    def judge(self) -> None:
        """Judge all budgets now, as the sweep does."""
        self._store.judge(simulated_now(self._loop))

    async def _on_revoked(self, _revoked: set[TP]) -> None:
        if self.thread.assignment():
            self.consumer.stop_flow()
            self.consumer.pause_partitions(self.thread.assignment())
            self._queue.clear()
            await self.consumer.commit_and_end_transactions()

    async def _on_assigned(self, assigned: set[TP], generation: int) -> None:
        self.consumer.pause_partitions(assigned)
        self._later(self._resume(generation))

    async def _resume(self, generation: int) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.1))
        if self.consumer.app.consumer_generation_id != generation:
            return
        self.consumer.resume_partitions(self.thread.assignment())
        if self.thread.assignment():
            await self.consumer.perform_seek()
        self.consumer.resume_flow()

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    # --- as the group's coordinator sees it --------------------------------------------------------------------------

    async def revoke(self) -> None:
        """See `broker.Member`."""
        await self.consumer.on_partitions_revoked(self.thread.assignment())

    async def assign(self, partitions: frozenset[TP], generation: int) -> None:
        """See `broker.Member`."""
        self.thread.take(partitions, generation)
        self.consumer.app.consumer_generation_id = generation
        await self.consumer.on_partitions_assigned(set(partitions), generation)

    # --- ends --------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether its batch loop still takes work."""
        return not self._batch_task.done()

    @property
    def amid_a_record(self) -> bool:
        """Whether some items of a record are in a batch and others are still to come."""
        return cast(FaultyPipeline, self._pipeline).amid_a_record

    def assert_stopped_for_a_reason(self) -> None:
        """A batch loop ends by itself only with an error that a user can act on."""
        self._batch_task.result()
        assert self.failed is not None

    def assert_in_order(self) -> None:
        """Nothing of a running worker has ended unnoticed."""
        for task in self._tasks:
            assert not task.done(), (task, task.result())

    async def crash(self) -> None:
        """kill -9: whatever is in flight is lost, or has happened without the worker knowing."""
        self.reachable = False
        last_work_happens = self._random.random() < 0.5
        for executor in self._executors:
            executor.kill(last_work_happens=last_work_happens)
        await self._cancel()

    async def stop(self) -> None:
        """SIGTERM: what was fetched is stored and acknowledged, then the worker leaves."""
        await self._intake.close()
        await asyncio.wait([self._batch_task])
        await self.consumer.commit()
        self.judge()
        self.reachable = False
        await self._cancel()

    async def _cancel(self) -> None:
        tasks = {*self._tasks, *self._others, self._batch_task}
        while tasks:
            for task in tasks:
                task.cancel()
            # Again and again: Faust swallows a cancellation that comes while it waits for another commit.
            _, tasks = await asyncio.wait(tasks, timeout=0.1)


class Sizes:
    """How large things are in one schedule."""

    def __init__(self, random: Random) -> None:
        self.chunk_records_max = random.choice([1, 3, 10])
        self.batch_events_max = random.choice([1, 5, 20])
        self.hop_s_max = random.choice([0.001, 0.001, 0.05])
        """How long an answer of the Kafka thread may wait for a busy event loop."""
        self.batch_wait_s = random.choice([0.01, 0.2])
        self.store_retry_s = random.choice([0.5, 5.0, 60.0])
        self.guard_records_min = random.choice([2, 5, 1000])
        """Of so many records, more than three in ten refused ones make their partition wait."""
        self.any_order = random.random() < 0.3
        """Whether chunks overtake each other on their way, so that acks come out of order."""
        self.batch_bytes_max = random.choice([BATCH_BYTES_MAX, 500, 2_000])
        """Where it is little, batches of a backlog grow beyond it, and the bytes of their records are let go."""


class _Fetcher:
    """What `_drain_messages` asks of Faust's fetcher."""

    class _Stopped:
        @staticmethod
        def is_set() -> bool:
            return False

    _stopped = _Stopped()


def simulated_now(loop: asyncio.AbstractEventLoop) -> datetime:
    """The simulated wall clock."""
    return datetime.fromtimestamp(START_S + loop.time(), tz=UTC)


START_S = 1_795_348_800.0
"""2026-11-22T12:00:00Z: every schedule plays in the same month."""
