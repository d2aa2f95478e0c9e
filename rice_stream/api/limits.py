"""Who may send, and how much."""

import hmac
import ipaddress
import math
import time
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.problems import ProblemError, later
from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings


def check_binding(settings: Settings) -> None:
    """UsageError: the address is reachable from outside and no token protects it."""
    if settings.http_token is None and not _is_loopback(settings.http_host):
        raise UsageError(
            f"RICE_HTTP_HOST: {settings.http_host} can be reached from other machines, so RICE_HTTP_TOKEN is needed;"
            " set one, or serve at 127.0.0.1"
        )
    if settings.http_token is not None and not settings.http_token.get_secret_value().strip():
        raise UsageError("RICE_HTTP_TOKEN: is empty; leave it out or set one")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(request: Request, settings: Settings) -> None:
    """ProblemError 401: a token is set and the request does not carry it."""
    if settings.http_token is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    wanted = settings.http_token.get_secret_value()
    # Compared in constant time: how long it takes tells nothing about how much of it is right.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "needs the header `Authorization: Bearer TOKEN` with the token of RICE_HTTP_TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )


class RateLimit:
    """Requests a second on average, up to one second's worth at once. For one thread."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(per_s, 1.0)
        self._left = self._most
        self._at_s = time.monotonic()

    def take(self) -> None:
        """Count one request. ProblemError 429: there have been too many; Retry-After says when there is room."""
        now_s = time.monotonic()
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            wait_s = math.ceil((1 - self._left) / self._per_s)
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"more than {self._per_s:g} requests a second", max(wait_s, 1))
        self._left -= 1
