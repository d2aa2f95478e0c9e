"""What the overview compares with what: always the same days and hours, in the days of one place."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.pages.overview_chart import month_chart
from rice_stream.api.console.pages.overview_times import times_at
from rice_stream.instants import day_start

_PLACES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
)
_MOMENTS = st.integers(0, 30 * 365 * 24 * 60).map(
    lambda minutes: datetime(2010, 1, 2, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(_MOMENTS, _PLACES)
def test_what_is_compared_ends_at_the_same_time_by_the_clock_and_lies_before(now: datetime, name: str) -> None:
    place = ZoneInfo(name)
    times = times_at(now, place)
    there = now.astimezone(place)
    assert (times.today, times.month) == (there.date(), there.date().replace(day=1))
    assert times.today_before.start == day_start(times.today - timedelta(days=7), place)
    assert times.today_before.start < times.today_before.end <= day_start(times.today, place)
    assert times.month_before_days.end == day_start(times.month, place)
    assert times.month_before_same.start == times.month_before_days.start
    assert times.month_before_same.start < times.month_before_same.end <= times.month_before_days.end
    assert times.week_before.end - times.week_before.start == timedelta(days=7)


def test_a_day_that_the_month_before_does_not_have_is_compared_with_all_of_it() -> None:
    place = ZoneInfo("Europe/Berlin")
    times = times_at(datetime(2027, 3, 31, 12, 0, tzinfo=UTC), place)
    assert times.same_is_whole
    assert times.month_before_same.end == datetime(2027, 2, 28, 23, 0, tzinfo=UTC)
    assert not times_at(datetime(2027, 3, 27, 12, 0, tzinfo=UTC), place).same_is_whole


def test_the_clock_is_that_of_the_place_also_where_it_was_changed_in_between() -> None:
    times = times_at(datetime(2026, 10, 27, 13, 5, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert times.today_before.start == datetime(2026, 10, 19, 22, 0, tzinfo=UTC)
    assert times.today_before.end == datetime(2026, 10, 20, 12, 6, tzinfo=UTC), "14:06 by the clock, like today"


@pytest.mark.parametrize("begins", [date(2026, 10, 1), date(2026, 10, 20), date(2026, 11, 24)])
def test_the_line_ends_at_yesterday_and_begins_with_the_ledger(begins: date) -> None:
    """A day without prompts is zero, one before the ledger is none, and today is no point of the line."""
    times = times_at(datetime(2026, 11, 24, 14, 5, tzinfo=UTC), ZoneInfo("UTC"))
    today = {"day": "2026-11-24", "carbon_gco2e": {"low": 1.0, "mid": 2.0, "high": 4.0}}
    chart = month_chart(times, begins, [today], [])
    now, before, unfinished = chart.moving["series"]
    assert len(chart.moving["labels"]) == 31, "October has a day more"
    assert now["mid"] == [0.0 if date(2026, 11, day) >= begins else None for day in range(1, 24)] + [None] * 8
    assert before["mid"] == [0.0 if date(2026, 10, day) >= begins else None for day in range(1, 32)]
    assert [each for each in unfinished["mid"] if each is not None] == [2.0]
    assert chart.rows[23].now == today["carbon_gco2e"]
    assert 100 > chart.today.low > chart.today.mid > chart.today.high >= 0
    assert chart.today.left == pytest.approx(23 / 31 * 100, abs=0.01)
