"""The provider's keys as the server knows them: fetched when needed, used for a while when the provider is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rice_stream.errors import RiceError, ServiceUnavailableError

if TYPE_CHECKING:
    from rice_stream.api.access.oidc.signing_keys import SigningKeys

log = logging.getLogger(__name__)

REFRESH_S = 3_600.0
"""How old the keys may be before they are fetched again; the old ones go on meanwhile."""
SOONEST_S = 60.0
"""A key that is not known is looked for this often at most: anybody can name one."""
_SOONEST_WITHOUT_KEYS_S = 5.0
"""The same as long as no keys are known at all."""
HOLDS_S = 86_400.0
"""How long known keys go on working while the provider does not answer."""

Fetch = Callable[[], Awaitable["SigningKeys"]]


class KeysUnknownError(ServiceUnavailableError):
    """Whether a token is genuine cannot be said: the provider's keys are not known, and it does not answer."""


class KeyBook:
    """For one event loop. `fetch` raises RiceError where the provider does not answer."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: SigningKeys | None = None
        self._fetched_at_s = 0.0
        self._tried_at_s: float | None = None
        self._look: asyncio.Task[None] | None = None
        self._problem: str | None = None

    async def keys(self) -> "SigningKeys":
        """The keys. KeysUnknownError: there are none that may be used, and the provider does not answer."""
        if self._age_s() >= HOLDS_S:
            await self._fetched()
        elif self._age_s() >= REFRESH_S:
            self._begin()
        if self._keys is None or self._age_s() >= HOLDS_S:
            raise KeysUnknownError("tokens cannot be checked now: the OpenID provider does not answer")
        return self._keys

    async def keys_after_rotation(self) -> "SigningKeys | None":
        """The keys as the provider has them now, because a token names one that is not known; None: asked for too soon."""
        before = self._keys
        await self._fetched()
        return self._keys if self._keys is not before else None

    def _age_s(self) -> float:
        return float("inf") if self._keys is None else self._clock() - self._fetched_at_s

    async def _fetched(self) -> None:
        self._begin()
        if self._look is not None:
            # Shielded: who goes away must not end it for the others.
            await asyncio.shield(self._look)

    def _begin(self) -> None:
        """Have the keys fetched, unless that is being done or was tried just now."""
        if self._look is not None and not self._look.done():
            return
        now_s = self._clock()
        soonest_s = _SOONEST_WITHOUT_KEYS_S if self._age_s() >= HOLDS_S else SOONEST_S
        if self._tried_at_s is not None and now_s - self._tried_at_s < soonest_s:
            self._look = None
            return
        self._tried_at_s = now_s
        self._look = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            found = await self._fetch()
        except RiceError as error:
            if self._problem != str(error):
                log.warning("the keys of the OpenID provider cannot be fetched: %s", error)
            self._problem = str(error)
            return
        if self._problem is not None:
            log.info("the keys of the OpenID provider are fetched again")
        self._problem = None
        self._keys, self._fetched_at_s = found, self._clock()
