"""Batches of a backlog that share a transaction: each is written as soon as it is prepared, and all are committed together.

Most rows of totals are the same for all of them, so adding to these costs as much for several batches as for one; and each is
small, so that few records are in memory twice.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

BATCHES_MAX = 4
BATCH_EVENTS_MIN = 100
"""What a batch costs however small it is, is not worth less than so many events."""
JOIN_WAIT_S = 1.0
"""So long a transaction stays open for the next batch. What prepares that may wait for a lock, behind somebody who waits for this
transaction: then it has to end."""
Work = TypeVar("Work")


def batches_sharing(events_max: int) -> int:
    """How many batches share a transaction of at most so many events.

    >>> [batches_sharing(events_max) for events_max in (1, 50, 250, 500, 80_000)]
    [1, 1, 2, 4, 4]
    """
    return max(1, min(BATCHES_MAX, events_max // BATCH_EVENTS_MIN))


class SharedTransaction(Generic[Work]):
    """Batches of one transaction, in their order. One task joins them, another one writes and commits them."""

    def __init__(self, first: Work, batches_max: int) -> None:
        """`batches_max`: so many and no more."""
        self.works = [first]
        self._batches_max = batches_max
        self._written = 0
        self._changed = asyncio.Condition()
        self._closed = batches_max <= 1

    async def joins(self, work: Work) -> bool:
        """Let a batch in, once those before it are written. False: none is let in any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._written == len(self.works))
            if self._closed:
                return False
            self.works.append(work)
            self._closed = len(self.works) >= self._batches_max
            self._changed.notify_all()
            return True

    async def close(self) -> None:
        """Nothing joins any more."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def each(self) -> AsyncIterator[Work]:
        """The batches, each of which is written when the next one is asked for; after the last one none may join."""
        while True:
            async with self._changed:
                if self._written == len(self.works) and not self._closed:
                    await self._wait_for_another()
                if self._written == len(self.works):
                    return
                work = self.works[self._written]
            yield work
            async with self._changed:
                self._written += 1
                self._changed.notify_all()

    async def _wait_for_another(self) -> None:
        try:
            async with asyncio.timeout(JOIN_WAIT_S):
                await self._changed.wait_for(lambda: self._closed or self._written < len(self.works))
        except TimeoutError:
            self._closed = True
            self._changed.notify_all()
