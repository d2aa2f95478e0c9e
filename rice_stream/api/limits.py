"""Who may send, and how much."""

import hmac
import ipaddress
import math
import re
import time
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.problems import ProblemError, later
from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings

_SENDABLE = re.compile(r"[ -~]+")
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[0-9A-Za-z.-]+))(?::[0-9]{1,5})?")


def check_binding(settings: Settings) -> None:
    """UsageError: the address is reachable from outside and no token protects it, or no request could carry the token."""
    wanted = token(settings)
    if wanted is None and not _is_loopback(settings.http_host):
        raise UsageError(
            f"RICE_HTTP_HOST: {settings.http_host} can be reached from other machines, so RICE_HTTP_TOKEN is needed;"
            " set one, or serve at 127.0.0.1"
        )
    if wanted == "":
        raise UsageError("RICE_HTTP_TOKEN: is empty; leave it out or set one")
    if wanted is not None and not _SENDABLE.fullmatch(wanted):
        raise UsageError("RICE_HTTP_TOKEN: no header can carry it; use ASCII letters, digits and signs on one line")


def token(settings: Settings) -> str | None:
    """RICE_HTTP_TOKEN, without the white space around it: a secret that is mounted as a file ends with a newline."""
    return None if settings.http_token is None else settings.http_token.get_secret_value().strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(request: Request, wanted: str | None) -> None:
    """ProblemError 401: a token is set and the request does not carry it."""
    if wanted is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Compared in constant time: how long it takes tells nothing about how much of it is right.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "needs the header `Authorization: Bearer TOKEN` with the token of RICE_HTTP_TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )


def check_host(request: Request) -> None:
    """ProblemError 421: the request was meant for another host than this machine's loopback.

    A page may let its own name point to 127.0.0.1 (DNS rebinding); the browser then takes this server for the page's,
    and sends the page's name as Host.
    """
    named = request.headers.getlist("host")
    parts = _HOST.fullmatch(named[0].strip()) if len(named) == 1 else None
    if parts is None or not _is_loopback((parts["address"] or parts["name"]).lower()):
        raise ProblemError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "without RICE_HTTP_TOKEN only requests to localhost, 127.0.0.1 or [::1] are answered;"
            " send them there, or set a token",
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
