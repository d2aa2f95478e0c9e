"""Answers about several tenants: worked out once for all who ask at once, kept for as long as they are true, and bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from rice_stream.api import kept_answers
from rice_stream.api.kept_answers import HOLDS_S, Encoded, KeptAnswer, KeptAnswers, Look
from rice_stream.errors import ServiceUnavailableError

T = TypeVar("T")
_BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Place:
    """A database whose progress the test decides, with a clock of its own; `looks` counts how often it was asked."""

    def __init__(self) -> None:
        self.marker: str | None = "1"
        self.seconds = 0.0
        self.looks = 0
        self.made = 0
        self.takes_s = 0.0
        self.state: object = None
        self.answers = KeptAnswers(self.look, lambda: self.seconds)

    async def look(self) -> Look:
        """Takes a turn of the loop, as the database does."""
        self.looks += 1
        seen = self.marker, _BEGIN + timedelta(seconds=self.seconds)
        await asyncio.sleep(0)
        return seen

    async def make(self) -> Encoded:
        """A new answer each time."""
        self.made += 1
        number = self.made
        await asyncio.sleep(0)
        self.seconds += self.takes_s
        return Encoded(b"%d" % number, "UTC", self.state, (self.marker, _BEGIN + timedelta(seconds=self.seconds)))

    async def ask(self, key: str = "what", tick: int | None = None) -> tuple[bytes, float]:
        """The answer, and the second that it is from."""
        kept = await self.answers.answer(key, self.make, tick=tick)
        return kept.answer.document, (kept.as_of - _BEGIN).total_seconds()


@pytest.fixture
def place() -> Place:
    return Place()


def run(work: Callable[[], Awaitable[T]]) -> T:
    """In a loop of its own."""

    async def all_of_it() -> T:
        return await work()

    return asyncio.run(all_of_it())


def test_all_who_ask_at_once_get_the_same_answer(place: Place) -> None:
    """Fifty questions, one look at the database, one piece of work."""

    async def work() -> list[tuple[bytes, float]]:
        return await asyncio.gather(*(place.ask() for _ in range(50)))

    assert run(work) == [(b"1", 0.0)] * 50
    assert (place.looks, place.made) == (1, 1)


def test_an_answer_is_kept_as_long_as_nothing_is_committed(place: Place) -> None:
    """`as_of` goes on with every look that found nothing new."""

    async def work() -> list[tuple[bytes, float]]:
        found = [await place.ask()]
        for _ in range(3):
            place.seconds += 100 * HOLDS_S
            found.append(await place.ask())
        return found

    assert run(work) == [(b"1", seconds) for seconds in (0.0, 100.0, 200.0, 300.0)]


def test_what_was_committed_shows_after_a_second_at_most_and_until_then_as_of_says_so(place: Place) -> None:
    """Also where something is committed all the time."""

    async def work() -> list[tuple[bytes, float]]:
        found = [await place.ask()]
        for marker in "234":
            place.marker = marker
            place.seconds += HOLDS_S / 2
            found.append(await place.ask())
        return found

    assert run(work) == [(b"1", 0.0), (b"1", 0.0), (b"2", HOLDS_S), (b"2", HOLDS_S)]


def test_a_commit_while_the_answer_was_worked_out_counts_as_new(place: Place) -> None:
    """What was asked before the work began is compared: the answer may or may not hold what came in between."""

    async def changed() -> Encoded:
        place.marker = "2"
        return await place.make()

    async def work() -> bytes:
        await place.answers.answer("what", changed)
        place.seconds += HOLDS_S
        return (await place.ask())[0]

    assert run(work) == b"2"


def test_a_database_that_tells_nothing_is_asked_again(place: Place) -> None:
    """SQLite: an answer lives for HOLDS_S."""
    place.marker = None

    async def work() -> list[bytes]:
        found = [(await place.ask())[0], (await place.ask())[0]]
        place.seconds += HOLDS_S
        return [*found, (await place.ask())[0]]

    assert run(work) == [b"1", b"1", b"2"]


def test_an_answer_with_a_state_is_true_as_long_as_that_is_the_same(place: Place) -> None:
    """Whatever else is committed; and it is never older than the question: a new state shows at once."""

    async def state() -> object:
        return place.state

    async def work() -> list[tuple[bytes, float]]:
        found = []
        for marker, place.state in zip("12234", "aaaab", strict=True):
            place.marker = marker
            place.seconds += 1
            kept = await place.answers.answer("what", place.make, state, holds_s=0.0)
            found.append((kept.answer.document, (kept.as_of - _BEGIN).total_seconds()))
        return found

    assert run(work) == [(b"1", 1.0), (b"1", 2.0), (b"1", 3.0), (b"1", 4.0), (b"2", 5.0)]


def test_an_answer_whose_state_nobody_knows_goes_with_the_next_commit(place: Place) -> None:
    """Also within a second."""

    async def state() -> object:
        return None

    async def work() -> list[bytes]:
        found = []
        for marker in "1122":
            place.marker = marker
            kept = await place.answers.answer("what", place.make, state, holds_s=0.0)
            found.append(kept.answer.document)
        return found

    assert run(work) == [b"1", b"1", b"2", b"2"]


def test_an_exact_answer_goes_with_the_next_commit(place: Place) -> None:
    """It is kept with the moment that it tells; where nothing tells what was committed, it is worked out each time."""

    async def work() -> list[bytes]:
        found = []
        for place.marker in ("1", "1", "2", None, None):
            found.append((await place.answers.exact_answer("what", place.make)).answer.document)
        return found

    assert run(work) == [b"1", b"1", b"2", b"3", b"4"]


def test_nobody_is_given_an_exact_answer_that_was_begun_before_they_asked(place: Place) -> None:
    """It may be of a moment before: two who ask at once each get their own."""

    async def work() -> list[KeptAnswer]:
        return await asyncio.gather(*(place.answers.exact_answer("what", place.make) for _ in range(2)))

    assert sorted(each.answer.document for each in run(work)) == [b"1", b"2"]


def test_other_questions_have_other_answers(place: Place) -> None:
    """A key is all that tells them apart."""

    async def work() -> list[bytes]:
        return [(await place.ask(key))[0] for key in ("one", "other", "one")]

    assert run(work) == [b"1", b"2", b"1"]


def test_a_failure_is_told_to_all_who_wait_and_not_kept(place: Place) -> None:
    """The next one who asks gets an answer."""

    async def fails() -> Encoded:
        await asyncio.sleep(0)
        raise ServiceUnavailableError("the database did not answer")

    async def work() -> bytes:
        several = await asyncio.gather(*(place.answers.answer("what", fails) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in several] == [ServiceUnavailableError] * 3
        return (await place.ask())[0]

    assert run(work) == b"1"


def test_whoever_goes_away_takes_nobodys_answer_along(place: Place) -> None:
    """The first of two is cancelled while the work goes on for both."""

    async def work() -> tuple[bytes, float]:
        first = asyncio.ensure_future(place.ask())
        second = asyncio.ensure_future(place.ask())
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert run(work) == (b"1", 0.0)


def test_what_a_loop_left_behind_is_in_nobodys_way(place: Place) -> None:
    """A loop that ended in the middle of the work: the next one begins again."""

    async def left() -> None:
        asyncio.ensure_future(place.ask())  # noqa: RUF006
        await asyncio.sleep(0)

    run(left)
    assert run(place.ask) == (b"1", 0.0)


def test_nobody_waits_without_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work goes on: who asks again later finds its answer."""
    monkeypatch.setattr(kept_answers, "WAITS_S", 0.01)
    go_on = asyncio.Event()

    async def slow() -> Encoded:
        await go_on.wait()
        return await place.make()

    async def work() -> tuple[bytes, float]:
        with pytest.raises(ServiceUnavailableError, match="ask for it again"):
            await place.answers.answer("what", slow)
        go_on.set()
        return await place.ask()

    assert run(work) == (b"1", 0.0)
    assert place.made == 1


