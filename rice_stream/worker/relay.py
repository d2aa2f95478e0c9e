"""When the outbox is published: after a change, and every few seconds."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from rice_stream.alerting.outbox import Confirmed, Publish, publish_undelivered
from rice_stream.errors import ServiceUnavailableError
from rice_stream.instants import SECOND_US
from rice_stream.store.engine import Engine
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_JUDGEMENTS_KEPT = 64
"""Of more than these judgements whose alerts wait, the oldest count from when they were judged."""


class Relay:
    """Publishes what the outbox holds whenever it is woken, and every `interval_s` in any case: another worker may have
    put something there and died."""

    def __init__(
        self,
        engine: Engine,
        publish: Publish,
        telemetry: Telemetry,
        *,
        interval_s: float,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """`now_us` is the clock that budgets are judged by."""
        self._engine = engine
        self._publish = publish
        self._metrics = telemetry.metrics
        self._heartbeat = telemetry.heartbeat
        self._interval_s = interval_s
        self._now_us = now_us
        self._wake = asyncio.Event()
        self._judged: deque[tuple[int, int]] = deque(maxlen=_JUDGEMENTS_KEPT)

    def wake(self, judged_at_us: int, committed_at_us: int) -> None:
        """There is something in the outbox: of budgets judged then, after a commit of that time."""
        self._judged.append((judged_at_us, committed_at_us))
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
        await publish_undelivered(self._engine, self._publish, self._delivered, self._now_us)

    def _delivered(self, alerts: Sequence[Confirmed]) -> None:
        self._metrics.alerts_delivered.inc(len(alerts))
        committed_at_us = dict(self._judged)
        for created_at_us, confirmed_at_us in alerts:
            # Of alerts that another worker judged, nobody here knows the commit: they count from their judgement.
            began_at_us = committed_at_us.get(created_at_us, created_at_us)
            self._metrics.alert_latency.observe(max(0, confirmed_at_us - began_at_us) / SECOND_US)
