"""Admission asks the database for its clock when it matters, and not for every batch."""

from rice_stream.events.decoding import decode_batch
from rice_stream.instants import DAY_US, rfc3339
from rice_stream.pipeline.admission import EventAdmission
from tests.support.fakes import NOON_US, event, records_of


def admitted(admission: EventAdmission, *ended_at_us: int) -> tuple[int, list[str]]:
    """How many of events with these ends are taken, and why others are refused. The worker's clock is at noon."""
    events = [event(ended_at=rfc3339(us, "microseconds"), started_at=None) for us in ended_at_us]
    columns, decoded, _ = admission.admit(*decode_batch(records_of(events)), NOON_US)
    assert len(columns) == len(decoded.events) == len(decoded.records) == len(decoded.items)
    return len(columns), [refused.reason for refused in decoded.refused]


def test_the_clock_is_asked_once_a_day_of_events_and_for_those_of_the_future() -> None:
    asked: list[int] = []
    now_us = NOON_US

    def clock() -> int:
        asked.append(now_us)
        return now_us

    admission = EventAdmission(lambda: 0, clock)
    for minutes in range(600):
        now_us = NOON_US + minutes * 60_000_000
        assert admitted(admission, now_us) == (1, [])
    assert len(asked) == 1
    assert admitted(admission, now_us + DAY_US) == (1, [])
    assert admitted(admission, now_us + DAY_US + 1, now_us) == (1, ["in_the_future"])
    assert len(asked) == 3


def test_without_a_clock_a_batch_is_received_now() -> None:
    assert admitted(EventAdmission(lambda: 0), NOON_US + DAY_US, NOON_US + DAY_US + 1) == (1, ["in_the_future"])


def test_an_event_of_the_past_is_left_out_and_one_of_the_future_refused() -> None:
    admission = EventAdmission(lambda: NOON_US - 40 * DAY_US)
    assert admitted(admission, NOON_US + 2 * DAY_US, NOON_US - 50 * DAY_US, NOON_US) == (
        1,
        ["in_the_future"],
    )
    assert admitted(admission) == (0, [])
