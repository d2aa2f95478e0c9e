"""Work that needs the store, tried again for a bounded time while it is away."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from rice_stream.store.engine import StoreUnavailableError
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)
T = TypeVar("T")

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0


class StoreRetry:
    """Runs work in threads. Fetching pauses while it is tried again: the intake fills up and takes no more."""

    def __init__(self, telemetry: Telemetry, retry_s: float) -> None:
        """`retry_s`: for how long."""
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._retry_s = retry_s
        self._failing: set[ThreadPoolExecutor] = set()
        """Whose last try failed: preparing may succeed (all names are known) while committing does not."""

    async def run(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """What the work returns. StoreUnavailableError: the store stayed away."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._retry_s
        pause_s = _BACKOFF_FIRST_S
        while True:
            try:
                result = await loop.run_in_executor(thread, copy_context().run, work)
            except StoreUnavailableError as error:
                self._failing.add(thread)
                self._heartbeat.set_problem("store", str(error))
                if loop.time() + pause_s > deadline:
                    raise StoreUnavailableError(
                        f"{error}. It stayed away for {self._retry_s:g} s (RICE_STORE_RETRY_S), so the worker"
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
