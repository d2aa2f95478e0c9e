"""The link that `serve` prints at its start on loopback: whoever opens it first is signed in as admin."""

import hmac
import secrets
import time
from collections.abc import Callable

LIVES_S = 900.0
"""A link that nobody has opened by then is worth nothing."""


class SignInLink:
    """One link; for one thread. Its key is in no log: only `url` has it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key: str | None = secrets.token_urlsafe(32)
        self._clock = clock
        self._ends_at_s = clock() + LIVES_S

    def url(self, base_url: str) -> str:
        """What to open. Once it has been, it is worth nothing."""
        return f"{base_url.rstrip('/')}/auth/link?key={self._key or ''}"

    def take(self, given: str) -> bool:
        """Whether this is the key, for the first time and in time; from then on it is none."""
        key = self._key
        if key is None or self._clock() >= self._ends_at_s or not hmac.compare_digest(given.encode(), key.encode()):
            return False
        self._key = None
        return True

    def __repr__(self) -> str:
        return "SignInLink()"
