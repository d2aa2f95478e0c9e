"""When the outbox is published: after a change, and every few seconds."""

import asyncio
import contextlib
import logging

from rice_stream.alerting.outbox import Publish, publish_undelivered
from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)

_RETRY_S = 1.0


class Relay:
    """Publishes what the outbox holds whenever it is woken, and every `interval_s` in any case: another worker may have
    put something there and died."""

    def __init__(self, engine: Engine, publish: Publish, telemetry: Telemetry, *, interval_s: float) -> None:
        self._engine = engine
        self._publish = publish
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._interval_s = interval_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something in the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.drain()
            except ServiceUnavailableError as error:
                self._metrics.alert_delivery_failures.inc()
                self._heartbeat.set_problem("alerts", str(error))
                log.warning("alerts wait in the outbox, trying again: %s", error)
                await asyncio.sleep(_RETRY_S)
                self._wake.set()
            else:
                self._heartbeat.set_problem("alerts", None)

    async def drain(self) -> None:
        """Publish all that is undelivered now."""
        await publish_undelivered(self._engine, self._publish, self._metrics.alerts_delivered.inc)
