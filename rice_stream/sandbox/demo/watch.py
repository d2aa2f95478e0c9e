"""Keeps the figures of the screen up to date: reads the store twice a second, in a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rice_stream.reports.figures import NOTHING, Figures, read_figures
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING

INTERVAL_S = 0.5
RATE_INTERVAL_S = 1.0
RATES_MAX = 300


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures as last read; `waiting` events had been confirmed by Kafka and were not yet in the store then."""

    figures: Figures = NOTHING
    waiting: int = 0
    rates_per_s: tuple[float, ...] = ()


class Watch:
    """`latest` may be read from any thread. `sent` tells how many events Kafka has confirmed."""

    def __init__(self, engine: Engine, sent: Callable[[], int]) -> None:
        self.latest = Snapshot()
        self._engine = engine
        self._sent = sent
        self._rates_per_s: deque[float] = deque(maxlen=RATES_MAX)
        self._measured_s = time.monotonic()
        self._measured_prompts = 0

    def run(self, stop: threading.Event) -> None:
        """Refresh until `stop` is set. StoreUnavailableError: the database does not answer."""
        while not stop.wait(INTERVAL_S):
            self.refresh()

    def refresh(self) -> Snapshot:
        """Read the figures now."""
        sent = self._sent()  # before the store is read: what comes later is not late
        figures = read_figures(self._engine, EVERYTHING, datetime.now(UTC))
        now_s = time.monotonic()
        if (passed_s := now_s - self._measured_s) >= RATE_INTERVAL_S:
            self._rates_per_s.append((figures.totals.prompts - self._measured_prompts) / passed_s)
            self._measured_s, self._measured_prompts = now_s, figures.totals.prompts
        waiting = max(sent - figures.accounted.events, 0)
        self.latest = Snapshot(figures, waiting, tuple(self._rates_per_s))
        return self.latest
