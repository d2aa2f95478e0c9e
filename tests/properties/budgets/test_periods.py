"""Periods of any zone at any instant: they tile time, they agree with the clocks, and they start on whole minutes."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.budgets.definition import ROLLING_WINDOWS, Budget, PeriodName
from rice_stream.budgets.periods import period_at, previous_period
from rice_stream.instants import day_start

INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds
CALENDAR = st.sampled_from([name for name in get_args(PeriodName) if name not in ROLLING_WINDOWS])
# Every zone, and more often those that change by odd steps, around midnight, or across the date line.
AWKWARD = (
    "Africa/Monrovia",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
)
ZONES = st.sampled_from(AWKWARD) | st.sampled_from(sorted(available_timezones()))


def budget(kind: PeriodName, time_zone: str) -> Budget:
    return Budget(name="b", tenant_id="t", limit=1, unit="gco2e", period=kind, time_zone=time_zone)


@settings(max_examples=400, deadline=None)
@given(kind=CALENDAR, time_zone=ZONES, now=INSTANTS)
def test_calendar_periods_tile_time(kind: PeriodName, time_zone: str, now: datetime) -> None:
    """Each instant lies in exactly one period, whose neighbours touch it without gap or overlap."""
    judged = budget(kind, time_zone)
    period = period_at(judged, now)
    assert period.start <= now < period.end
    following = period_at(judged, period.end)
    assert following.start == period.end
    assert previous_period(judged, following) == period
    for inside in (period.start, period.start + (period.end - period.start) / 2, period.end - timedelta.resolution):
        assert period_at(judged, inside) == period


@settings(max_examples=300, deadline=None)
@given(kind=CALENDAR, time_zone=ZONES, now=INSTANTS)
def test_a_period_begins_when_the_clocks_first_show_its_first_date(
    kind: PeriodName, time_zone: str, now: datetime
) -> None:
    """Just before the start the clocks show an earlier date, and at the start one that opens such a period.

    Where a zone left the first date out (Kwajalein, 1993-08-21), the next one opens it.
    """
    place = ZoneInfo(time_zone)
    start = period_at(budget(kind, time_zone), now).start
    before, first = ((start - timedelta.resolution).astimezone(place).date(), start.astimezone(place).date())
    assert before < first
    assert period_number(kind, before) < period_number(kind, first)


def period_number(kind: PeriodName, day: date) -> tuple[int, int]:
    """Where a date's period stands in the calendar, by other means than the code's."""
    if kind == "week":
        year, week, _ = day.isocalendar()
        return year, week
    if kind == "day":
        return 0, day.toordinal()
    part = {"month": day.month, "quarter": (day.month + 2) // 3, "year": 0}[kind]
    return day.year, part


@settings(max_examples=200, deadline=None)
@given(time_zone=ZONES, day=st.dates(date(1973, 1, 1), date(2099, 12, 31)))
def test_a_day_starts_on_a_whole_minute_a_day_after_the_last(time_zone: str, day: date) -> None:
    """Whole minutes, so that minute buckets add up to days (offsets with seconds ended in 1972). Of a date that was
    left out nothing remains; else a day has 22 to 26 hours, or 47 to 49 where a date came twice.
    """
    place = ZoneInfo(time_zone)
    start, end = day_start(day, place), day_start(day + timedelta(days=1), place)
    assert (start.second, start.microsecond) == (0, 0)
    hours = (end - start) / timedelta(hours=1)
    assert hours == 0 or 22 <= hours <= 26 or 47 <= hours <= 49


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(sorted(ROLLING_WINDOWS)), now=INSTANTS, later=st.timedeltas(timedelta(0), timedelta(days=1))
)
def test_a_rolling_window_holds_the_whole_window_and_never_goes_back(
    kind: PeriodName, now: datetime, later: timedelta
) -> None:
    rolling = budget(kind, "UTC")
    window = period_at(rolling, now)
    assert window.start <= now - ROLLING_WINDOWS[kind] < window.start + timedelta(minutes=1)
    assert window.start < now < window.end <= now + timedelta(minutes=1)
    following = period_at(rolling, now + later)
    assert following.start >= window.start
