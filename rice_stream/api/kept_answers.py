"""Answers of reports, encoded: worked out once for all who ask the same at once, and kept for as long as they are true.

Before an answer is worked out, and before it is given again, the database is asked whether anything was committed: as long as
nothing was, the answer is the one that would be worked out now. While something is committed all the time, it is given for
`HOLDS_S`. One that takes long to work out is given until the next one is there, of windows that move also beyond the minute;
`as_of` says from when an answer is. Lives in one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError

HOLDS_S = 1.0
"""How old an answer may be although something was committed since."""
SLOW_S = 0.25
"""An answer that took longer is given for up to `STALE_S` while the next one is worked out: nobody waits for it then."""
STALE_S = 120.0
WAITS_S = 20.0
"""How long somebody waits for an answer that is being worked on, or has yet to be."""
KEPT_BYTES_MAX = 32 * 1024 * 1024
_ANSWER_BYTES_MAX = 8 * 1024 * 1024

Look = tuple[str | None, datetime]
"""What tells whether anything was committed (None: nothing does), and a moment before it was asked for."""


class Encoded(NamedTuple):
    """What is answered but for `meta`, as JSON; and the time zone of its days."""

    document: bytes
    time_zone: str | None
    state: object = None
    """What says the same as long as the answer is true, whatever else was committed; None: nobody knows."""
    moment: Look | None = None
    """What it rests on; None: that has to be asked before it is worked out."""


@dataclass(slots=True)
class KeptAnswer:
    """An answer, from when it is, and what had been committed by then."""

    answer: Encoded
    as_of: datetime
    marker: str | None
    made_s: float
    took_s: float
    tick: int | None = None
    """The minute that it is for, where it is about a window that moves."""


Make = Callable[[], Awaitable[Encoded]]
State = Callable[[], Awaitable[object]]


class KeptAnswers:
    """By what was asked: a key has to say all that an answer depends on besides what is stored."""

    def __init__(self, look: Callable[[], Awaitable[Look]], seconds: Callable[[], float] = monotonic) -> None:
        self._looks = _Together(look)
        self._seconds = seconds
        self._kept: dict[Hashable, KeptAnswer] = {}
        self._kept_bytes = 0
        self._making: dict[Hashable, asyncio.Task[KeptAnswer]] = {}

    async def answer(
        self,
        key: Hashable,
        make: Make,
        state: State | None = None,
        *,
        holds_s: float = HOLDS_S,
        stale_s: float = STALE_S,
        tick: int | None = None,
    ) -> KeptAnswer:
        """The answer that is kept, where it is still true, or the one that `make` works out.

        `state`, where there is one, is what the answer's own `state` is compared with when something was committed.
        `holds_s`: how old the answer may be although it is not true any more; `stale_s`: the same of one that takes long, while the
        next one is worked out. `tick`: what the answer depends on of the time.

        ServiceUnavailableError: it takes too long; the work goes on for whoever asks again. All who wait get an error of `make`.
        """
        before = self._kept.get(key)
        if before is not None and before.tick == tick:
            kept = await self._still_true(key, state, holds_s)
            if kept is not None:
                return kept
        making = self._making.get(key)
        if making is None or making.done():
            making = self._making[key] = asyncio.ensure_future(self._made(key, make, tick))
            making.add_done_callback(lambda done: done.cancelled() or done.exception())
        if before is not None and before.took_s >= SLOW_S and self._age_s(before) < stale_s:
            return before
        try:
            return await asyncio.wait_for(asyncio.shield(making), WAITS_S)
        except TimeoutError as error:
            raise ServiceUnavailableError("the answer takes longer than anybody waits: ask for it again") from error

    async def exact_answer(
        self, key: Hashable, make: Make, state: State | None = None, *, tick: int | None = None
    ) -> KeptAnswer:
        """The answer that is kept, where it is true now, or the one that `make` works out, which tells its `moment`.

        For answers that take no longer than to ask what was committed: nobody waits for somebody else's, which may be of a moment
        before the question.
        """
        before = self._kept.get(key)
        if before is not None and before.tick == tick:
            kept = await self._still_true(key, state, 0.0)
            if kept is not None:
                return kept
        made_s = self._seconds()
        answer = await make()
        if answer.moment is None:
            raise RuntimeError("an answer without the moment that it is of")
        marker, as_of = answer.moment
        made = KeptAnswer(answer, as_of, marker, made_s, self._seconds() - made_s, tick)
        if marker is not None or answer.state is not None:
            self._keep(key, made)
        return made

    async def _still_true(self, key: Hashable, state: State | None, holds_s: float) -> KeptAnswer | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._age_s(kept) >= holds_s:
            marker, as_of = await self._looks.next()
            if marker is None or marker != kept.marker:
                if state is None or kept.answer.state is None or kept.answer.state != await state():
                    # Somebody else may have replaced it meanwhile.
                    kept = self._kept.get(key)
                    return kept if kept is not None and self._age_s(kept) < holds_s else None
                kept.marker = marker
            kept.as_of = max(kept.as_of, as_of)
        if self._kept.get(key) is kept:
            self._kept[key] = self._kept.pop(key)  # asked for last
        return kept

    def _age_s(self, kept: KeptAnswer) -> float:
        return self._seconds() - kept.made_s

    async def _made(self, key: Hashable, make: Make, tick: int | None) -> KeptAnswer:
        try:
            marker, as_of = await self._looks.next()
            made_s = self._seconds()
            answer = await make()
            made = KeptAnswer(answer, as_of, marker, made_s, self._seconds() - made_s, tick)
            self._keep(key, made)
            return made
        finally:
            self._making.pop(key, None)

    def _keep(self, key: Hashable, made: KeptAnswer) -> None:
        before = self._kept.pop(key, None)
        self._kept_bytes -= 0 if before is None else len(before.answer.document)
        if len(made.answer.document) > _ANSWER_BYTES_MAX:
            return
        self._kept[key] = made
        self._kept_bytes += len(made.answer.document)
        while self._kept_bytes > KEPT_BYTES_MAX:
            oldest = next(iter(self._kept))
            self._kept_bytes -= len(self._kept.pop(oldest).answer.document)


class _Together:
    """One look for all who ask for one before it begins: a look that has begun may be too early for who comes later."""

    def __init__(self, look: Callable[[], Awaitable[Look]]) -> None:
        self._look = look
        self._running: asyncio.Task[Look] | None = None
        self._following: asyncio.Task[Look] | None = None

    async def next(self) -> Look:
        if self._following is None or self._following.done():
            self._following = asyncio.ensure_future(self._after(self._running))
            self._following.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._following)

    async def _after(self, running: "asyncio.Task[Look] | None") -> Look:
        try:
            if running is not None and not running.done():
                await asyncio.wait([running])
        finally:
            self._running, self._following = self._following, None
        return await self._look()
