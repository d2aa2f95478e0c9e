"""Sessions of browsers as the server knows them: each looked up in the database, and for a few seconds remembered.

While the database does not answer, sessions that are known go on for a while, as tokens do: pages then show what they last knew.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from rice_stream.api.access.secrets import digest_of
from rice_stream.api.access.token_book import aside, in_thread
from rice_stream.errors import RiceError
from rice_stream.instants import SECOND_US
from rice_stream.store.sessions import REFUSALS_NOTED_EVERY_US, HttpSession, SignInRefusal

REFRESH_US = 3 * SECOND_US
"""How long a session is believed: within this time one that was ended by another process ends here too."""
HOLDS_US = 300 * SECOND_US
"""How long a known session is believed while the database does not answer."""
_WAITS_S = 1.0
"""How long a request waits for the database before it goes by what is known."""
_MARK_EVERY_US = 60 * SECOND_US
_LOOKS_MAX = 8
"""Look-ups under way: cookies that nobody was given must not take up the database."""
_KNOWN_MAX = 10_000
_SECRET_CHARACTERS = 43


class SessionSource(Protocol):
    """Where sessions are kept; all of it blocks, and raises RiceError where it cannot be done."""

    def begin(self, session: HttpSession, earlier: bytes | None) -> HttpSession:
        """Keep a new one, and end the earlier one."""
        ...

    def find(self, digest: bytes, now_us: int) -> HttpSession | None:
        """The one with this digest, while it may be used."""
        ...

    def mark_seen(self, session_id: int, now_us: int) -> None:
        """Note that it was used."""
        ...

    def end(self, digest: bytes) -> None:
        """End it."""
        ...

    def note_refusal(self, refusal: SignInRefusal) -> None:
        """Note that nobody was signed in, or out."""
        ...


def now_us() -> int:
    """The time of this machine in epoch microseconds."""
    return time.time_ns() // 1000


class SessionBook:
    """For one event loop. Every method raises RiceError where the database does not answer."""

    def __init__(self, source: SessionSource, clock_us: Callable[[], int] = now_us) -> None:
        self._source = source
        self._clock_us = clock_us
        self._known: OrderedDict[bytes, tuple[HttpSession, int]] = OrderedDict()
        self._looks = asyncio.Semaphore(_LOOKS_MAX)
        self._noted_at_us: dict[tuple[str, str], int] = {}

    async def begin(
        self, kind: str, subject: str, name: str, groups: tuple[str, ...], earlier: str | None = None
    ) -> str:
        """A new session; returns what the cookie holds. The browser's earlier one ends: signing in changes the cookie."""
        secret, now = secrets.token_urlsafe(32), self._clock_us()
        session = HttpSession(digest_of(secret), kind, subject, name, groups, now, now)
        replaced = digest_of(earlier) if earlier else None
        await in_thread(lambda: self._source.begin(session, replaced))
        self._known.pop(replaced or b"", None)
        return secret

    async def find(self, secret: str, *, by_hand: bool = True) -> HttpSession | None:
        """The session of this cookie; None: it has none that may be used.

        `by_hand` False: a page asks by itself. That somebody left it open does not make a session last longer.
        """
        if len(secret) != _SECRET_CHARACTERS:
            return None
        digest, now = digest_of(secret), self._clock_us()
        session, looked_at_us = self._known.get(digest, (None, 0))
        if session is None:
            session = await self._look(digest, now, by_hand=by_hand)
        elif now - looked_at_us >= REFRESH_US:
            session = await self._look_again(session, by_hand=by_hand, holds=now - looked_at_us < HOLDS_US)
        if session is None or not session.is_live(now):
            self._known.pop(digest, None)
            return None
        return session

    async def end(self, secret: str) -> None:
        """End the session of this cookie, if it has one."""
        digest = digest_of(secret)
        self._known.pop(digest, None)
        await in_thread(lambda: self._source.end(digest))

    def note_refusal(self, refusal: SignInRefusal) -> None:
        """Have it noted, aside: anybody may fail to sign in as often as they like, which must not fill the database."""
        way, now = (refusal.action, refusal.by), self._clock_us()
        if now - self._noted_at_us.get(way, now - REFUSALS_NOTED_EVERY_US) >= REFUSALS_NOTED_EVERY_US:
            self._noted_at_us[way] = now
            aside(lambda: self._source.note_refusal(refusal), "that somebody was refused")

    async def _look_again(self, known: HttpSession, *, by_hand: bool, holds: bool) -> HttpSession | None:
        """What the database says now; `holds`: the one that is known where it does not say anything."""
        looking = asyncio.ensure_future(self._look(known.digest, self._clock_us(), by_hand=by_hand))
        # A look that is late goes on by itself, and its outcome is for the next request.
        looking.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({looking}, timeout=_WAITS_S if holds else None)
        if holds and (not looking.done() or isinstance(looking.exception(), RiceError)):
            return known
        return looking.result()

    async def _look(self, digest: bytes, now: int, *, by_hand: bool) -> HttpSession | None:
        async with self._looks:
            session = await in_thread(lambda: self._source.find(digest, now))
            if by_hand and session is not None and now - session.last_seen_at_us >= _MARK_EVERY_US:
                session_id = session.id
                await in_thread(lambda: self._source.mark_seen(session_id, now))
        if session is None:
            return None
        self._known[digest] = (session, now)
        self._known.move_to_end(digest)
        while len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return session
