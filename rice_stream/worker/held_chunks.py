"""Fetched chunks that wait for more of their batch: they are decoded already, and not stored.

A batch costs what it costs however small it is, and budgets are judged after each. So where what has come surely reaches no
threshold of any budget, it waits for the next fetch, and goes as seldom as if there were no budgets.

And of a backlog of large records a batch holds as many as of small ones: they are decoded as they come, and their bytes let go.
Where these turn out to be needed, because the batch cannot be stored as it is, its records are read from Kafka again
(`reading_again`).
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.kept_values import LetGoRecords
from rice_stream.events.keyed import KeyedEvents
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.culprits import is_culprits
from rice_stream.pipeline.making import BatchInMaking
from rice_stream.pipeline.pipeline import Pipeline, Prepared
from rice_stream.pipeline.tenant_amounts import TenantAmounts, both
from rice_stream.store.batch import Batch
from rice_stream.worker.headroom import Headroom
from rice_stream.worker.intake import TOGETHER_S, FetchedChunk, Intake
from rice_stream.worker.reading_again import check_at_hand

REFUSED_SHARE = 4
"""Bytes of records are kept as long as something in them is refused: of a batch that grows, one in so many that wait at most."""


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
    amounts: TenantAmounts | None = None
    """What they add to totals, at most; None: that was not looked for, they are part of a backlog."""


_Added = tuple[_Begun, Sequence[KeyedEvents]]


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
        if waiting and self._is_backlog:
            soon_s = asyncio.get_running_loop().time() + TOGETHER_S
            return [*waiting, *await self._intake.take(wait_s=TOGETHER_S, until_s=soon_s)]
        until_s = self._last_s + self._times.wait_max_s() if waiting else None
        return [*waiting, *await self._intake.take(wait_s=self._times.wait_s(), until_s=until_s)]

    @property
    def _is_backlog(self) -> bool:
        return self._begun is not None and self._begun.amounts is None

    async def keeps(self, fetched: list[FetchedChunk], thread: Executor) -> bool:
        """Whether all of it waits, as another fetch comes in time; `thread` prepares. Otherwise it is the next batch."""
        loop = asyncio.get_running_loop()
        if not self._is_backlog and self._may_wait(fetched, loop.time() + self._times.wait_s()):
            chunks = [one.chunk for one in fetched]
            amounts = await loop.run_in_executor(thread, copy_context().run, self._look, chunks)
            if amounts is not None and self._headroom.covers(amounts):
                self._waiting = fetched
                return True
        self._last_s = loop.time()
        return False

    async def grows(self, fetched: list[FetchedChunk], thread: Executor) -> bool:
        """Whether all of it waits, decoded and without its bytes, as these alone kept more of a backlog out of the batch; `thread`
        prepares."""
        if not self._may_grow(fetched):
            return False
        chunks, loop = [one.chunk for one in fetched], asyncio.get_running_loop()
        grown = await loop.run_in_executor(thread, copy_context().run, self._grow, chunks)
        if grown is None:
            return False
        self._waiting = [
            one if chunk is one.chunk else self._intake.without_bytes(one, chunk)
            for one, chunk in zip(fetched, grown, strict=True)
        ]
        return True

    def _may_grow(self, fetched: Sequence[FetchedChunk]) -> bool:
        known = 0 if self._begun is None else len(self._begun.chunks)
        is_small = 2 * sum(len(one.chunk.records) for one in fetched) <= self._intake.events_max
        come = fetched[known:]
        return is_small and bool(come) and self._more_comes() and all(map(self._intake.is_large, come))

    def _more_comes(self) -> bool:
        """Whether a backlog is read: more waits, or that is only because it is fetched no faster than it is decoded."""
        lately_s = asyncio.get_running_loop().time() - self._times.wait_s()
        return self._intake.has_more or (not self._intake.is_closed and self._intake.filled_since(lately_s) >= 1)

    def _grow(self, chunks: Sequence[Chunk]) -> list[Chunk] | None:
        """Decode what has come since, and let its bytes go; the chunks as they are then. None: the batch goes as it is."""
        known = 0 if self._begun is None else len(self._begun.chunks)
        parts = 0 if self._begun is None else len(self._begun.making.taken)
        added = self._added_or_forgotten(self._begun, chunks, looks_up=False)
        if added is None:
            return None
        self._begun, _ = added
        making = self._begun.making
        if making.left or REFUSED_SHARE * _refused_bytes(making) > self._intake.bytes_max:
            return None
        let_go = [replace(chunk, records=LetGoRecords.of(chunk.records)) for chunk in chunks[known:]]
        self._begun.chunks[known:] = let_go
        making.taken[parts:] = let_go
        return list(self._begun.chunks)

    def _may_wait(self, fetched: Sequence[FetchedChunk], next_at_s: float) -> bool:
        """Whether it is worth looking: there is no backlog, and the batch has room for another fetch."""
        records = sum(len(one.chunk.records) for one in fetched) + len(self._intake)
        in_time = next_at_s <= self._last_s + self._times.wait_max_s()
        is_small = 2 * records <= self._intake.events_max
        return in_time and is_small and self._headroom.is_known and not self._intake.is_closed

    def _look(self, chunks: Sequence[Chunk]) -> TenantAmounts | None:
        """Decode what has come since: what all of the chunks add to totals, at most; None: that cannot be told, they have to go."""
        begun, self._begun = self._begun, None
        added = self._added_or_forgotten(begun, chunks, looks_up=True)
        if added is None or added[0].making.left:
            return None
        before = {} if begun is None else begun.amounts
        amounts = self._pipeline.added_to_tenants(added[1])
        if amounts is None or before is None:
            return None
        self._begun = replace(added[0], amounts=both(before, amounts))
        return self._begun.amounts

    def committed(self, batch: Batch) -> None:
        """It is in the store."""
        self._headroom.committed(self._pipeline.adds_to_tenants(batch.records) if self._headroom.is_kept else None)

    def prepare(self, chunks: Sequence[Chunk]) -> Prepared:
        """A batch of the chunks; what is decoded already is not decoded again. BytesLetGoError: it would have to be."""
        now_us, begun = self._now_us(), self._begun
        if begun is None or not self._goes_on(begun, chunks, now_us):
            self._begun = None
            check_at_hand(chunks)
            return self._pipeline.prepare_some(chunks, now_us, items_max=self._intake.events_max)
        making = begun.making
        if (more := chunks[len(begun.chunks) :]) and not making.left:
            making = making.copy()  # a store that is away leaves what was begun as it is
            self._pipeline.add(making, more, now_us, items_max=self._intake.events_max, looks_up=False)
        prepared = self._pipeline.made(making, now_us)
        self._begun = None
        return prepared

    def forget(self) -> None:
        """After a failure that nothing foresaw: what the pipeline has at hand may be half learnt, and so is what was made of it."""
        self._begun = None
        self._pipeline.forget()

    def _added_or_forgotten(self, begun: _Begun | None, chunks: Sequence[Chunk], *, looks_up: bool) -> _Added | None:
        """As `_added`; None also where that fails, as it is tried again as a batch, and said then."""
        try:
            return self._added(begun, chunks, looks_up=looks_up)
        except ServiceUnavailableError:
            return None
        except Exception as error:
            if is_culprits(error):
                self.forget()
                return None
            raise

    def _added(self, begun: _Begun | None, chunks: Sequence[Chunk], *, looks_up: bool) -> _Added | None:
        """What was begun with those chunks that follow, and what these bring, if it `looks_up` names; what was begun stays as it
        is. None: it cannot go on."""
        now_us = self._now_us()
        if begun is None:
            making, known = self._pipeline.begin(now_us), 0
        elif begun.making.left or not self._goes_on(begun, chunks, now_us):
            return None
        else:
            making, known = begun.making.copy(), len(begun.chunks)
        parts = self._pipeline.add(making, chunks[known:], now_us, items_max=self._intake.events_max, looks_up=looks_up)
        return _Begun(making, list(chunks)), parts

    def _goes_on(self, begun: _Begun, chunks: Sequence[Chunk], now_us: int) -> bool:
        """Whether these are the chunks that were begun with, perhaps followed by others, and the rules the same."""
        known = len(begun.chunks)
        same = len(chunks) >= known and all(one is other for one, other in zip(begun.chunks, chunks, strict=False))
        return same and self._pipeline.goes_on(begun.making, now_us)


def _refused_bytes(making: BatchInMaking) -> int:
    return sum(len(item.record.value or b"") for item in making.refused)