def test_what_is_kept_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes: what was asked longest ago goes first, and an answer that is too large is not kept at all."""
    monkeypatch.setattr(kept_answers, "KEPT_BYTES_MAX", 2)
    monkeypatch.setattr(kept_answers, "_ANSWER_BYTES_MAX", 1)

    async def large() -> Encoded:
        place.made += 1
        return Encoded(b"large", None)

    async def work() -> list[bytes]:
        found = [(await place.ask(key))[0] for key in ("a", "b", "a", "c", "a", "b")]
        return [*found, *[(await place.answers.answer("large", large)).answer.document for _ in range(2)]]

    assert run(work) == [b"1", b"2", b"1", b"3", b"1", b"4", b"large", b"large"]
    assert place.made == 6


def test_a_look_that_has_begun_is_too_early_for_who_comes_later() -> None:
    """Something may have been committed between its snapshot and the question: that one waits for the next look."""
    begun: list[asyncio.Event] = []

    async def look() -> Look:
        number = len(begun)
        begun.append(asyncio.Event())
        await begun[number].wait()
        return str(number), _BEGIN

    async def work() -> list[str | None]:
        together = kept_answers._Together(look)
        first = [asyncio.ensure_future(together.next()) for _ in range(2)]
        while not begun:
            await asyncio.sleep(0)
        later = [asyncio.ensure_future(together.next()) for _ in range(3)]
        await asyncio.sleep(0)
        begun[0].set()
        while len(begun) < 2:
            await asyncio.sleep(0)
        begun[1].set()
        return [(await each)[0] for each in (*first, *later)]

    assert run(work) == ["0", "0", "1", "1", "1"]


async def _settled() -> None:
    """What runs beside gets its turns."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_an_answer_that_takes_long_is_given_until_the_next_one_is_there(place: Place) -> None:
    """Nobody waits for it but the first, and it says from when it is; a window that has moved on is the same case."""
    place.takes_s = 2 * kept_answers.SLOW_S

    async def work() -> list[tuple[bytes, float]]:
        found = [await place.ask(tick=1)]
        place.marker, place.seconds = "2", 30.0
        found.append(await place.ask(tick=1))
        await _settled()
        found.append(await place.ask(tick=1))
        found.append(await place.ask(tick=2))
        await _settled()
        found.append(await place.ask(tick=2))
        return found

    first, stale, fresh, of_the_minute_before, of_this_minute = run(work)
    assert (first, stale) == ((b"1", 0.0), (b"1", 0.0))
    assert fresh[0] == of_the_minute_before[0] == b"2"
    assert fresh[1] >= 30.0
    assert of_this_minute[0] == b"3"


def test_an_answer_that_is_too_old_is_waited_for(place: Place) -> None:
    """However long it takes."""
    place.takes_s = 2 * kept_answers.SLOW_S

    async def work() -> tuple[bytes, float]:
        await place.ask()
        place.marker, place.seconds = "2", 2 * kept_answers.STALE_S
        return await place.ask()

    assert run(work)[0] == b"2"


def test_a_quick_answer_is_never_one_of_the_minute_before(place: Place) -> None:
    """A small ledger is answered as of now."""

    async def work() -> list[tuple[bytes, float]]:
        return [await place.ask(tick=1), await place.ask(tick=2)]

    assert [document for document, _ in run(work)] == [b"1", b"2"]
