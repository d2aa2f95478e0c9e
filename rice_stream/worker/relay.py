"""From the outbox to the alerts topic: publish, wait for the broker's word, then mark. At least once, ids are stable."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import Engine

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store import budget_store
from rice_stream.store.engine import reading, writing
from rice_stream.worker.health import Progress
from rice_stream.worker.metrics import Metrics

log = logging.getLogger(__name__)

Publish = Callable[[str, bytes], Awaitable[None]]
"""(key, value) -> returns when the broker has confirmed; ServiceUnavailableError when it has not."""
_RETRY_S = 1.0


class Relay:
    """Publishes what the outbox holds whenever it is woken, and every `interval_s` in any case (another worker may
    have put something there and died)."""

    def __init__(
        self, engine: Engine, publish: Publish, metrics: Metrics, progress: Progress, *, interval_s: float
    ) -> None:
        self._engine = engine
        self._publish = publish
        self._metrics = metrics
        self._progress = progress
        self._interval_s = interval_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something in the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.drain()
            except ServiceUnavailableError as error:
                self._metrics.alert_delivery_failures.inc()
                self._progress.set_problem("alerts", str(error))
                log.warning("alerts wait in the outbox, trying again: %s", error)
                await asyncio.sleep(_RETRY_S)
                self._wake.set()
            else:
                self._progress.set_problem("alerts", None)

    async def drain(self) -> int:
        """Publish all that is undelivered now; returns how many."""
        total = 0
        while rows := await asyncio.to_thread(self._undelivered):
            for row in rows:
                await self._publish(row["tenant_id"], row["event"].encode())
            await asyncio.to_thread(self._mark, [row["id"] for row in rows])
            self._metrics.alerts_delivered.inc(len(rows))
            total += len(rows)
        return total

    def _undelivered(self) -> list[dict[str, str]]:
        with reading(self._engine) as connection:
            return budget_store.undelivered_alerts(connection)

    def _mark(self, ids: list[str]) -> None:
        with writing(self._engine) as connection:
            budget_store.mark_delivered(connection, ids, time.time_ns() // 1000)
