"""When the provider is asked for its keys, and for how long they do without it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rice_stream.api.access.oidc.key_book import HOLDS_S, REFRESH_S, SOONEST_S, KeyBook, KeysUnknownError
from rice_stream.api.access.oidc.signing_keys import SigningKeys
from rice_stream.feeds.identity_provider import ProviderError
from tests.support.jwts import known, provider_key


class Provider:
    """Answers with `keys`, or not at all; a clock that the test sets."""

    def __init__(self) -> None:
        self.keys = known(provider_key())
        self.away = False
        self.asked = 0
        self.now_s = 1_000.0
        self.holds_back: asyncio.Event | None = None

    async def fetch(self) -> SigningKeys:
        self.asked += 1
        if self.holds_back is not None:
            await self.holds_back.wait()
        if self.away:
            raise ProviderError("id.example could not be reached")
        return self.keys

    def book(self) -> KeyBook:
        return KeyBook(self.fetch, lambda: self.now_s)


def run(scenario: Callable[[Provider], Awaitable[None]]) -> None:
    async def begin() -> None:
        await scenario(Provider())

    asyncio.run(begin())


def test_keys_are_fetched_once_and_then_remembered() -> None:
    async def scenario(provider: Provider) -> None:
        book = provider.book()
        assert provider.asked == 0, "not before anybody needs them"
        for _ in range(3):
            assert await book.keys() is provider.keys
        assert provider.asked == 1

    run(scenario)


def test_many_who_need_them_at_once_ask_once() -> None:
    async def scenario(provider: Provider) -> None:
        book, provider.holds_back = provider.book(), asyncio.Event()
        waiting = [asyncio.create_task(book.keys()) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting[0].cancel()
        provider.holds_back.set()
        found = [await task for task in waiting[1:]]
        assert all(keys is provider.keys for keys in found), "who goes away does not end it for the others"
        assert provider.asked == 1

    run(scenario)


def test_old_keys_go_on_while_new_ones_are_fetched() -> None:
    async def scenario(provider: Provider) -> None:
        book = provider.book()
        before = await book.keys()
        provider.now_s += REFRESH_S
        provider.keys = known(provider_key("ES256", "new"))
        assert await book.keys() is before, "nobody waits for the provider"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await book.keys() is provider.keys
        assert provider.asked == 2

    run(scenario)


def test_a_provider_that_is_away_is_done_without_for_a_day() -> None:
    async def scenario(provider: Provider) -> None:
        book = provider.book()
        keys = await book.keys()
        provider.away = True
        for _ in range(23):
            provider.now_s += 3_600
            assert await book.keys() is keys
            await asyncio.sleep(0)
        provider.now_s += 3_600 + HOLDS_S - 86_400
        with pytest.raises(KeysUnknownError, match="provider does not answer"):
            await book.keys()
        provider.away = False
        provider.now_s += 5
        assert await book.keys() is provider.keys

    run(scenario)


def test_without_keys_a_provider_is_asked_every_few_seconds_and_not_by_each_request() -> None:
    async def scenario(provider: Provider) -> None:
        book = provider.book()
        provider.away = True
        for _ in range(10):
            with pytest.raises(KeysUnknownError):
                await book.keys()
        assert provider.asked == 1
        provider.now_s += 5
        provider.away = False
        await book.keys()

    run(scenario)


def test_after_a_rotation_the_new_key_is_found_at_once_and_asked_for_once_a_minute() -> None:
    """Anybody can name a key that nobody has; the provider must not be asked each time."""

    async def scenario(provider: Provider) -> None:
        book = provider.book()
        await book.keys()
        assert await book.keys_after_rotation() is None, "they were fetched just now"
        provider.now_s += SOONEST_S
        provider.keys = known(provider_key("ES256", "new"))
        assert await book.keys_after_rotation() is provider.keys
        for _ in range(100):
            provider.now_s += 0.5
            assert await book.keys_after_rotation() is None
        assert provider.asked == 2
        provider.now_s += 10
        await book.keys_after_rotation()
        assert provider.asked == 3

    run(scenario)
