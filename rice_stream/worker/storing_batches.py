"""Batches on their way into the store: one transaction at a time, and what is left to do after it while the next one runs."""

import asyncio
from collections.abc import Callable, Coroutine


class StoringBatches:
    """At most one batch in its transaction. For one task at a time."""

    def __init__(self) -> None:
        self._committed: asyncio.Future[None] | None = None
        """Of the last batch: done once its transaction is, where nothing can go wrong with that any more."""
        self._whole: list[asyncio.Task[None]] = []
        """Storing each batch that is not known to be done with all of it, metrics and acknowledgements, in their order."""

    @property
    def is_idle(self) -> bool:
        """Whether all of them are known to be done."""
        return not self._whole

    def begin(self, store: Callable[[asyncio.Future[None]], Coroutine[None, None, None]]) -> None:
        """Store a batch; `store` may say that its transaction is done before it ends itself. The one before has to be committed."""
        self._committed = asyncio.get_running_loop().create_future()
        self._whole.append(asyncio.create_task(store(self._committed)))

    async def until_committed(self) -> None:
        """Until the next batch may begin. Raises what storing the last one, or one before it, does."""
        if self._committed is not None:
            await asyncio.wait([self._whole[-1], self._committed], return_when=asyncio.FIRST_COMPLETED)
            self._committed = None
        while self._whole and (len(self._whole) > 1 or self._whole[0].done()):
            await self._first()

    async def until_done(self) -> None:
        """Until all of them are stored and acknowledged. Raises what storing one of them does."""
        self._committed = None
        while self._whole:
            await self._first()

    async def _first(self) -> None:
        try:
            await self._whole[0]
        finally:
            if self._whole[0].done():
                del self._whole[0]

    async def end(self) -> None:
        """Until nothing runs any more, however it ends."""
        if self._whole:
            await asyncio.wait(self._whole)
