"""The loop from fetched chunks to acknowledged ones: the next batch is prepared while this one commits.

Chunks are acknowledged after their commit and never before; whatever goes wrong, they are either stored or read again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from rice_stream.pipeline.chunks import Chunk, Place
from rice_stream.pipeline.culprits import is_culprits
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.runtime.tracing import NO_SPAN, TraceSpan
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.failures import NotStorableError
from rice_stream.store.identity_rules import RulesChangedError
from rice_stream.worker.batch_spans import BatchSpans, ended, say_outcome
from rice_stream.worker.headroom import NO_HEADROOM, Headroom
from rice_stream.worker.health import Telemetry
from rice_stream.worker.held_chunks import BatchTimes, HeldChunks
from rice_stream.worker.intake import FetchedChunk, Intake
from rice_stream.worker.isolation import Isolation
from rice_stream.worker.partition_guard import PartitionGuard, Pause
from rice_stream.worker.reading_again import BytesLetGoError, ReadingAgain, check_at_hand, not_stored
from rice_stream.worker.repeated_ids import RecentIds
from rice_stream.worker.store_retry import StoreRetry
from rice_stream.worker.storing_batches import StoringBatches

log = logging.getLogger(__name__)

_OTHERS_FIRST_S = 0.002
"""A backlog's next batch begins before what is left to do after a transaction."""


@dataclass(slots=True)
class _Work:
    """A batch on its way into the store; `chunks` is what it was made of, in case it must be taken apart."""

    batch: Batch | None
    """None: it could not even be prepared, because of `error`."""
    chunks: list[Chunk]
    fetched: list[FetchedChunk]
    """What to acknowledge once it is stored."""
    error: Exception | None
    span: TraceSpan = NO_SPAN


