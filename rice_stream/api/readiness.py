"""Whether events can be put on Kafka now: looked at once a second at most, however many ask.

What is wrong goes to the log in full; who asks learns only what kind of problem it is, because anybody may ask.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from rice_stream.errors import RiceError, ServiceUnavailableError

log = logging.getLogger(__name__)

HOLDS_S = 1.0
_TIMEOUT_S = 2.0


class Readiness:
    """`check(timeout_s)` blocks, and raises RiceError where something is wrong."""

    def __init__(self, check: Callable[[float], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked_at_s: float | None = None
        self._problem: str | None = None
        self._logged: str | None = None

    async def problem(self) -> str | None:
        """What to tell anybody who asks; None where nothing is wrong."""
        async with self._lock:
            if self._looked_at_s is None or self._clock() - self._looked_at_s >= HOLDS_S:
                self._problem = await self._look()
                self._looked_at_s = self._clock()
            return self._problem

    async def _look(self) -> str | None:
        try:
            await asyncio.to_thread(self._check, _TIMEOUT_S)
        except ServiceUnavailableError as error:
            return self._said(str(error), "no broker answers; the log says more")
        except RiceError as error:
            return self._said(str(error), "the topic cannot be written to; the log says more")
        return self._said(None, None)

    def _said(self, found: str | None, public: str | None) -> str | None:
        """Log what changed, not what every probe finds again."""
        if found != self._logged:
            log.warning("not ready: %s", found) if found is not None else log.info("ready again")
            self._logged = found
        return public
