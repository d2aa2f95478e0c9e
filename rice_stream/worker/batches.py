"""The loop from fetched chunks to acknowledged ones: the next batch is prepared while this one commits.

Chunks are acknowledged after their commit and never before; whatever goes wrong, they are either stored or read again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from rice_stream.pipeline.pipeline import Chunk, Pipeline
from rice_stream.pipeline.refusal_limit import RefusalLimit
from rice_stream.store.batch import Batch, CommitResult
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker.health import Telemetry
from rice_stream.worker.intake import Intake

log = logging.getLogger(__name__)
T = TypeVar("T")

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0


class BatchTimes(NamedTuple):
    """`wait_s`: how long a batch waits for more chunks to come; `store_retry_s`: how long a failing store is tried again."""

    wait_s: float
    store_retry_s: float


class BatchLoop:
    """Takes from the intake, prepares, commits, acknowledges. `run` ends when the intake is closed and empty."""

    def __init__(
        self,
        intake: Intake,
        pipeline: Pipeline,
        telemetry: Telemetry,
        *,
        limit: RefusalLimit,
        times: BatchTimes,
        on_commit: Callable[[CommitResult], None],
    ) -> None:
        self._intake = intake
        self._pipeline = pipeline
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._limit = limit
        self._times = times
        self._on_commit = on_commit
        self._prepare_thread = ThreadPoolExecutor(1, "rice-prepare")
        self._commit_thread = ThreadPoolExecutor(1, "rice-commit")
        self._failing: set[ThreadPoolExecutor] = set()
        """Whose last try failed: preparing may succeed (all names are known) while committing does not."""

    async def run(self) -> None:
        """Until the intake is closed.

        An exception means: stop the process. Whatever was not acknowledged will be delivered again; nothing is
        acknowledged that was not stored.
        """
        committing: asyncio.Task[None] | None = None
        try:
            while fetched := await self._intake.take(wait_s=self._times.wait_s):
                self._heartbeat.waiting()
                chunks = [one.chunk for one in fetched]
                acknowledge = [one.acknowledge for one in fetched]
                del fetched  # the raw records are large; from here on only columns are needed
                batch = await self._with_retry(self._prepare_thread, partial(self._prepare, chunks))
                del chunks
                if committing is not None:
                    await committing
                self._limit.check(batch)
                committing = asyncio.create_task(self._commit(batch, acknowledge))
                # Small batches are the sign of no backlog: then latency counts, and there is nothing to overlap with.
                if not len(self._intake):
                    await committing
            if committing is not None:
                await committing
        finally:
            if committing is not None and not committing.done():
                await asyncio.wait([committing])
            self._prepare_thread.shutdown()
            self._commit_thread.shutdown()

    def _prepare(self, chunks: list[Chunk]) -> Batch:
        with self._metrics.prepare_seconds.time():
            return self._pipeline.prepare(chunks, time.time_ns() // 1000)

    async def _commit(self, batch: Batch, acknowledge: list[Callable[[], object]]) -> None:
        self._heartbeat.waiting()  # again: the batch before may have just reported that nothing waits
        result = await self._with_retry(self._commit_thread, partial(self._transaction, batch))
        for chunk_is_stored in acknowledge:
            chunk_is_stored()
        self._heartbeat.advanced(still_waiting=len(self._intake) > 0)
        self._metrics.committed(batch, result)
        self._on_commit(result)

    def _transaction(self, batch: Batch) -> CommitResult:
        with self._metrics.commit_seconds.time():
            return self._pipeline.commit(batch)

    async def _with_retry(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Run `work` in its thread; try again for a bounded time while the store is away. Fetching pauses meanwhile:
        the intake fills up and takes no more."""
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self._times.store_retry_s
        pause_s = _BACKOFF_FIRST_S
        while True:
            try:
                result = await loop.run_in_executor(thread, work)
            except StoreUnavailableError as error:
                self._failing.add(thread)
                self._heartbeat.set_problem("store", str(error))
                if time.monotonic() + pause_s > deadline:
                    raise StoreUnavailableError(
                        f"{error}. It stayed away for {self._times.store_retry_s:g} s (RICE_STORE_RETRY_S), so the worker"
                        " stops; nothing was acknowledged that is not stored"
                    ) from error
                self._metrics.store_retries.inc()
                log.warning("store failed, trying again in %.1f s: %s", pause_s, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _BACKOFF_MAX_S)
            else:
                self._failing.discard(thread)
                if not self._failing:
                    self._heartbeat.set_problem("store", None)
                return result
