"""What a replay sends when: order, pace, and times that are kept or moved."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.pacing import Event, as_rate, in_completion_order, schedule
from rice_stream.sandbox.traffic.plan import replay_events
from rice_stream.sandbox.traffic.times import parsed_us
from rice_stream.sandbox.traffic.traces import Trace, TraceEvent, open_trace
from tests.unit.sandbox.traffic.test_traces import AZURE, MOONCAKE, written

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

JSONL = b"""\
{"event_id": "a", "started_at": "2026-11-22T08:59:58Z", "ended_at": "2026-11-22T09:00:00Z"}
{"event_id": "b", "ended_at": "2026-11-22T10:00:03.5+01:00"}
{"event_id": "c", "ended_at": "soon"}
{"event_id": "d", "ended_at": "2026-11-22T09:00:01Z"}
{"event_id": "e", "ended_at": "2026-11-22T09:00:05.000001Z"}
"""


def fields_of(event: Event) -> dict[str, Any]:
    return event.fields if isinstance(event, TraceEvent) else event


def ended_us(event: Event) -> int:
    time_us = parsed_us(fields_of(event)["ended_at"])
    assert time_us is not None
    return time_us


@pytest.fixture(params=[AZURE, MOONCAKE], ids=["azure-trace", "mooncake"])
def trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    return open_trace(written(tmp_path, request.param))


def test_a_trace_sent_again_is_the_same_events(trace: Trace) -> None:
    """By default times are the trace's own, not today's: ids, times and contents repeat, so that they count once."""
    assert list(replay_events(trace, seed=3)) == list(replay_events(trace, seed=3))


def test_own_times_are_the_published_ones(tmp_path: Path) -> None:
    """Azure's first request arrives when the file says; Mooncake has no date and starts at the stated one."""
    azure = next(replay_events(open_trace(written(tmp_path, AZURE))))
    mooncake = next(replay_events(open_trace(written(tmp_path, MOONCAKE))))
    assert fields_of(azure)["started_at"] == "2023-11-16T18:17:03.979960Z"
    assert fields_of(mooncake)["started_at"] == "2024-07-01T00:00:00.000000Z"


def test_start_moves_all_times_together(trace: Trace) -> None:
    """The first arrival moves to `start`, and every other by as much."""
    own = [ended_us(event) for event in replay_events(trace)]
    moved = list(replay_events(trace, start=NOON))
    assert fields_of(moved[0])["started_at"] == "2026-11-22T12:00:00.000000Z"
    assert len({ended_us(event) - own_us for event, own_us in zip(moved, own, strict=True)}) == 1


def test_limit_takes_the_first_rows_of_the_file(trace: Trace) -> None:
    """Also in order of completion: the limit chooses rows, the order only arranges them."""
    first_two = list(replay_events(trace, limit=2))
    assert [fields_of(event)["event_id"].rsplit("-", 1)[1] for event in first_two] == ["1", "2"]
    by_completion = list(replay_events(trace, limit=2, by_completion=True))
    assert sorted(map(ended_us, by_completion)) == [ended_us(event) for event in by_completion]
    assert {fields_of(event)["event_id"] for event in by_completion} == {
        fields_of(event)["event_id"] for event in first_two
    }


def test_jsonl_is_sent_as_it_is_unless_it_is_moved(tmp_path: Path) -> None:
    """Kept: raw lines. Moved: only the two times change, by one shift; what is not a time stays as it is."""
    trace = open_trace(written(tmp_path, JSONL))
    kept = list(replay_events(trace))
    assert [event.value for event in kept if isinstance(event, TraceEvent)] == JSONL.splitlines()
    assert list(replay_events(trace, start=NOON)) == [
        {"event_id": "a", "started_at": "2026-11-22T11:59:58.000000Z", "ended_at": "2026-11-22T12:00:00.000000Z"},
        {"event_id": "b", "ended_at": "2026-11-22T12:00:03.500000Z"},
        {"event_id": "c", "ended_at": "soon"},
        {"event_id": "d", "ended_at": "2026-11-22T12:00:01.000000Z"},
        {"event_id": "e", "ended_at": "2026-11-22T12:00:05.000001Z"},
    ]


def test_jsonl_without_any_time_cannot_be_moved(tmp_path: Path) -> None:
    """There is nothing to move: refused, not guessed."""
    trace = open_trace(written(tmp_path, b'{"event_id": "a"}'))
    with pytest.raises(UsageError, match="no event has a time"):
        replay_events(trace, start=NOON)


def test_real_rate_follows_the_events_ends(tmp_path: Path) -> None:
    """Due at `ended_at` less the first arrival; a late or timeless event is due with the one ahead of it.

    By hand, from 08:59:58: a 2 s; b ends 09:00:03.5, 5.5 s; c has no time, 5.5; d is 3 s but behind b, 5.5; e 7.000001.
    """
    trace = open_trace(written(tmp_path, JSONL))
    assert [due_s for due_s, _ in schedule(replay_events(trace), "real")] == [2.0, 5.5, 5.5, 5.5, 7.000001]
    at_nine = datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert [due_s for due_s, _ in schedule(replay_events(trace), "real", origin=at_nine)] == [
        0,
        3.5,
        3.5,
        3.5,
        5.000001,
    ]


def test_other_rates_are_even_or_at_once() -> None:
    """N events per second: event i is due at i / N. max: all at once."""
    events: list[Event] = [{"event_id": "a"}, {"event_id": "b"}, {"event_id": "c"}]
    assert [due_s for due_s, _ in schedule(events, 4.0)] == [0.0, 0.25, 0.5]
    assert [due_s for due_s, _ in schedule(events, "max")] == [0.0, 0.0, 0.0]


def test_completion_order_by_hand() -> None:
    """A long request that starts first is reported after the short ones that ended meanwhile."""

    def event(name: str, start_s: int, end_s: int) -> dict[str, str]:
        return {
            "event_id": name,
            "started_at": f"2026-11-22T19:00:{start_s:02}Z",
            "ended_at": f"2026-11-22T19:00:{end_s:02}Z",
        }

    events = [event("long", 0, 9), event("short", 1, 2), event("middle", 1, 5), event("late", 6, 7)]
    assert [done["event_id"] for done in in_completion_order(events)] == ["short", "middle", "late", "long"]
    with pytest.raises(UsageError, match="'x': started_at and ended_at are needed"):
        list(in_completion_order([{"event_id": "x", "started_at": None, "ended_at": None}]))


@pytest.mark.parametrize(("text", "rate"), [("real", "real"), ("max", "max"), ("250", 250.0), ("0.5", 0.5)])
def test_rates_that_can_be_used(text: str, rate: str | float) -> None:
    """The three spellings of --rate."""
    assert as_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf"])
def test_rates_that_cannot_be_used(text: str) -> None:
    """Anything else is refused, naming the field."""
    with pytest.raises(UsageError, match="rate"):
        as_rate(text)


def test_other_arguments_that_cannot_be_used(trace: Trace) -> None:
    """A negative limit and a start without a zone are refused before anything is sent."""
    with pytest.raises(UsageError, match="limit: -1"):
        replay_events(trace, limit=-1)
    with pytest.raises(UsageError, match=r"start: .* no time zone"):
        replay_events(trace, start=datetime(2026, 1, 1))  # noqa: DTZ001
