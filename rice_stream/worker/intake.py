"""Chunks that were fetched and wait to be processed: bounded, so that a slow store slows fetching instead of filling memory."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rice_stream.pipeline.chunks import Chunk
from rice_stream.worker.sized_records import bytes_of

BATCH_BYTES_MAX = 17 * 1024 * 1024
"""Most bytes of records that a batch takes at once, and that wait for it; a larger chunk is taken by itself."""
LET_GO_BYTES = 16
"""What a record takes whose key and value were let go, about."""
LARGE_SHARE = 4
"""Records are large where their bytes fill a batch of one in so many of the records that it may have."""
TOGETHER_S = 0.02
"""Within this the chunks of one fetch arrive."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A chunk and what has to be called once it is stored."""

    chunk: Chunk
    acknowledge: Any
    size_bytes: int = 0
    arrived_ns: int | None = None
    """When it was handed over, in epoch nanoseconds."""
    is_void: Callable[[], bool] = _never
    """Whether its records are read again, so that this one must not be stored before they are."""


def fetched_chunk(chunk: Chunk, acknowledge: Any, is_void: Callable[[], bool] = _never) -> FetchedChunk:
    """With the bytes that its records take; it arrives now."""
    return FetchedChunk(chunk, acknowledge, bytes_of(chunk.records), time.time_ns(), is_void)


class Intake:
    """Chunks in the order they came. One producer (the agent), one consumer (the batch loop)."""

    def __init__(self, *, events_max: int, bytes_max: int = BATCH_BYTES_MAX) -> None:
        self.events_max = events_max
        """Most records that a batch takes, and most events."""
        self.bytes_max = bytes_max
        """Most bytes of records that are taken at once, and that wait."""
        self._waiting: deque[FetchedChunk] = deque()
        self._records = 0
        self._bytes = 0
        self._taken_bytes = 0
        self._taken_s = -math.inf
        self._lately: deque[tuple[float, float]] = deque()
        """When records were taken, and what share of a batch they fill."""
        self._changed = asyncio.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Records that wait."""
        return self._records

    @property
    def size_bytes(self) -> int:
        """Bytes of the records that wait, and of those that were taken and are not given back yet."""
        return self._bytes + self._taken_bytes

    def _is_full(self) -> bool:
        return self._records >= self.events_max or self._bytes >= self.bytes_max

    async def put(self, fetched: FetchedChunk) -> None:
        """Add a chunk; waits while more than a batch is waiting already. Once closed, chunks are left un-acked: they will
        be read again."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_full() or self._closed)
            if self._closed:
                return
            self._waiting.append(fetched)
            self._records += len(fetched.chunk.records)
            self._bytes += fetched.size_bytes
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether no more will come."""
        return self._closed

    async def take(self, *, wait_s: float, until_s: float | None = None) -> list[FetchedChunk]:
        """The chunks of the next batch, up to about `events_max` records and `bytes_max` bytes; empty only when the intake
        is closed, or when nothing has come by `until_s` of the loop's clock.

        With a backlog it returns at once. Without one there are `wait_s` between two batches, which keeps transactions few at
        the price of that much latency; what comes after a quiet while, or at the end of a backlog, waits only for what was
        fetched with it.
        """
        loop = asyncio.get_running_loop()
        async with self._changed:
            try:
                async with asyncio.timeout_at(until_s):
                    await self._changed.wait_for(lambda: self._records or self._closed)
            except TimeoutError:
                return []
            if not self._is_full() and not self._closed:
                together_s = min(wait_s, TOGETHER_S)
                after_backlog = self.filled_since(loop.time() - wait_s) > 0.5
                await self._settle(
                    together_s if after_backlog else max(self._taken_s + wait_s - loop.time(), together_s)
                )
            self._taken_s = loop.time()
            taken: list[FetchedChunk] = []
            records = size_bytes = 0
            while self._waiting and (not taken or self._has_room(self._waiting[0], records, size_bytes)):
                taken.append(self._waiting.popleft())
                records += len(taken[-1].chunk.records)
                size_bytes += taken[-1].size_bytes
            self._lately.append((self._taken_s, max(records / self.events_max, size_bytes / self.bytes_max)))
            self._records -= records
            self._bytes -= size_bytes
            self._taken_bytes += size_bytes
            self._changed.notify_all()
            return taken

    def filled_since(self, since_s: float) -> float:
        """How many batches would be full of what was taken since that instant of the loop's clock, or last: of its records or their
        bytes."""
        while len(self._lately) > 1 and self._lately[0][0] < since_s:
            self._lately.popleft()
        return sum(share for _, share in self._lately)

    def _has_room(self, following: FetchedChunk, records: int, size_bytes: int) -> bool:
        return (
            records + len(following.chunk.records) <= self.events_max
            and size_bytes + following.size_bytes <= self.bytes_max
        )

    @property
    def has_more(self) -> bool:
        """Whether any waits, and more may come."""
        return self._records > 0 and not self._closed

    def is_large(self, fetched: FetchedChunk) -> bool:
        """Whether a batch of such records is full by their bytes long before it is by their number."""
        return fetched.size_bytes * self.events_max >= LARGE_SHARE * self.bytes_max * len(fetched.chunk.records)

    def without_bytes(self, fetched: FetchedChunk, chunk: Chunk) -> FetchedChunk:
        """A chunk that was taken, as `chunk`, of which the bytes were let go."""
        size_bytes = LET_GO_BYTES * len(chunk.records)
        self._taken_bytes += size_bytes - fetched.size_bytes
        return replace(fetched, chunk=chunk, size_bytes=size_bytes)

    def give_back(self, fetched: FetchedChunk) -> None:
        """A chunk that was taken is stored, or will be read again: its records are in memory no longer."""
        self._taken_bytes -= fetched.size_bytes

    async def _settle(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait_for(lambda: self._is_full() or self._closed)
        except TimeoutError:
            return

    async def close(self) -> None:
        """No more chunks will come; `take` gives out what is left, then nothing."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()
