"""Chunks that were fetched and wait to be processed: bounded, so that a slow store slows fetching instead of filling memory."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from rice_stream.pipeline.pipeline import Chunk


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A chunk and what has to be called once it is stored."""

    chunk: Chunk
    acknowledge: Any


class Intake:
    """Chunks in the order they came. One producer (the agent), one consumer (the batch loop)."""

    def __init__(self, *, events_max: int) -> None:
        self._events_max = events_max
        self._waiting: deque[FetchedChunk] = deque()
        self._events = 0
        self._changed = asyncio.Condition()
        self._closed = False

    def __len__(self) -> int:
        return self._events

    async def put(self, fetched: FetchedChunk) -> None:
        """Add a chunk; waits while more than a batch is waiting already. Once closed, chunks are left un-acked: they will
        be read again."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._events < self._events_max or self._closed)
            if self._closed:
                return
            self._waiting.append(fetched)
            self._events += len(fetched.chunk.records)
            self._changed.notify_all()

    async def take(self, *, wait_s: float) -> list[FetchedChunk]:
        """The chunks of the next batch, up to about `events_max` records; empty only when the intake is closed.

        With a backlog it returns at once. Without one it waits `wait_s` from the first chunk for more to come, which
        keeps transactions few at the price of that much latency.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._events or self._closed)
            if self._events < self._events_max and not self._closed:
                await self._settle(wait_s)
            taken: list[FetchedChunk] = []
            count = 0
            while self._waiting and (not taken or count + len(self._waiting[0].chunk.records) <= self._events_max):
                taken.append(self._waiting.popleft())
                count += len(taken[-1].chunk.records)
            self._events -= count
            self._changed.notify_all()
            return taken

    async def _settle(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait_for(lambda: self._events >= self._events_max or self._closed)
        except TimeoutError:
            return

    async def close(self) -> None:
        """No more chunks will come; `take` gives out what is left, then nothing."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()
