"""When a channel is left alone: worked out by hand, with what clocks do in four places."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import Channel, Kind, QuietHours
from rice_stream.channels.quiet_hours import held_until, quiet_until

NIGHT = QuietHours(time(22), time(7), "Europe/Berlin")


def utc(text: str) -> datetime:
    """An instant such as `2026-11-22 19:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "place", "now", "until"),
    [
        # Over midnight: the start is quiet, the end is not.
        ("22:00", "07:00", "Europe/Berlin", "2026-11-22 20:59:59", None),
        ("22:00", "07:00", "Europe/Berlin", "2026-11-22 21:00", "2026-11-23 06:00"),
        ("22:00", "07:00", "Europe/Berlin", "2026-11-23 05:59:59", "2026-11-23 06:00"),
        ("22:00", "07:00", "Europe/Berlin", "2026-11-23 06:00", None),
        # Within a day, and all day: then it ends for an instant once a day.
        ("12:00", "14:00", "Asia/Kathmandu", "2026-11-22 06:15", "2026-11-22 08:15"),
        ("12:00", "14:00", "Asia/Kathmandu", "2026-11-22 06:14", None),
        ("09:00", "09:00", "UTC", "2026-11-22 08:59", "2026-11-22 09:00"),
        ("09:00", "09:00", "UTC", "2026-11-22 09:00", "2026-11-23 09:00"),
        ("00:00", "00:00", "UTC", "2026-11-22 09:00", "2026-11-23 00:00"),
        # New York, 8 March 2026: 02:00 EST is 03:00 EDT. A night is an hour shorter; an end at 02:30 is the jump, so is a start.
        ("22:00", "07:00", "America/New_York", "2026-03-08 03:00", "2026-03-08 11:00"),
        ("22:00", "02:30", "America/New_York", "2026-03-08 06:59", "2026-03-08 07:00"),
        ("22:00", "02:30", "America/New_York", "2026-03-08 07:00", None),
        ("02:30", "04:00", "America/New_York", "2026-03-08 06:59", None),
        ("02:30", "04:00", "America/New_York", "2026-03-08 07:00", "2026-03-08 08:00"),
        ("02:10", "02:50", "America/New_York", "2026-03-08 07:00", None),
        # 1 November 2026: 02:00 EDT is 01:00 EST. 01:30 is shown twice: the first of them ends a night, and begins one.
        ("22:00", "07:00", "America/New_York", "2026-11-01 03:00", "2026-11-01 12:00"),
        ("22:00", "01:30", "America/New_York", "2026-11-01 05:29", "2026-11-01 05:30"),
        ("22:00", "01:30", "America/New_York", "2026-11-01 06:15", None),
        ("01:30", "03:00", "America/New_York", "2026-11-01 05:30", "2026-11-01 08:00"),
        ("01:30", "03:00", "America/New_York", "2026-11-01 06:15", "2026-11-01 08:00"),
        # Lord Howe moves its clocks by half an hour: forward at 02:00 on 4 October 2026, back to 01:30 on 5 April.
        ("23:00", "02:15", "Australia/Lord_Howe", "2026-10-03 15:29", "2026-10-03 15:30"),
        ("23:00", "02:15", "Australia/Lord_Howe", "2026-10-03 15:30", None),
        ("23:00", "01:45", "Australia/Lord_Howe", "2026-04-04 14:44", "2026-04-04 14:45"),
        ("23:00", "01:45", "Australia/Lord_Howe", "2026-04-04 15:05", None),
        # Apia left out 30 December 2011: the night of the 29th lasts until the morning of the 31st, and a lunch is left out.
        ("22:00", "07:00", "Pacific/Apia", "2011-12-30 08:00", "2011-12-30 17:00"),
        ("22:00", "07:00", "Pacific/Apia", "2011-12-30 10:00", "2011-12-30 17:00"),
        ("12:00", "14:00", "Pacific/Apia", "2011-12-30 10:00", None),
        ("12:00", "14:00", "Pacific/Apia", "2011-12-30 22:30", "2011-12-31 00:00"),
        # Havana sets its clocks back from 01:00 to midnight: what begins at 00:30 begins once.
        ("00:30", "06:00", "America/Havana", "2026-11-01 04:29", None),
        ("00:30", "06:00", "America/Havana", "2026-11-01 05:10", "2026-11-01 11:00"),
    ],
)
def test_quiet_hours_by_hand(start: str, end: str, place: str, now: str, until: str | None) -> None:
    """Each by the calendar of the place."""
    hours = QuietHours(time.fromisoformat(start), time.fromisoformat(end), place)
    assert quiet_until(hours, utc(now)) == (None if until is None else utc(until))


@pytest.mark.parametrize(
    ("kind", "severity", "least", "is_held"),
    [
        ("alert", "warning", "critical", True),
        ("alert", "critical", "critical", False),
        ("reminder", "critical", "warning", False),
        ("reminder", "info", "warning", True),
        ("notice", "critical", None, True),
        ("statement", None, "info", True),
        ("test", "info", None, False),
        ("digest", "info", None, False),
    ],
)
def test_what_is_severe_enough_is_not_held(
    kind: Kind, severity: Severity | None, least: Severity | None, *, is_held: bool
) -> None:
    """Nor is the digest that ends quiet hours, nor what somebody has just asked for."""
    channel = Channel("ops", "slack", "ops", quiet_hours=replace(NIGHT, breaks_through=least))
    held = held_until(channel, kind, severity, utc("2026-11-22 23:00"))
    assert held == (utc("2026-11-23 06:00") if is_held else None)
    assert held_until(channel, kind, severity, utc("2026-11-22 12:00")) is None
    assert held_until(replace(channel, quiet_hours=None), kind, severity, utc("2026-11-22 23:00")) is None


def test_alertmanager_is_told_at_night_what_it_has_been_told() -> None:
    """It would take it for ended; what is new to it waits."""
    channel = Channel("am", "alertmanager", "http://am:9093", quiet_hours=NIGHT)
    assert held_until(channel, "reminder", "warning", utc("2026-11-22 23:00")) is None
    assert held_until(channel, "alert", "warning", utc("2026-11-22 23:00")) is not None
