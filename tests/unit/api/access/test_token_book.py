"""What the server knows of the tokens: fresh within seconds, bounded look-ups, and a known life without the database."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from rice_stream.api.access.secrets import digest_of, new_token
from rice_stream.api.access.token_book import HOLDS_S, REFRESH_S, SOONEST_S, TokenBook, TokensUnknownError
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.live_tokens import LiveTokens
from tests.support.waiting import wait_until
from tests.unit.api.access.conftest import Database

AWAY = StoreUnavailableError("the database did not answer: gone")


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def run(test: Callable[[TokenBook, Clock], Awaitable[None]], tokens: Database) -> None:
    async def within() -> None:
        clock = Clock()
        await test(TokenBook(tokens, clock), clock)

    asyncio.run(within())


def test_a_revoked_token_ends_within_the_time_that_is_said(tokens: Database) -> None:
    secret = tokens.make()

    async def test(book: TokenBook, clock: Clock) -> None:
        assert await book.find(digest_of(secret)) is not None
        tokens.tokens.clear()
        clock.now_s += REFRESH_S / 2
        assert await book.find(digest_of(secret)) is not None, "not asked again yet"
        clock.now_s += REFRESH_S / 2
        assert await book.find(digest_of(secret)) is None

    run(test, tokens)


def test_a_new_token_works_within_the_time_that_is_said(tokens: Database) -> None:
    async def test(book: TokenBook, clock: Clock) -> None:
        assert not await book.any()
        secret = tokens.make()
        clock.now_s += SOONEST_S
        assert await book.find(digest_of(secret)) is not None

    run(test, tokens)


def test_any_number_of_wrong_tokens_costs_one_look_a_second(tokens: Database) -> None:
    async def test(book: TokenBook, _clock: Clock) -> None:
        for _ in range(100):
            assert await book.find(digest_of(new_token("ingest"))) is None
        assert tokens.reads == 1

    run(test, tokens)


def test_a_token_expires_by_the_clock_of_the_database_between_two_looks(tokens: Database) -> None:
    secret = tokens.make(expires_at_us=1_795_348_800_000_000 + 1_000_000)

    async def test(book: TokenBook, clock: Clock) -> None:
        assert await book.find(digest_of(secret)) is not None
        clock.now_s += 1.5
        tokens.problem = AWAY
        clock.now_s += 10
        with pytest.raises(TokensUnknownError):
            await book.find(digest_of(secret))

    run(test, tokens)


def test_without_the_database_known_tokens_work_for_a_while_and_of_others_nobody_can_tell(tokens: Database) -> None:
    """Not 401: a sender must not throw its events away over an outage of ours."""
    secret = tokens.make()

    async def test(book: TokenBook, clock: Clock) -> None:
        assert await book.find(digest_of(secret)) is not None
        tokens.problem = AWAY
        clock.now_s += HOLDS_S - 1
        assert await book.find(digest_of(secret)) is not None
        with pytest.raises(TokensUnknownError):
            await book.find(digest_of(new_token("ingest")))
        assert await book.any()
        clock.now_s += 2
        with pytest.raises(TokensUnknownError):
            await book.find(digest_of(secret))
        tokens.problem = None
        clock.now_s += SOONEST_S
        assert await book.find(digest_of(secret)) is not None

    run(test, tokens)


def test_whether_there_are_tokens_is_not_guessed(tokens: Database) -> None:
    """As long as the database has never answered."""
    tokens.problem = AWAY

    async def test(book: TokenBook, clock: Clock) -> None:
        with pytest.raises(TokensUnknownError):
            await book.any()
        tokens.problem = None
        clock.now_s += REFRESH_S
        assert not await book.any()

    run(test, tokens)


def test_a_database_that_hangs_holds_up_nobody_for_long(tokens: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait for it once, and together; then they go by what is known."""
    secret = tokens.make()
    hangs, go_on = threading.Event(), threading.Event()
    read = tokens.read

    def hanging() -> LiveTokens:
        if hangs.is_set():
            go_on.wait(60)
        return read()

    monkeypatch.setattr(tokens, "read", hanging)
    monkeypatch.setattr("rice_stream.api.access.token_book._WAITS_S", 0.05)

    async def test(book: TokenBook, clock: Clock) -> None:
        assert await book.find(digest_of(secret)) is not None
        hangs.set()
        clock.now_s += REFRESH_S
        async with asyncio.timeout(5):
            found = await asyncio.gather(*(book.find(digest_of(secret)) for _ in range(50)))
            assert None not in found
            clock.now_s += REFRESH_S
            with pytest.raises(TokensUnknownError):
                await book.find(digest_of(new_token("ingest")))
        go_on.set()

    run(test, tokens)


def test_that_a_token_was_used_is_noted_once_a_minute(tokens: Database) -> None:
    secret = tokens.make()

    async def test(book: TokenBook, clock: Clock) -> None:
        await book.find(digest_of(secret))
        assert tokens.used == set()
        clock.now_s += 61
        await book.find(digest_of(secret))

    run(test, tokens)
    wait_until(lambda: tokens.used == {1}, 10, "the use to be noted")


def test_the_use_of_an_ended_token_is_noted_once_a_minute(tokens: Database, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is sent; what nobody ever had is not noted."""
    secret, other = tokens.make(), tokens.make()

    async def test(book: TokenBook, clock: Clock) -> None:
        tokens.end(secret)
        for _ in range(100):
            assert await book.find(digest_of(secret)) is None
            assert await book.find(digest_of(new_token("ingest"))) is None
            assert await book.find(digest_of(other)) is not None
        clock.now_s += 61
        for _ in range(3):
            assert await book.find(digest_of(secret)) is None

    run(test, tokens)
    wait_until(lambda: tokens.refused == [1, 1], 10, "the use to be noted")
    assert secret not in caplog.text
    assert caplog.text.count("has ended and is still being used") == 2
