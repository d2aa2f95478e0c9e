"""Stretches of time as pages show them: bars tile them, and the one before is as long, in months and days of the zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.stretches import BARS_MAX, BUCKETS, Bucket, bars, before, coarsened, fitting
from rice_stream.instants import day_start

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
moments = st.integers(0, 20 * 366 * 86_400).map(
    lambda second: datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
lengths = st.timedeltas(timedelta(minutes=1), timedelta(days=400))


@given(moments, lengths, st.sampled_from(ZONES), st.sampled_from(BUCKETS))
def test_bars_tile_the_stretch_and_are_not_too_many(
    start: datetime, length: timedelta, zone: str, asked: Bucket
) -> None:
    """Each begins where the one before ends; together they hold the stretch, and no bar lies outside of it."""
    end = start + length
    bucket = coarsened(asked, start, end)
    found = bars(bucket, start, end, zone)
    assert BUCKETS.index(bucket) >= BUCKETS.index(asked)
    assert len(found) <= BARS_MAX + 2
    assert found[0].start <= start < found[0].end
    assert found[-1].start < end <= found[-1].end
    assert all(one.end == other.start for one, other in pairwise(found))
    assert len({bar.key for bar in found}) == len(found)


def test_bars_are_called_what_answers_call_them() -> None:
    start = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
    end = start + timedelta(minutes=60)
    assert [bar.key for bar in bars("hour", start, end, "Asia/Kathmandu")] == [
        "2026-11-24T14:00:00Z",
        "2026-11-24T15:00:00Z",
    ]
    assert [bar.key for bar in bars("day", start, start + timedelta(hours=6), "Asia/Kathmandu")] == [
        "2026-11-24",
        "2026-11-25",
    ]
    assert [bar.key for bar in bars("month", start, start + timedelta(days=8), "UTC")] == ["2026-11", "2026-12"]


def test_hours_of_more_than_a_fortnight_and_days_of_more_than_a_year_are_too_many() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    asked: list[tuple[Bucket, int]] = [("hour", 7), ("hour", 30), ("day", 30), ("day", 730), ("hour", 730)]
    given_instead = [coarsened(bucket, start, start + timedelta(days=days)) for bucket, days in asked]
    assert given_instead == ["hour", "day", "day", "month", "month"]
    assert [fitting(start, start + timedelta(days=days)) for days in (1, 7, 30, 365)] == ["hour", "day", "day", "month"]


@pytest.mark.parametrize("zone", ZONES)
def test_whole_months_are_compared_with_months_and_whole_days_with_days(zone: str) -> None:
    """In the zone, whatever their lengths in hours."""
    place = ZoneInfo(zone)

    def at(*day: int) -> datetime:
        return day_start(date(*day), place)

    assert before(at(2026, 11, 1), at(2026, 12, 1), zone) == (at(2026, 10, 1), at(2026, 11, 1))
    assert before(at(2026, 1, 1), at(2027, 1, 1), zone) == (at(2025, 1, 1), at(2026, 1, 1))
    assert before(at(2026, 11, 2), at(2026, 11, 9), zone) == (at(2026, 10, 26), at(2026, 11, 2))


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_to_date_is_compared_with_the_same_days_of_the_month_before(zone: str) -> None:
    """Up to the same time of day; a day that the month before lacks ends it."""
    place = ZoneInfo(zone)
    november = day_start(date(2026, 11, 1), place)
    noon = datetime(2026, 11, 24, 12, 5, tzinfo=place)
    assert before(november, noon, zone) == (
        day_start(date(2026, 10, 1), place),
        datetime(2026, 10, 24, 12, 5, tzinfo=place),
    )
    march = day_start(date(2026, 3, 1), place)
    assert before(march, datetime(2026, 3, 30, 12, tzinfo=place), zone) == (day_start(date(2026, 2, 1), place), march)


@given(moments, lengths)
def test_any_other_stretch_is_compared_with_one_of_its_length_right_before(start: datetime, length: timedelta) -> None:
    start = start.replace(hour=7, minute=1)
    assert before(start, start + length, "UTC") == (start - length, start)
