"""Sessions as the server knows them: when the database is asked, and for how long its answer is believed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from rice_stream.api.access.secrets import digest_of
from rice_stream.api.access.session_book import HOLDS_US, REFRESH_US, SessionBook
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.sessions import REFUSALS_NOTED_EVERY_US, HttpSession, SignInRefusal
from tests.support.waiting import wait_until

NOW_US = 1_795_348_800_000_000
HOUR_US = 3_600_000_000


@dataclass
class Kept:
    """A `SessionSource` in memory, and the clock."""

    sessions: dict[bytes, HttpSession] = field(default_factory=dict)
    problem: Exception | None = None
    now_us: int = NOW_US
    looks: int = 0
    marks: int = 0
    hangs: bool = False
    refusals: list[SignInRefusal] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def begin(self, session: HttpSession, earlier: bytes | None) -> HttpSession:
        self.sessions.pop(earlier or b"", None)
        self.sessions[session.digest] = replace(session, id=len(self.sessions) + 1)
        return self.sessions[session.digest]

    def find(self, digest: bytes, now_us: int) -> HttpSession | None:
        self.looks += 1
        if self.hangs:
            self.answers.wait(60)
        if self.problem is not None:
            raise self.problem
        found = self.sessions.get(digest)
        return found if found is not None and found.is_live(now_us) else None

    def mark_seen(self, session_id: int, now_us: int) -> None:
        self.marks += 1
        for digest, session in self.sessions.items():
            if session.id == session_id:
                self.sessions[digest] = replace(session, last_seen_at_us=now_us)

    def end(self, digest: bytes) -> None:
        self.sessions.pop(digest, None)

    def note_refusal(self, refusal: SignInRefusal) -> None:
        self.refusals.append(refusal)

    def book(self) -> SessionBook:
        return SessionBook(self, lambda: self.now_us)


def run(scenario: Callable[[Kept, SessionBook], Awaitable[None]]) -> None:
    async def begin() -> None:
        kept = Kept()
        await scenario(kept, kept.book())

    asyncio.run(begin())


async def signed_in(book: SessionBook, earlier: str | None = None) -> str:
    return await book.begin("oidc", "sub-1", "Ada", ("ai-finance",), earlier)


def test_a_session_is_looked_up_once_in_a_few_seconds() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        for _ in range(50):
            found = await book.find(secret)
            assert found is not None
            assert (found.subject, found.groups) == ("sub-1", ("ai-finance",))
        assert kept.looks == 1
        kept.now_us += REFRESH_US
        await book.find(secret)
        assert kept.looks == 2

    run(scenario)


def test_one_that_another_process_ended_ends_here_within_seconds() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        await book.find(secret)
        kept.end(digest_of(secret))
        kept.now_us += REFRESH_US
        assert await book.find(secret) is None

    run(scenario)


def test_signing_out_ends_it_at_once() -> None:
    async def scenario(_kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        await book.find(secret)
        await book.end(secret)
        assert await book.find(secret) is None

    run(scenario)


def test_signing_in_again_changes_the_cookie_and_ends_the_earlier_session() -> None:
    """A cookie that somebody planted before is worth nothing afterwards (session fixation)."""

    async def scenario(_kept: Kept, book: SessionBook) -> None:
        first = await signed_in(book)
        await book.find(first)
        second = await signed_in(book, first)
        assert second != first
        assert await book.find(first) is None
        assert await book.find(second) is not None

    run(scenario)


def test_use_is_noted_once_a_minute_and_keeps_a_session_alive_for_a_day() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        for _ in range(24 * 60 - 1):
            kept.now_us += 60_000_000
            assert await book.find(secret) is not None
        assert kept.marks <= 24 * 60
        kept.now_us += 60_000_000
        assert await book.find(secret) is None, "a day is the longest"

    run(scenario)


def test_without_use_it_ends_after_eight_hours_also_where_it_is_remembered() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        await book.find(secret)
        kept.now_us += 8 * HOUR_US
        assert await book.find(secret) is None

    run(scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_ends_the_request_too() -> None:
    """Nobody waits for ever for an outcome that does not come."""

    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        kept.problem = ZeroDivisionError("a mistake")
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(book.find(secret), 20)

    run(scenario)


@pytest.mark.parametrize("cookie", ["", "x", "x" * 44, "é" * 43])
def test_a_cookie_of_another_shape_costs_no_look(cookie: str) -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        assert await book.find(cookie) is None
        assert kept.looks == (1 if len(cookie) == 43 else 0)

    run(scenario)


def test_who_is_known_goes_on_for_five_minutes_while_the_database_is_away() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        known = await book.find(secret)
        kept.problem = StoreUnavailableError("the database did not answer")
        for _ in range(3):
            kept.now_us += HOLDS_US // 4
            assert await book.find(secret) == known
        kept.now_us += HOLDS_US // 4
        with pytest.raises(StoreUnavailableError):
            await book.find(secret)
        kept.problem = None
        assert await book.find(secret) == known

    run(scenario)


def test_who_is_known_waits_a_second_for_a_database_that_hangs() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        known = await book.find(secret)
        kept.now_us += REFRESH_US
        kept.hangs = True
        try:
            assert await asyncio.wait_for(book.find(secret), 20) == known
        finally:
            kept.answers.set()

    run(scenario)


def test_a_database_that_is_away_lets_nobody_in() -> None:
    async def scenario(kept: Kept, book: SessionBook) -> None:
        secret = await signed_in(book)
        kept.problem = StoreUnavailableError("the database did not answer")
        with pytest.raises(StoreUnavailableError):
            await book.find(secret)

    run(scenario)


def test_refusals_of_one_kind_are_noted_once_a_minute() -> None:
    """Anybody may fail to sign in as often as they like."""

    async def scenario(kept: Kept, book: SessionBook) -> None:
        for by in ("oidc", "oidc", "link"):
            book.note_refusal(SignInRefusal("session.refused", by, "no"))
        await asyncio.to_thread(wait_until, lambda: len(kept.refusals) == 2, 10, "both to be noted")
        kept.now_us += REFUSALS_NOTED_EVERY_US
        book.note_refusal(SignInRefusal("session.refused", "oidc", "again"))
        await asyncio.to_thread(wait_until, lambda: len(kept.refusals) == 3, 10, "the next")
        assert {refusal.by for refusal in kept.refusals} == {"oidc", "link"}

    run(scenario)