class BatchLoop:
    """Takes from the intake, prepares, commits, acknowledges. `run` ends when the intake is closed and empty."""

    def __init__(
        self,
        intake: Intake,
        pipeline: Pipeline,
        telemetry: Telemetry,
        *,
        guard: PartitionGuard,
        set_aside: Callable[[Place, float], None],
        times: BatchTimes,
        on_commit: Callable[[CommitResult], None],
        now_us: Callable[[], int] | None = None,
        headroom: Headroom | None = None,
    ) -> None:
        """`now_us` says when a batch is received, in epoch microseconds; None: the machine's clock does. `headroom` None: nothing
        waits for what follows."""
        self._intake = intake
        self._pipeline = pipeline
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._spans = BatchSpans(telemetry.tracing)
        self._guard = guard
        self._set_aside = set_aside
        self._times = times
        self._on_commit = on_commit
        self._now_us = now_us or (lambda: time.time_ns() // 1000)
        self._held = HeldChunks(pipeline, intake, headroom or NO_HEADROOM, times, self._now_us)
        self._prepare_thread = ThreadPoolExecutor(1, "rice-prepare")
        self._commit_thread = ThreadPoolExecutor(1, "rice-commit")
        self._recent_ids = RecentIds()
        self._retry = StoreRetry(telemetry, times.store_retry_s)
        self._again = ReadingAgain(set_aside, intake)

    async def run(self) -> None:
        """Until the intake is closed.

        An exception means: stop the process. Whatever was not acknowledged will be delivered again; nothing is
        acknowledged that was not stored.
        """
        storing = StoringBatches()
        left: list[FetchedChunk] = []
        try:
            while fetched := left or await self._held.following():
                self._heartbeat.waiting()
                are_left = bool(left)
                fetched = self._without_waiting(fetched)
                try:
                    left = await self._go_on(storing, fetched, are_left=are_left) if fetched else []
                except BytesLetGoError as error:
                    left = []
                    self._again.begin([*error.fetched, *await not_stored(storing), *fetched])
                del fetched  # the raw records are large
            for one in await not_stored(storing):
                log.warning("what was fetched of %s/%d is left to be read again, by the next worker", *one.chunk.place)
        finally:
            await storing.end()
            self._prepare_thread.shutdown()
            self._commit_thread.shutdown()

    async def _go_on(
        self, storing: StoringBatches, fetched: list[FetchedChunk], *, are_left: bool
    ) -> list[FetchedChunk]:
        """Begin to store a batch of the chunks, or let them wait; returns what has to go before anything else.

        BytesLetGoError: they have to be read again.
        """
        if not are_left:
            if storing.is_idle and await self._held.keeps(fetched, self._prepare_thread):
                return []
            if not self._again.needs(fetched) and await self._held.grows(fetched, self._prepare_thread):
                return []
        span = self._spans.begin(fetched)
        work, left = await self._work(fetched, span)
        await storing.until_committed()
        if work.batch is not None and (pauses := self._guard.judge(work.batch)):
            # What is acknowledged of a partition that is set aside is not read again.
            await storing.until_done()
            self._pause(pauses)
            span.end("PartitionPaused")
            return self._without_waiting(fetched)
        self._show_partitions(work.batch)
        storing.begin(partial(self._store, work, still_waiting=bool(left)))
        del work, fetched
        # Small batches are the sign of no backlog: then latency counts, and there is nothing to overlap with.
        if not len(self._intake) and not left:
            await storing.until_done()
        return left

    def _without_waiting(self, fetched: list[FetchedChunk]) -> list[FetchedChunk]:
        """Without the chunks of partitions that are to wait: these are set aside, and read again. Nor those that are void."""
        kept = []
        for one in fetched:
            wait_s = self._guard.waits_s(one.chunk.place)
            if wait_s or self._again.is_void(one):
                if wait_s:
                    self._set_aside(one.chunk.place, wait_s)
                self._intake.give_back(one)
            else:
                kept.append(one)
        if not kept and not len(self._intake):
            self._heartbeat.caught_up()
        return kept

    def _pause(self, pauses: list[Pause]) -> None:
        for (topic, partition), seconds, sentence in pauses:
            log.error("%s It waits %.0f s; other partitions go on.", sentence, seconds)
            self._metrics.partition_pauses.labels(topic, str(partition)).inc()
            self._heartbeat.set_problem(f"partition {topic}/{partition}", sentence)

    def _show_partitions(self, batch: Batch | None) -> None:
        for part in batch.progress if batch is not None else ():
            if not self._guard.is_red((part.topic, part.partition)):
                self._heartbeat.set_problem(f"partition {part.topic}/{part.partition}", None)

    def gave_away(self, places: Iterable[Place]) -> None:
        """These partitions are other workers' now: what is wrong with them is theirs to tell."""
        for topic, partition in places:
            self._guard.forget((topic, partition))
            self._heartbeat.set_problem(f"partition {topic}/{partition}", None)

    async def _work(self, fetched: list[FetchedChunk], span: TraceSpan) -> tuple["_Work", list[FetchedChunk]]:
        """A batch of the chunks, and what it has no room for. A chunk of which anything is left is not acknowledged with it."""
        chunks = [one.chunk for one in fetched]
        try:
            prepared = await self._prepare(span, chunks)
        except Exception as error:
            if is_culprits(error) and not isinstance(error, BytesLetGoError):
                return _Work(None, chunks, fetched, error, span), []
            span.end(type(error).__name__)
            raise
        done = len(fetched) - len(prepared.left)
        left = [replace(one, chunk=chunk) for one, chunk in zip(fetched[done:], prepared.left, strict=True)]
        return _Work(prepared.batch, prepared.taken, fetched[:done], None, span), left

    async def _prepare(self, span: TraceSpan, chunks: Sequence[Chunk]) -> Prepared:
        with span.step("rice.prepare"):
            return await self._retry.run(self._prepare_thread, partial(self._prepare_some, chunks))

    def _prepare_some(self, chunks: Sequence[Chunk]) -> Prepared:
        with self._metrics.prepare_seconds.time():
            try:
                return self._held.prepare(chunks)
            except Exception as error:
                if is_culprits(error) and not isinstance(error, BytesLetGoError):
                    self._held.forget()
                raise

    async def _store(self, work: "_Work", committed: asyncio.Future[None], *, still_waiting: bool) -> None:
        """Store what was prepared, or as much of it as can be; then acknowledge its chunks. `committed` is set in between, where
        the next batch can begin earlier."""
        with ended(work.span):
            self._heartbeat.waiting()  # again: the batch before may have just reported that nothing waits
            error = work.error
            if work.batch is not None:
                try:
                    await self._commit_by_present_rules(
                        work.span, work.batch, work.chunks, still_waiting=still_waiting, committed=committed
                    )
                except NotStorableError as refusal:
                    error = refusal
                except BytesLetGoError as lost:
                    raise BytesLetGoError(work.fetched) from lost
            if error is not None:
                check_at_hand(work.chunks, work.fetched)
                one = partial(self._prepare, work.span), partial(self._commit_part, work.span)
                await Isolation(*one, self._pipeline.formats).store(work.chunks, error)
            with work.span.step("rice.acknowledge"):
                self._acknowledge(work.fetched)

    def _acknowledge(self, fetched: list[FetchedChunk]) -> None:
        for one in fetched:
            one.acknowledge()
            self._intake.give_back(one)
        self._metrics.intake_bytes.set(self._intake.size_bytes)

    async def _commit_by_present_rules(
        self,
        span: TraceSpan,
        batch: Batch,
        chunks: Sequence[Chunk],
        *,
        still_waiting: bool,
        committed: asyncio.Future[None] | None = None,
    ) -> None:
        """Store the batch; where it was prepared by rules that have changed meanwhile, what it was made of: then `committed`
        stays as it is."""
        try:
            result = await self._commit(span, batch, still_waiting=still_waiting, committed=committed)
        except RulesChangedError as change:
            log.warning("a batch is prepared again: %s", change)
            check_at_hand(chunks)
            left = list(chunks)
            while left:
                prepared = await self._prepare(span, left)
                await self._commit_by_present_rules(span, prepared.batch, prepared.taken, still_waiting=True)
                left = prepared.left
        else:
            # What was known already is not late: it was there before, and is read again.
            if result.recorded:
                self._metrics.visible(batch, chunks, self._now_us())

    async def _commit_part(self, span: TraceSpan, batch: Batch) -> None:
        self._guard.check_start(batch)
        await self._commit(span, batch, still_waiting=True)

    async def _commit(
        self,
        span: TraceSpan,
        batch: Batch,
        *,
        still_waiting: bool,
        committed: asyncio.Future[None] | None = None,
    ) -> CommitResult:
        with span.step("rice.commit") as step:
            result = await self._retry.run(self._commit_thread, partial(self._transaction, batch))
            say_outcome(step, result)
        still_waiting = still_waiting or len(self._intake) > 0
        if committed is not None and still_waiting:
            committed.set_result(None)
            await asyncio.sleep(_OTHERS_FIRST_S)
        self._heartbeat.advanced(still_waiting=still_waiting)
        self._metrics.committed(batch, result)
        self._metrics.repeated_ids.inc(self._recent_ids.count_repeated(result.recorded_keys))
        self._held.committed(batch)
        self._on_commit(result)
        return result

    def _transaction(self, batch: Batch) -> CommitResult:
        with self._metrics.commit_seconds.time():
            return self._pipeline.commit(batch)
