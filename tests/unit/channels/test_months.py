"""Months by the calendar of a place, and when a statement of one is made."""

from datetime import UTC, datetime

import pytest

from rice_stream.channels.months import Month, month_to_state
from rice_stream.errors import UsageError


@pytest.mark.parametrize(
    ("now", "place", "name"),
    [
        # Two days after the end, by the clocks of the place, and up to two weeks after it.
        ("2026-11-02T23:59:59", "UTC", None),
        ("2026-11-03T00:00", "UTC", "2026-10"),
        ("2026-11-14T23:59:59", "UTC", "2026-10"),
        ("2026-11-15T00:00", "UTC", None),
        ("2026-11-02T10:00", "Pacific/Kiritimati", "2026-10"),
        ("2026-11-03T00:00", "America/New_York", None),
        ("2026-11-03T04:00", "America/New_York", "2026-10"),
        ("2027-01-03T00:00", "UTC", "2026-12"),
    ],
)
def test_a_month_is_stated_once_its_events_have_had_time_to_arrive(now: str, place: str, name: str | None) -> None:
    """And as long as it is news."""
    month = month_to_state(datetime.fromisoformat(now).replace(tzinfo=UTC), place)
    assert (month.name if month else None) == name


def test_a_month_begins_and_ends_by_the_clocks_of_its_place() -> None:
    """October 2026 of Berlin has an hour more than its days."""
    month = Month.of("2026-10", "Europe/Berlin")
    assert month.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert month.end == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (Month.of("2026-01", "UTC").previous.name, month.name) == ("2025-12", "2026-10")
    assert Month.last_before(datetime(2026, 11, 1, tzinfo=UTC), "America/New_York").name == "2026-09"


@pytest.mark.parametrize("text", ["2026-13", "October", "2026", "2026-10-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(UsageError, match="is no month; write it as in 2026-10"):
        Month.of(text, "UTC")
