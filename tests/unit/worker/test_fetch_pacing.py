"""How often a broker is asked: seldom for a trickle, without a pause for a backlog, at once after a quiet while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.worker.fetch_pacing import FULL_SHARE, FetchPace, PacedFetcher
from tests.unit.worker.test_fetched_records import batch, partition_of

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

    def __init__(self, bytes_max: int) -> None:
        self.topics = [("t", [(0, 0, bytes_max), (1, 0, bytes_max)])]


class Fetching(PacedFetcher):
    """Without a consumer around it, holding what one fetch brought of one partition."""

    def __init__(self, raw: bytes) -> None:
        from aiokafka.structs import TopicPartition

        from tests.unit.worker.test_fetched_records import Result

        self._records = {TopicPartition("t", 0): Result(partition_of(raw))}


def test_a_partition_that_brought_about_as_much_as_it_may_has_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiokafka.consumer import fetcher

    from tests.unit.worker.test_fetched_records import Result

    monkeypatch.setattr(fetcher, "FetchResult", Result)
    raw = batch(0, [b"x" * 100] * 20)
    fetching = Fetching(raw)
    assert fetching._found_more(Request(int(len(raw) / FULL_SHARE)))
    assert not fetching._found_more(Request(int(len(raw) / FULL_SHARE) + 2))
