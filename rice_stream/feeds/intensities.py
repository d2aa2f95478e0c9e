"""Live carbon intensity for the worker: fetched in the background, asked from memory; an outage never stops accounting."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from rice_stream.feeds.client import HttpClient, HttpLimits, NoReplyError
from rice_stream.feeds.sources import LiveFeedError, LiveRecord, LiveSource, record_at
from rice_stream.meter.live_intensity import LiveIntensity

log = logging.getLogger(__name__)

_LOOK_BACK_US = 24 * 3_600_000_000
"""Feeds are asked for the last day: late events get the value of their own hour."""
_ADVICE = {
    401: "the access token is wrong or has run out",
    403: "the token may not read this zone",
    404: "the zone or address is unknown",
    429: "too many requests: refresh less often",
}


class LiveIntensities:
    """The look-up that `resolve_factors` takes. A look-up reads what is in memory; only `refresh` asks the feed.

    `zones`: region id -> the feed's zone; a region without one uses the tables. `scope`: lifecycle or direct; values of
    the other scope, and marginal ones, are not used.
    """

    def __init__(
        self,
        source: LiveSource,
        zones: Mapping[str, str],
        *,
        scope: str,
        refresh_s: float,
        limits: HttpLimits | None = None,
    ) -> None:
        self._source = source
        self._zones = zones
        self._scope = scope
        self._refresh_s = refresh_s
        self._limits = limits
        self._records: dict[str, list[LiveRecord]] = {}
        """By zone; a zone's list is replaced whole, never changed, so that any thread may read it."""
        self._stop = threading.Event()
        self.generation = 0
        """Grows with every refresh: what was resolved without a value may have one now."""

    def __call__(self, region_id: str, at_us: int) -> LiveIntensity | None:
        """The feed's value for the hour of `at_us`, or None: no zone, no value, or one of another scope or no average."""
        zone = self._zones.get(region_id)
        record = record_at(self._records.get(zone, ()), at_us) if zone is not None else None
        if record is None or (record.scope, record.signal) != (self._scope, "average"):
            return None
        word = "estimated" if record.estimated else record.kind
        source = f"{record.provider} zone {record.zone} ({word})"
        return LiveIntensity(record.rci_gco2e_per_kwh, source, record.estimated)

    def refresh(self) -> None:
        """Fetch all zones once, in an event loop of this thread; a zone that fails is logged and keeps what it had."""
        asyncio.run(self._refresh())
        self.generation += 1

    async def _refresh(self) -> None:
        now_us = time.time_ns() // 1000
        async with HttpClient(self._limits) as http:
            for zone in sorted(set(self._zones.values())):
                try:
                    self._records[zone] = await fetch(http, self._source, zone, now_us - _LOOK_BACK_US, now_us)
                except LiveFeedError as error:
                    log.warning("live carbon intensity of zone %s is not available, the tables answer: %s", zone, error)

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


async def fetch(http: HttpClient, source: LiveSource, zone: str, start_us: int, end_us: int) -> list[LiveRecord]:
    """What the source says of a zone from start to end (UTC microseconds), retrieved at the end.

    LiveFeedError: it cannot be reached in time, refuses (401, 429: see the message), or its answer cannot be used.
    """
    request = source.request(zone, start_us, end_us)
    try:
        reply = await http.get(request.url, request.headers)
    except NoReplyError as error:
        raise LiveFeedError(f"{source.name}: {error}") from error
    if not 200 <= reply.status < 300:
        advice = _ADVICE.get(reply.status, "see the feed's status page")
        raise LiveFeedError(f"{source.name}: {urlsplit(request.url).netloc} answered {reply.status} ({advice})")
    try:
        decoded = json.loads(reply.body)
    except ValueError as error:
        raise LiveFeedError(f"{source.name}: the reply is not JSON") from error
    return source.parse(decoded, zone, end_us)
