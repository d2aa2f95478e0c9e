"""Fetched chunks that wait for more of their batch, because no alert can wait for them: they are decoded already, and not stored.

A batch costs what it costs however small it is, and budgets are judged after each. So where what has come surely reaches no
threshold of any budget, it waits for the next fetch, and goes as seldom as if there were no budgets.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.culprits import is_culprits
from rice_stream.pipeline.making import BatchInMaking
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.pipeline.tenant_amounts import TenantAmounts, both
from rice_stream.store.batch import Batch
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.intake import FetchedChunk, Intake


class BatchTimes(NamedTuple):
    """`wait_s` says how long after the last batch the next is made without a backlog, `wait_max_s` how long where no alert can wait
    for it; `store_retry_s`: how long a failing store is tried again."""

    wait_s: Callable[[], float]
    store_retry_s: float
    wait_max_s: Callable[[], float] = lambda: 0.0


@dataclass(slots=True)
class _Begun:
    """What the chunks that wait have become so far."""

    making: BatchInMaking
    chunks: list[Chunk]
    amounts: TenantAmounts


class HeldChunks:
    """What waits. The loop asks `following` and `keeps`; `prepare` needs the thread that prepares. A failure leaves nothing half
    done: what waited is prepared as if it had not."""

    def __init__(
        self,
        pipeline: Pipeline,
        intake: Intake,
        headroom: Headroom,
        times: BatchTimes,
        now_us: Callable[[], int],
    ) -> None:
        """`now_us` says when chunks are received, in epoch microseconds."""
        self._pipeline = pipeline
        self._intake = intake
        self._headroom = headroom
        self._times = times
        self._now_us = now_us
        self._begun: _Begun | None = None
        self._last_s = -math.inf
        """When the last batch went, by the loop's clock."""
        self._waiting: list[FetchedChunk] = []

    async def following(self) -> list[FetchedChunk]:
        """What waits, followed by what comes next, or by nothing where it has waited long enough. Neither: the intake is closed."""
        waiting, self._waiting = self._waiting, []
        until_s = self._last_s + self._times.wait_max_s() if waiting else None
        return [*waiting, *await self._intake.take(wait_s=self._times.wait_s(), until_s=until_s)]

    async def keeps(self, fetched: list[FetchedChunk], thread: Executor) -> bool:
        """Whether all of it waits, as another fetch comes in time; `thread` prepares. Otherwise it is the next batch."""
        loop = asyncio.get_running_loop()
        if self._may_wait(fetched, loop.time() + self._times.wait_s()):
            chunks = [one.chunk for one in fetched]
            amounts = await loop.run_in_executor(thread, copy_context().run, self._look, chunks)
            if amounts is not None and self._headroom.covers(amounts):
                self._waiting = fetched
                return True
        self._last_s = loop.time()
        return False

    def _may_wait(self, fetched: Sequence[FetchedChunk], next_at_s: float) -> bool:
        """Whether it is worth looking: there is no backlog, and the batch has room for another fetch."""
        records = sum(len(one.chunk.records) for one in fetched) + len(self._intake)
        in_time = next_at_s <= self._last_s + self._times.wait_max_s()
        is_small = 2 * records <= self._intake.events_max
        return in_time and is_small and self._headroom.is_known and not self._intake.is_closed

    def _look(self, chunks: Sequence[Chunk]) -> TenantAmounts | None:
        """Decode what has come since: what all of the chunks add to totals, at most; None: that cannot be told, they have to go."""
        begun, self._begun = self._begun, None
        try:
            self._begun = self._added_to(begun, chunks)
        except ServiceUnavailableError:
            return None  # it is tried again as a batch, and said then
        except Exception as error:
            if is_culprits(error):
                self._pipeline.forget()
                return None
            raise
        return None if self._begun is None else self._begun.amounts

    def committed(self, batch: Batch) -> None:
        """It is in the store."""
        self._headroom.committed(self._pipeline.adds_to_tenants(batch.records) if self._headroom.is_kept else None)

    def prepare(self, chunks: Sequence[Chunk]) -> Prepared:
        """A batch of the chunks; what is decoded already is not decoded again."""
        now_us = self._now_us()
        begun, self._begun = self._begun, None
        if begun is None or not self._goes_on(begun, chunks, now_us):
            return self._pipeline.prepare_some(chunks, now_us, items_max=self._intake.events_max)
        if more := chunks[len(begun.chunks) :]:
            self._pipeline.add(begun.making, more, now_us, items_max=self._intake.events_max)
        return self._pipeline.made(begun.making, now_us)

    def _added_to(self, begun: _Begun | None, chunks: Sequence[Chunk]) -> _Begun | None:
        now_us = self._now_us()
        if begun is None:
            begun = _Begun(self._pipeline.begin(now_us), [], {})
        elif not self._goes_on(begun, chunks, now_us):
            return None
        more = chunks[len(begun.chunks) :]
        parts = self._pipeline.add(begun.making, more, now_us, items_max=self._intake.events_max)
        if begun.making.left:
            return None
        added = self._pipeline.added_to_tenants(parts)
        return None if added is None else _Begun(begun.making, list(chunks), both(begun.amounts, added))

    def _goes_on(self, begun: _Begun, chunks: Sequence[Chunk], now_us: int) -> bool:
        """Whether these are the chunks that were begun with, perhaps followed by others, and the rules the same."""
        known = len(begun.chunks)
        same = len(chunks) >= known and all(one is other for one, other in zip(begun.chunks, chunks, strict=False))
        return same and self._pipeline.goes_on(begun.making, now_us)
