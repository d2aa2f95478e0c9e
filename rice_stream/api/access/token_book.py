"""The tokens of the database as the server knows them: all of them at once, read again every few seconds.

All, because then a request with a token that nobody has costs no look-up. While the database does not answer, tokens
that are known go on working for a while; of others nobody can say whether they are valid.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.http_tokens import HttpToken
from rice_stream.store.live_tokens import EndedToken, LiveTokens

log = logging.getLogger(__name__)

REFRESH_S = 3.0
"""How old the knowledge of the tokens may be while the database answers: within this time a revoked one ends."""
SOONEST_S = 1.0
"""A token that is not known is looked for again this soon: so long a new one may take."""
HOLDS_S = 300.0
"""How long known tokens go on working while the database does not answer."""
_WAITS_S = 1.0
"""How long requests wait for the database before they go by what is known."""
_MARK_EVERY_S = 60.0
_NOTE_EVERY_S = 60.0
"""Of one ended token that goes on being used."""
_GIVES_UP_S = 30.0
"""A look that takes longer is left to itself, and another one begins."""

T = TypeVar("T")


class TokenSource(Protocol):
    """Where tokens are; both block, and raise RiceError where they cannot do it."""

    def read(self) -> LiveTokens:
        """The tokens that may be used."""
        ...

    def mark_used(self, ids: frozenset[int]) -> None:
        """Note that they were used."""
        ...

    def note_refused(self, token: EndedToken) -> None:
        """Note that one that has ended was used."""
        ...


class TokensUnknownError(ServiceUnavailableError):
    """Whether a token is valid cannot be said: the database does not answer."""


class TokenBook:
    """For one event loop."""

    def __init__(self, source: TokenSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._tokens: dict[bytes, HttpToken] = {}
        self._read_at_us = 0
        self._read_at_s: float | None = None
        self._looked_at_s: float | None = None
        self._look: asyncio.Future[None] | None = None
        self._problem: str | None = None
        self._ended: Mapping[bytes, EndedToken] = {}
        self._noted_at_s: dict[int, float] = {}
        self._used: set[int] = set()
        self._marked_at_s = clock()

    async def find(self, digest: bytes) -> HttpToken | None:
        """The token with this digest; None: there is none. TokensUnknownError: that cannot be said now."""
        await self._look_again(REFRESH_S)
        token = self._usable(digest)
        if token is None:
            await self._look_again(SOONEST_S)
            token = self._usable(digest)
        if token is None and not self._answered():
            raise TokensUnknownError("tokens cannot be checked now")
        if token is not None:
            self._used.add(token.id)
            self._mark()
        elif (ended := self._ended.get(digest)) is not None:
            self._note(ended)
        return token

    async def any(self, waits_s: float = _WAITS_S) -> bool:
        """Whether there is any token; the last that was known counts. TokensUnknownError: nothing was ever known."""
        await self._look_again(REFRESH_S, waits_s)
        if self._read_at_s is None:
            raise TokensUnknownError("whether there are tokens cannot be said now")
        return bool(self._tokens)

    @property
    def known_tokens(self) -> int:
        """How many are known now, without a look."""
        return len(self._tokens)

    def ids(self) -> frozenset[int]:
        """Those that are known."""
        return frozenset(token.id for token in self._tokens.values())

    def _answered(self) -> bool:
        """Whether what is known is what the database says now."""
        return self._read_at_s is not None and self._clock() - self._read_at_s < REFRESH_S + _WAITS_S

    def _usable(self, digest: bytes) -> HttpToken | None:
        token = self._tokens.get(digest)
        if token is None or self._read_at_s is None:
            return None
        age_s = self._clock() - self._read_at_s
        expired = token.expires_at_us is not None and token.expires_at_us <= self._read_at_us + round(age_s * 1_000_000)
        return None if expired or age_s > HOLDS_S else token

    async def _look_again(self, older_than_s: float, waits_s: float = _WAITS_S) -> None:
        """Have what is known read again where it is older; waits for that only as long as the database usually takes."""
        now_s = self._clock()
        under_way = self._look is not None and not self._look.done()
        since_s = None if self._looked_at_s is None else now_s - self._looked_at_s
        if since_s is not None and since_s < (_GIVES_UP_S if under_way else older_than_s):
            if not under_way:
                return
        else:
            self._looked_at_s, since_s = now_s, 0.0
            self._look = asyncio.ensure_future(self._read())
        if self._look is not None and since_s is not None and since_s < waits_s:
            await asyncio.wait({self._look}, timeout=waits_s - since_s)

    async def _read(self) -> None:
        try:
            live = await in_thread(self._source.read)
        except RiceError as error:
            if self._problem != str(error):
                log.warning("tokens cannot be read: %s", error)
            self._problem = str(error)
            return
        if self._problem is not None:
            log.info("tokens are read again")
        self._problem = None
        self._tokens = {token.digest: token for token in live.tokens}
        self._ended = live.ended
        self._read_at_us, self._read_at_s = live.read_at_us, self._clock()

    def _mark(self) -> None:
        if self._clock() - self._marked_at_s < _MARK_EVERY_S:
            return
        self._marked_at_s = self._clock()
        used, self._used = frozenset(self._used), set()
        aside(lambda: self._source.mark_used(used), "that tokens were used")

    def _note(self, token: EndedToken) -> None:
        """Not with every request: whoever goes on with an ended token must not fill the database."""
        now_s = self._clock()
        if now_s - self._noted_at_s.get(token.id, -_NOTE_EVERY_S) < _NOTE_EVERY_S:
            return
        self._noted_at_s = {one: at for one, at in self._noted_at_s.items() if now_s - at < _NOTE_EVERY_S}
        self._noted_at_s[token.id] = now_s
        log.warning("token %d (%s) has ended and is still being used", token.id, token.name)
        aside(lambda: self._source.note_refused(token), "that an ended token is used")


def aside(note: Callable[[], None], what: str) -> None:
    """In a thread of its own: no request waits for it."""

    def noted() -> None:
        try:
            note()
        except RiceError as error:
            log.warning("%s could not be noted: %s", what, error)

    threading.Thread(target=noted, name="rice-tokens", daemon=True).start()


async def in_thread(work: Callable[[], T]) -> T:
    """The outcome of blocking work in a thread of its own that no shutdown waits for: a database may keep it for minutes."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not done.done():
            set_outcome()

    def tell(set_outcome: Callable[[], None]) -> None:
        # The loop may be gone by now: nobody waits for the outcome then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, set_outcome)

    def run() -> None:
        try:
            outcome = work()
        except RiceError as error:
            failed = error
            tell(lambda: done.set_exception(failed))
        except Exception as error:
            # A mistake of ours: whoever waits for the outcome must not wait for ever.
            mistake = error
            tell(lambda: done.set_exception(mistake))
            raise
        else:
            tell(lambda: done.set_result(outcome))

    threading.Thread(target=run, name="rice-tokens", daemon=True).start()
    return await done
