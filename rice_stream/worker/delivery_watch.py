"""Deliveries to channels are sent by `rice-stream serve`. Where there are channels and no server, a worker notices."""

import asyncio
import logging

from rice_stream.alerting.tries import figures
from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine
from rice_stream.worker.metrics import Metrics

log = logging.getLogger(__name__)

INTERVAL_S = 15.0


class DeliveryWatch:
    """Shows how long deliveries have waited for a server, and warns when that begins."""

    def __init__(self, engine: Engine, metrics: Metrics, *, interval_s: float = INTERVAL_S) -> None:
        self._engine = engine
        self._metrics = metrics
        self._interval_s = interval_s
        self._is_overdue = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except ServiceUnavailableError as error:
                log.info("whether deliveries wait is not known now: %s", error)
            await asyncio.sleep(self._interval_s)

    def look(self) -> None:
        """Once. StoreUnavailableError: the database does not answer."""
        stand = figures(self._engine)
        self._metrics.delivery_overdue.set(stand.overdue_s)
        if stand.overdue_s and not self._is_overdue:
            log.warning(
                "%d channel(s), and no server sends to them: run `rice-stream serve` on this database", stand.channels
            )
        self._is_overdue = bool(stand.overdue_s)
