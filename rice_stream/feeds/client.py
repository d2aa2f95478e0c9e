"""Fetches live carbon intensities and keeps them at hand. The only module of this package that uses the network.

Two halves, so that no request ever waits for a feed: `refresh` asks the feed (for a background task), `lookup` reads
what is at hand.
"""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rice_stream.feeds.sources import LiveFeedError, LiveRecord, LiveRequest, LiveSource, record_at

MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_ZONES = 1024
"""Zones kept; the one that was refreshed longest ago goes first."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would hand the access token to another host."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Fetched:
    at_s: float
    start_us: int
    end_us: int
    records: list[LiveRecord]


class LiveFeed:
    """One source with a bounded cache. Safe for use from several threads.

    `failures` counts refreshes that failed and `last_error` holds the latest reason, for metrics and `check`: a feed
    that is down is visible, and the tables answer meanwhile.
    """

    def __init__(self, source: LiveSource, *, timeout_s: float = 5.0, max_age_s: float = 900.0) -> None:
        """`max_age_s`: a zone is fetched again once its values are older than this."""
        self.source = source
        self.failures = 0
        self.last_error: str | None = None
        self._timeout_s = timeout_s
        self._max_age_s = max_age_s
        self._zones: OrderedDict[str, _Fetched] = OrderedDict()
        self._lock = Lock()
        self._opener = build_opener(_NoRedirect)

    def lookup(self, zone: str, at_us: int) -> LiveRecord | None:
        """The record at hand that holds at that time (UTC microseconds), None where there is none."""
        with self._lock:
            entry = self._zones.get(zone)
        return record_at(entry.records, at_us) if entry else None

    def refresh(self, zone: str, start_us: int, end_us: int, *, retrieved_at_us: int) -> list[LiveRecord]:
        """Fetch a zone from start to end unless that was fetched within `max_age_s`; what the feed says about it.

        Raises LiveFeedError when the feed cannot be reached in time, refuses (401, 429: see the message) or answers
        something that cannot be used. What was at hand before stays.
        """
        with self._lock:
            entry = self._zones.get(zone)
        if entry is not None and entry.start_us <= start_us and end_us <= entry.end_us and self._is_fresh(entry):
            return list(entry.records)
        try:
            reply = self._get(self.source.request(zone, start_us, end_us))
            records = self.source.parse(reply, zone, retrieved_at_us)
        except LiveFeedError as error:
            with self._lock:
                self.failures += 1
                self.last_error = str(error)
            raise
        with self._lock:
            self._zones[zone] = _Fetched(time.monotonic(), start_us, end_us, records)
            self._zones.move_to_end(zone)
            while len(self._zones) > MAX_ZONES:
                self._zones.popitem(last=False)
        return list(records)

    def _is_fresh(self, entry: _Fetched) -> bool:
        return time.monotonic() - entry.at_s < self._max_age_s

    def _get(self, request: LiveRequest) -> object:
        name = self.source.name
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "https"):
            raise LiveFeedError(f"{name}: the address must begin with https:// or http://, got {parts.scheme!r}")
        try:
            # The scheme was checked above: no file: or other handler is reached.
            prepared = Request(request.url, headers=dict(request.headers))  # noqa: S310
            with self._opener.open(prepared, timeout=self._timeout_s) as response:
                body = response.read(MAX_REPLY_BYTES + 1)
        except HTTPError as error:
            raise LiveFeedError(f"{name}: {parts.netloc} answered {error.code} ({_advice(error.code)})") from error
        except (URLError, TimeoutError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise LiveFeedError(
                f"{name}: {parts.netloc} could not be reached within {self._timeout_s:g} s ({reason})"
            ) from error
        if len(body) > MAX_REPLY_BYTES:
            raise LiveFeedError(f"{name}: the reply is larger than {MAX_REPLY_BYTES} bytes; ask for a shorter time")
        try:
            return json.loads(body)
        except ValueError as error:
            raise LiveFeedError(f"{name}: the reply is not JSON") from error


def _advice(status: int) -> str:
    return {
        401: "the access token is wrong or has run out",
        403: "the token may not read this zone",
        404: "the zone or address is unknown",
        429: "too many requests: refresh less often",
    }.get(status, "see the feed's status page")
