"""Live carbon intensity for the worker: fetched in the background, asked from memory; an outage never stops accounting."""

import logging
import threading
import time

from rice_stream.errors import ServiceUnavailableError
from rice_stream.feeds.client import LiveFeed
from rice_stream.feeds.sources import LiveSource
from rice_stream.meter.factors import LiveIntensity

log = logging.getLogger(__name__)

_LOOK_BACK_US = 24 * 3_600_000_000
"""Feeds are asked for the last day: late events get the value of their own hour."""


class LiveIntensities:
    """The look-up that `resolve_factors` takes. Regions without a zone in RICE_LIVE_FEED_ZONES use the tables."""

    def __init__(self, source: LiveSource, zones: dict[str, str], *, scope: str, refresh_s: float) -> None:
        self._feed = LiveFeed(source, max_age_s=refresh_s)
        self._source = source
        self._zones = zones
        self._scope = scope
        self._refresh_s = refresh_s
        self._stop = threading.Event()
        self.generation = 0
        """Grows with every refresh: what was resolved without a value may have one now."""

    def __call__(self, region_id: str, at_us: int) -> LiveIntensity | None:
        """The feed's value for the hour of `at_us`, or None: no zone, no value, or one of another scope."""
        zone = self._zones.get(region_id)
        record = self._feed.lookup(zone, at_us) if zone is not None else None
        if record is None or record.scope != self._scope:
            return None
        word = "estimated" if record.estimated else record.kind
        return LiveIntensity(record.rci_gco2e_per_kwh, f"{record.provider} zone {record.zone} ({word})")

    def refresh(self) -> None:
        """Fetch all zones once; a zone that fails is logged and keeps what it had."""
        now_us = time.time_ns() // 1000
        for zone in sorted(set(self._zones.values())):
            try:
                self._feed.refresh(zone, now_us - _LOOK_BACK_US, now_us, retrieved_at_us=now_us)
            except ServiceUnavailableError as error:
                log.warning("live carbon intensity of zone %s is not available, the tables answer: %s", zone, error)
        self.generation += 1

    def run(self) -> None:
        """Refresh until `close`; for a thread of its own."""
        while not self._stop.wait(self._refresh_s):
            self.refresh()

    def start(self) -> None:
        """Fetch once now, then in the background."""
        self.refresh()
        threading.Thread(target=self.run, name="rice-live-feed", daemon=True).start()

    def close(self) -> None:
        """End the background thread."""
        self._stop.set()
