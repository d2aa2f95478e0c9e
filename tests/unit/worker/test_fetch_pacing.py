"""How often a broker is asked: seldom for a trickle, without a pause for a backlog, at once after a quiet while."""

from types import SimpleNamespace

import pytest
from aiokafka.consumer import fetcher
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.worker.fetch_pacing import FULL_SHARE, WAIT_BEHIND_MS, FetchPace, PacedFetcher
from tests.unit.worker.test_fetched_records import Result, batch, partition_of

PAUSE_S = 0.25


class Clock:
    """Moved by the test."""

    now_s = 1000.1

    def __call__(self) -> float:
        return self.now_s


def test_a_steady_trickle_is_fetched_once_a_pause_from_all_brokers_at_the_same_instants() -> None:
    clock = Clock()
    pace = FetchPace(lambda: PAUSE_S, clock)
    sent: dict[str, list[float]] = {"one": [], "other": []}
    for node in ("one", "other", "one", "other"):
        sent[node].append(round(clock.now_s + pace.wait_s(node), 6))
        clock.now_s += 0.01
    assert sent["one"][1] == sent["other"][1] == 1000.25
    clock.now_s = 1000.26
    assert pace.wait_s("one") == pytest.approx(0.24)


def test_after_a_quiet_while_a_fetch_goes_out_at_once() -> None:
    clock = Clock()
    pace = FetchPace(lambda: PAUSE_S, clock)
    pace.wait_s("broker")
    clock.now_s += 2 * PAUSE_S
    assert pace.wait_s("broker") == 0


def test_where_more_lies_on_the_broker_there_is_no_pause() -> None:
    pace = FetchPace(lambda: PAUSE_S, Clock())
    for _ in range(10):
        assert pace.wait_s("broker") == 0
        pace.found_more("broker")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1), st.booleans()), max_size=50))
def test_no_fetch_waits_longer_than_a_pause_and_a_half(fetches: list[tuple[str, float, bool]]) -> None:
    """Whatever the order: one that waits goes out before the next of its broker is asked for, as aiokafka has one in flight."""
    clock = Clock()
    pace = FetchPace(lambda: PAUSE_S, clock)
    for node, later_s, more in fetches:
        wait_s = pace.wait_s(node)
        assert 0 <= wait_s <= 1.5 * PAUSE_S + 1e-6
        clock.now_s += wait_s + later_s
        if more:
            pace.found_more(node)


class Request:
    """As aiokafka makes it: topics with (partition, offset, most bytes)."""

    def __init__(self, *partitions: int, bytes_max: int = 1_000_000) -> None:
        self.topics = [("t", [(partition, 0, bytes_max) for partition in partitions])]


class Assignment:
    """Of partitions of which all end at the same offset."""

    def __init__(self, highwater: int | None, lso: int | None = None) -> None:
        self._state = SimpleNamespace(highwater=highwater, lso=lso)

    def state_value(self, _place: TopicPartition) -> SimpleNamespace:
        return self._state


class Fetching(PacedFetcher):
    """Without a consumer around it, holding what a fetch brought of each partition."""

    def __init__(self, **brought: bytes) -> None:
        self._records = {TopicPartition("t", int(name[1:])): Result(partition_of(raw)) for name, raw in brought.items()}
        self._usual_wait_ms = self._fetch_max_wait_ms = 500
        self._more, self._more_of = {}, None

    def has_more(self, assignment: Assignment, request: Request) -> bool:
        self._note_more(assignment, "broker", request)
        return bool(self._more["broker"])


@pytest.fixture(autouse=True)
def results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "FetchResult", Result)


def test_more_lies_there_where_records_end_before_the_partition_does() -> None:
    """However few they are; what an open transaction holds back does not count."""
    raw = batch(0, [b"x"] * 20)
    assert Fetching(p0=raw).has_more(Assignment(21), Request(0))
    assert not Fetching(p0=raw).has_more(Assignment(20), Request(0))
    assert not Fetching(p0=raw).has_more(Assignment(30, lso=20), Request(0))
    assert not Fetching().has_more(Assignment(30), Request(0))


def test_without_offsets_a_partition_that_brought_about_as_much_as_it_may_has_more() -> None:
    raw = batch(0, [b"x" * 100] * 20)
    bytes_max = int(len(raw) / FULL_SHARE)
    assert Fetching(p0=raw).has_more(Assignment(None), Request(0, bytes_max=bytes_max))
    assert not Fetching(p0=raw).has_more(Assignment(None), Request(0, bytes_max=bytes_max + 2))


def test_a_backlog_of_one_partition_does_not_wait_for_another_that_has_nothing_new() -> None:
    """Neither here nor at the broker, until it is read."""
    raw = batch(0, [b"x"] * 20)
    fetching, assignment = Fetching(p0=raw), Assignment(40)
    assert fetching.has_more(assignment, Request(0))
    assert fetching.has_more(assignment, Request(1))
    assert fetching._fetch_max_wait_ms == WAIT_BEHIND_MS
    fetching._records[TopicPartition("t", 0)] = Result(partition_of(batch(20, [b"x"] * 20)))
    assert not fetching.has_more(assignment, Request(0))
    assert fetching._fetch_max_wait_ms == 500
    assert fetching.has_more(Assignment(41), Request(0))
