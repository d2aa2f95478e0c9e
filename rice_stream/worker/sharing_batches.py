"""Storing batches of a backlog in one transaction, each as soon as it is prepared; where that fails, each alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial

from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.tracing import TraceSpan
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.failures import NotStorableError
from rice_stream.store.identity_rules import RulesChangedError
from rice_stream.worker.batch_spans import say_outcome
from rice_stream.worker.batch_work import BatchWork
from rice_stream.worker.health import Telemetry
from rice_stream.worker.reading_again import BytesLetGoError
from rice_stream.worker.shared_transaction import SharedTransaction

log = logging.getLogger(__name__)

OTHERS_FIRST_S = 0.002
"""A backlog's next batch begins before what is left to do after a transaction."""


class SharingBatches:
    """Writes, commits, and tells of each."""

    def __init__(
        self,
        pipeline: Pipeline,
        telemetry: Telemetry,
        *,
        thread: Callable[[], Executor],
        alone: Callable[[BatchWork], Awaitable[None]],
        stored: Callable[[BatchWork, Batch, CommitResult], None],
    ) -> None:
        """`thread` commits, `alone` stores one in a transaction of its own, `stored` does what is left to do after it."""
        self._pipeline = pipeline
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._thread = thread
        self._alone = alone
        self._stored = stored

    async def store(self, shared: SharedTransaction[BatchWork], committed: asyncio.Future[None]) -> None:
        """Store what joins, then acknowledge. `committed` is set in between, where the next batch can begin earlier."""
        began_s = time.monotonic()
        try:
            batches, results = await self._transaction(shared)
        except (StoreUnavailableError, NotStorableError, RulesChangedError) as error:
            log.warning("batches that shared a transaction are stored one by one: %s", error)
            await shared.close()
            await self._one_by_one(shared.works)
            return
        finally:
            await shared.close()
        self._metrics.commit_seconds.observe(time.monotonic() - began_s)
        committed.set_result(None)
        await asyncio.sleep(OTHERS_FIRST_S)
        for work, batch, result in zip(shared.works, batches, results, strict=True):
            self._stored(work, batch, result)

    async def _transaction(self, shared: SharedTransaction[BatchWork]) -> tuple[list[Batch], list[CommitResult]]:
        loop = asyncio.get_running_loop()
        steps: list[TraceSpan] = []
        batches: list[Batch] = []
        with ExitStack() as within:
            async for work in shared.each():
                self._heartbeat.waiting()
                steps.append(within.enter_context(work.span.step("rice.commit")))
                write = partial(self._pipeline.write, work.prepared)
                work.batch = await loop.run_in_executor(self._thread(), copy_context().run, write)
                batches.append(work.batch)
            results = await loop.run_in_executor(self._thread(), self._pipeline.commit_written)
            for step, result in zip(steps, results, strict=True):
                say_outcome(step, result)
        return batches, results

    async def _one_by_one(self, works: Sequence[BatchWork]) -> None:
        for place, work in enumerate(works, 1):
            try:
                await self._alone(work)
            except BytesLetGoError as error:
                # What comes behind what is read again is read again with it.
                behind = [one for other in works[place:] for one in other.fetched]
                raise BytesLetGoError([*error.fetched, *behind]) from error
