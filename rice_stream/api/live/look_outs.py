"""One look-out for each scope that somebody listens to, however many do: it asks the database, and wakes them all."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from rice_stream.errors import RiceError
from rice_stream.reports.signs import Signs
from rice_stream.store.scope import Scope

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""How often a scope is looked at, where that is quick."""
_SHARE = 0.05
"""At most so much of the time is spent looking: a scope that takes long is looked at less often."""

Look = Callable[[Scope], Awaitable[Signs]]
"""What a scope's signs are now. RiceError: that cannot be said now."""


class LookOut:
    """The look-out of one scope. For one event loop."""

    def __init__(self) -> None:
        self.signs: Signs | None = None
        self.is_stale = False
        """Whether the last look failed: what is known may be old."""
        self.listeners = 0
        self._turned = asyncio.Event()

    async def turn(self, within_s: float) -> None:
        """Wait until something is different, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._turned.wait()

    def found(self, signs: Signs) -> None:
        """What a look has found."""
        if self.is_stale or self.signs is None or signs.id != self.signs.id:
            self.signs, self.is_stale = signs, False
            self._turn()

    def failed(self) -> None:
        """A look has failed."""
        if not self.is_stale:
            self.is_stale = True
            self._turn()

    def _turn(self) -> None:
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()


class LookOuts:
    """All of them; a scope is looked at only while somebody listens to it."""

    def __init__(self, look: Look, every_s: float = EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._watches: dict[Scope, LookOut] = {}
        self._tasks: dict[Scope, asyncio.Task[None]] = {}

    @property
    def watched(self) -> int:
        """How many scopes are looked at."""
        return len(self._tasks)

    @contextmanager
    def listening(self, scope: Scope) -> Iterator[LookOut]:
        """The look-out of a scope, for as long as somebody listens to it."""
        watch = self._watches.get(scope)
        if watch is None:
            watch = self._watches[scope] = LookOut()
            self._tasks[scope] = asyncio.create_task(self._keep_looking(scope, watch))
        watch.listeners += 1
        try:
            yield watch
        finally:
            watch.listeners -= 1
            if not watch.listeners and self._watches.get(scope) is watch:
                del self._watches[scope]
                self._tasks.pop(scope).cancel()

    async def _keep_looking(self, scope: Scope, watch: LookOut) -> None:
        while True:
            began_s = time.monotonic()
            try:
                watch.found(await self._look(scope))
            except RiceError as error:
                if not watch.is_stale:
                    log.warning("open pages are told that figures are old: %s", error)
                watch.failed()
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(self._every_s, took_s / _SHARE))
