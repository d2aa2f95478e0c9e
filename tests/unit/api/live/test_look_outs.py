"""The look-outs: one for each scope that is listened to, none otherwise; all who listen to it hear the same."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from rice_stream.api.live import look_outs
from rice_stream.api.live.look_outs import LookOuts
from rice_stream.errors import ServiceUnavailableError
from rice_stream.reports.signs import Signs
from rice_stream.store.scope import EVERYTHING, Scope

ONE = Scope(frozenset({"acme"}))


class Looks:
    """What looks find, in turn, the last one for ever; an error is raised."""

    def __init__(self, *found: str | None) -> None:
        self.found = list(found)
        self.of: list[Scope] = []

    async def __call__(self, scope: Scope) -> Signs:
        """The next one."""
        self.of.append(scope)
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if found is None:
            raise ServiceUnavailableError("away")
        return Signs((found, "a", "b", "q", "d"), None)


def run(test: Coroutine[Any, Any, None]) -> None:
    """In a loop of its own, and not for ever."""

    async def within() -> None:
        async with asyncio.timeout(10):
            await test

    asyncio.run(within())


def test_many_who_listen_to_a_scope_share_one_look_out_and_it_ends_with_the_last() -> None:
    async def test() -> None:
        looks = Looks("t1")
        all_of_them = LookOuts(looks, every_s=0.01)
        with all_of_them.listening(EVERYTHING) as first, all_of_them.listening(EVERYTHING) as second:
            assert first is second
            with all_of_them.listening(ONE) as other:
                assert other is not first
                assert all_of_them.watched == 2
                await other.turn(5)
                assert other.signs == Signs(("t1", "a", "b", "q", "d"), None)
            assert all_of_them.watched == 1
        assert all_of_them.watched == 0
        await asyncio.sleep(0)
        seen = len(looks.of)
        await asyncio.sleep(0.05)
        assert len(looks.of) == seen, "nobody listens, and nobody looks"

    run(test())


def test_a_look_that_fails_makes_it_stale_until_one_succeeds() -> None:
    async def test() -> None:
        all_of_them = LookOuts(Looks("t1", None, None, "t1"), every_s=0.01)
        with all_of_them.listening(EVERYTHING) as watch:
            await watch.turn(5)
            assert (watch.signs is not None, watch.is_stale) == (True, False)
            await watch.turn(5)
            assert watch.is_stale
            await watch.turn(5)
            assert not watch.is_stale

    run(test())


def test_a_scope_that_takes_long_is_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a twentieth of the time is spent looking."""
    waits: list[float] = []
    ticks = iter([0.0, 0.5, 0.5, 0.501])

    class _Clock:
        @staticmethod
        def monotonic() -> float:
            return next(ticks)

    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0 if len(waits) < 2 else 3600)

    async def test() -> None:
        monkeypatch.setattr(look_outs, "time", _Clock)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        with LookOuts(Looks("t1"), every_s=1.0).listening(EVERYTHING):
            while len(waits) < 2:
                await real(0)

    run(test())
    assert waits == [pytest.approx(10.0), pytest.approx(1.0)]
