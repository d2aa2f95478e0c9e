"""Values by the hour: of the day, of the day by month, and one after the other."""

import math

from rice_stream.instants import us_from_iso
from rice_stream.reference.sets.hours import Hours

YEAR = tuple(float(100 * month + hour) for month in range(12) for hour in range(24))


def test_the_hour_is_that_of_utc_to_the_microsecond() -> None:
    day = Hours("by_hour", tuple(map(float, range(24))))
    midnight_us = us_from_iso("2024-02-29")
    assert [day.at(midnight_us + shift) for shift in (-1, 0, 3_600_000_000 - 1, 3_600_000_000)] == [23, 0, 0, 1]


def test_months_have_days_of_their_own() -> None:
    """Leap days and the turn of the year included."""
    year = Hours("by_month_and_hour", YEAR)
    at = [
        year.at(us_from_iso(text)) for text in ("2024-02-29T23:30:00Z", "2024-03-01T00:00:00Z", "2025-12-31T23:59:59Z")
    ]
    assert at == [123, 200, 1123]
    assert year.mean == math.fsum(YEAR) / 288
    assert len(year.content()) == 12


def test_a_series_answers_for_its_own_hours_alone() -> None:
    start_us = us_from_iso("2027-01-01")
    series = Hours("series", (1.0, 2.0), start_us)
    hour_us = 3_600_000_000
    shifts = (-1, 0, hour_us, 2 * hour_us - 1, 2 * hour_us)
    assert [series.at(start_us + shift) for shift in shifts] == [None, 1, 2, 2, None]
    assert (series.mean, series.end_us) == (1.5, start_us + 2 * hour_us)
