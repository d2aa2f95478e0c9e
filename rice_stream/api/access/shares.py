"""How much of the server one caller may take up, so that none starves the others."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from rice_stream.api.bodies import HELD_BYTES_MAX, HeldBytes
from rice_stream.api.ingestion.publishing import QUEUE_EVENTS_MAX
from rice_stream.api.limits import AtOnce, Bucket, RateLimit
from rice_stream.api.problems import later

IN_FLIGHT_MAX = 256
"""Requests worked on at once; each may hold a body of RICE_HTTP_BODY_MAX_BYTES in memory."""
REQUESTS_MAX = 448
"""The same, with those whose bodies are still on their way: connections are left for `/healthz` (`server.CONNECTIONS_MAX`)."""
TOKEN_CONCURRENCY = 64
"""Requests at once of one token, where it does not say."""
STREAMS_MAX = 16
"""Answers without an end at once, of one token or person: a browser has no more than six of a server at a time."""
_REST_CONCURRENCY = 320
_TOKEN_SHARE = 0.25
"""Of the room for bodies that arrive and of the queue to the broker, for each token."""
_REST = 0.75
"""The same for RICE_HTTP_TOKEN and for loopback without a token: something is always left for others."""
_TOKEN_READS, _REST_READS = 2, 4
"""Bodies that are taken apart at once."""
_KEPT_REFUSALS_PER_S, _KEPT_REFUSALS_AT_ONCE = 10.0, 1_000.0
"""Refused items that are kept for looking up: a sender of nothing else must not fill the database."""


class Share:
    """How much one caller takes up now, and the most that it may."""

    def __init__(self, *, requests_per_s: float, concurrency: int, share: float, reads: int) -> None:
        self.rate = RateLimit(requests_per_s)
        self.held = HeldBytes(lambda: round(HELD_BYTES_MAX * share))
        self.reads = asyncio.Semaphore(reads)
        self.refusals = Bucket(_KEPT_REFUSALS_PER_S, _KEPT_REFUSALS_AT_ONCE)
        self.requests = AtOnce(concurrency, f"more than {concurrency} requests at once")
        """From their first bytes to their answers."""
        self.streams = AtOnce(STREAMS_MAX, f"more than {STREAMS_MAX} streams at once")
        self._events_max = round(QUEUE_EVENTS_MAX * share)
        self._events = 0

    @contextmanager
    def events(self, count: int) -> Iterator[None]:
        """Events on their way to the broker. ProblemError 429: too many at once; one body is always taken."""
        if self._events and self._events + count > self._events_max:
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"{self._events:,} of your events wait for the broker already", 1)
        self._events += count
        try:
            yield
        finally:
            self._events -= count


def share_of_token(requests_per_s: float, concurrency: int | None = None) -> Share:
    """What one token, or one person who is signed in, may take up."""
    return Share(
        requests_per_s=requests_per_s,
        concurrency=concurrency or TOKEN_CONCURRENCY,
        share=_TOKEN_SHARE,
        reads=_TOKEN_READS,
    )


def share_of_everything(requests_per_s: float) -> Share:
    """What RICE_HTTP_TOKEN may take up, and loopback without a token."""
    return Share(requests_per_s=requests_per_s, concurrency=_REST_CONCURRENCY, share=_REST, reads=_REST_READS)
