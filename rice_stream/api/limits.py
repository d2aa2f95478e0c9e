"""Who may send, and how much."""

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.problems import ProblemError, later
from rice_stream.errors import UsageError
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.settings.settings import Settings

_SENDABLE = re.compile(r"[ -~]+")
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z.-]+))(?::[0-9]{1,5})?")


def check_token(settings: Settings) -> None:
    """UsageError: no request could carry RICE_HTTP_TOKEN."""
    wanted = token(settings)
    if wanted == "":
        raise UsageError("RICE_HTTP_TOKEN: is empty; leave it out or set one")
    if wanted is not None and not _SENDABLE.fullmatch(wanted):
        raise UsageError("RICE_HTTP_TOKEN: no header can carry it; use ASCII letters, digits and signs on one line")


def token(settings: Settings) -> str | None:
    """RICE_HTTP_TOKEN, without the white space around it: a secret that is mounted as a file ends with a newline."""
    return None if settings.http_token is None else settings.http_token.get_secret_value().strip()


def check_host(request: Request) -> None:
    """ProblemError 421: the request was meant for another host than this machine's loopback.

    A page may let its own name point to 127.0.0.1 (DNS rebinding); the browser then takes this server for the page's,
    and sends the page's name as Host.
    """
    named = request.headers.getlist("host")
    parts = _HOST.fullmatch(named[0].strip()) if len(named) == 1 else None
    if parts is None or not is_loopback((parts["address"] or parts["name"]).lower()):
        raise ProblemError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "without a token only requests to localhost, 127.0.0.1 or [::1] are answered;"
            " send them there, or set a token",
        )


class AtOnce:
    """How many requests are under way, and the most that there may be. For one thread."""

    def __init__(self, most: int, problem: str) -> None:
        """`problem` is what a sender is told when there are as many."""
        self.most = most
        self._problem = problem
        self.now = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """One request, for as long as it takes. ProblemError 429: there are as many as may be."""
        if self.now >= self.most:
            raise later(HTTPStatus.TOO_MANY_REQUESTS, self._problem, 1)
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1


class Bucket:
    """So many a second on average, and up to `most` at once. For one thread."""

    def __init__(self, per_s: float, most: float) -> None:
        self.per_s = per_s
        self._most = max(most, 1.0)
        self._left = self._most
        self._at_s = time.monotonic()

    @property
    def most(self) -> float:
        """How many there can be at once."""
        return self._most

    def left(self) -> float:
        """How many there are now."""
        return min(self._most, self._left + (time.monotonic() - self._at_s) * self.per_s)

    def take(self, count: int = 1) -> float:
        """Take so many, all or none; returns 0, or in how many seconds there will be as many."""
        now_s = time.monotonic()
        self._left = min(self._most, self._left + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._left < count:
            return (count - self._left) / self.per_s
        self._left -= count
        return 0.0


class RateLimit:
    """Requests a second on average, up to one second's worth at once. For one thread."""

    def __init__(self, per_s: float) -> None:
        self.bucket = Bucket(per_s, per_s)

    def take(self) -> None:
        """Count one request. ProblemError 429: there have been too many; Retry-After says when there is room."""
        wait_s = self.bucket.take()
        if wait_s:
            detail = f"more than {self.bucket.per_s:g} requests a second"
            raise later(HTTPStatus.TOO_MANY_REQUESTS, detail, max(math.ceil(wait_s), 1))
