"""The time by which a worker works: the database's, which all workers share, and not that of its own machine.

On PostgreSQL the database's clock is asked once a minute and counted on in between with a clock that nobody sets. SQLite
is on the same machine and has the same clock.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError
from rice_stream.instants import datetime_of
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading
from rice_stream.worker.health import Telemetry

log = logging.getLogger(__name__)

MEASURE_INTERVAL_S = 60.0
OFFSET_MAX_S = 300.0
"""A machine's clock that is further off than this is wrong: logs and other programs there suffer, and somebody should know."""


class _Measured(NamedTuple):
    ledger_us: int
    monotonic_ns: int


class LedgerClock:
    """`now_us` and `now` for everything that the worker stores and judges. Safe for several threads."""

    def __init__(
        self,
        ask: Callable[[], int] | None,
        telemetry: Telemetry,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`ask` tells the database's time in epoch microseconds; None: the machine's own clock is the database's."""
        self._ask = ask
        self._telemetry = telemetry
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._measured: _Measured | None = None

    def now_us(self) -> int:
        """Epoch microseconds; by the machine's clock until the database was asked for the first time."""
        measured = self._measured
        if measured is None:
            return self._wall_ns() // 1000
        return measured.ledger_us + (self._monotonic_ns() - measured.monotonic_ns) // 1000

    def now(self) -> datetime:
        """The same in UTC."""
        return datetime_of(self.now_us())

    def measure(self) -> None:
        """Ask the database; its answer is taken for that of the middle between asking and hearing. What the machine's
        clock differs by goes to the metrics, and past five minutes to readiness. StoreUnavailableError: no answer."""
        if self._ask is None:
            return
        before_ns = self._monotonic_ns()
        ledger_us = self._ask()
        after_ns = self._monotonic_ns()
        self._measured = _Measured(ledger_us, (before_ns + after_ns) // 2)
        offset_s = (self._wall_ns() // 1000 - self.now_us()) / 1e6
        self._telemetry.metrics.clock_offset.set(offset_s)
        problem = None
        if abs(offset_s) > OFFSET_MAX_S:
            problem = (
                f"this machine's clock is {abs(offset_s):,.0f} s {'ahead of' if offset_s > 0 else 'behind'} the"
                " database's; the worker goes by the database's, but set the clock right"
            )
            log.warning("%s", problem)
        self._telemetry.heartbeat.set_problem("clock", problem)

    async def run(self) -> None:
        """Measure now and every minute, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.measure)
            except ServiceUnavailableError as error:
                log.warning("the database did not tell its time, trying again in a minute: %s", error)
            await asyncio.sleep(MEASURE_INTERVAL_S)


def open_ledger_clock(engine: Engine, telemetry: Telemetry) -> LedgerClock:
    """The clock of the database."""

    def ask() -> int:
        with reading(engine) as connection:
            return database_now_us(connection)

    return LedgerClock(ask if engine.dialect.name == "postgresql" else None, telemetry)
