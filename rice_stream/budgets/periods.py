"""The period a budget is judged over: calendar periods in a time zone, and rolling windows. Pure: takes `now`."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from rice_stream.budgets.definition import Budget, PeriodName
from rice_stream.instants import SECOND_US, SLOT_S, datetime_of, day_start, epoch_s, in_utc, zone

MINUTE = timedelta(minutes=1)
INSTANT = timedelta.resolution
_END_MOVES_MAX = timedelta(days=2)
"""Time zone data that change move the end of a period by hours, at most by a date; the next longer kind by five days."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time `start <= t < end`, both in UTC; `calendar` is False for a rolling window.

    Raises:
        ValueError: a bound is not in UTC, or the span is empty.
    """

    start: datetime
    end: datetime
    calendar: bool

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            raise ValueError(f"a period's bounds must be in UTC, got {self.start!r} and {self.end!r}")
        if self.start >= self.end:
            raise ValueError(f"a period must not be empty, got {self.start} to {self.end}")

    def is_same(self, other: "Period") -> bool:
        """Whether both are one calendar period: of the same start and kind, though time zone data that were changed in
        between may have moved its end."""
        if not (self.calendar and other.calendar):
            return self == other
        return self.start == other.start and abs(self.end - other.end) < _END_MOVES_MAX


def period_at(budget: Budget, now: datetime) -> Period:
    """The period that `now` (aware) falls in.

    Calendar periods begin when the clocks of the budget's time zone first show a date: the day itself, the Monday
    (ISO 8601), the first of the month, quarter or year. Days of 23 or 25 hours, half-hour changes, changes at
    midnight, and dates that a zone left out follow from that. Periods tile time: each instant lies in exactly one.
    They start on whole minutes, though not always on whole hours of UTC (Asia/Kolkata is at +05:30).

    A rolling window starts at `now - window` floored to the minute and includes the running minute, so that an event
    counts at once: it is a sum of whole minute buckets.
    """
    now = in_utc(now)
    if budget.window is not None:
        minute = now.replace(second=0, microsecond=0)
        return Period(minute - budget.window, minute + MINUTE, calendar=False)
    return _calendar_period(budget.period, budget.time_zone, now)


@lru_cache(maxsize=4096)
def _calendar_period(name: PeriodName, time_zone: str, now: datetime) -> Period:
    """Kept for a while: when thousands of budgets are judged at one instant, they have few different periods."""
    place = zone(time_zone)
    first = _first_day(name, now.astimezone(place).date())
    start, first_after = day_start(first, place), _first_day_after(name, first)
    end = day_start(first_after, place)
    # Where clocks are set back across midnight, the old date shows for a second time: that hour belongs to the new day.
    while end <= now:
        start, first_after = end, _first_day_after(name, first_after)
        end = day_start(first_after, place)
    return Period(start, end, calendar=True)


def previous_period(budget: Budget, period: Period) -> Period:
    """The period that ends where this one starts (for a rolling window: the window before it)."""
    if budget.window is not None:
        return Period(period.start - budget.window, period.start, calendar=False)
    return period_at(budget, period.start - INSTANT)


def recent_stretch(now: datetime, window: timedelta) -> Period:
    """From the quarter hour in which `window` before now began up to now: totals of a part of a tenant have no shorter buckets."""
    start_s = (epoch_s(now) - int(window.total_seconds())) // SLOT_S * SLOT_S
    end = now.replace(second=0, microsecond=0) + MINUTE
    return Period(datetime_of(start_s * SECOND_US), in_utc(end), calendar=False)


def _first_day(period: PeriodName, day: date) -> date:
    """The first date of the calendar period that holds `day`."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    if period == "year":
        return day.replace(month=1, day=1)
    return day


def _first_day_after(period: PeriodName, first: date) -> date:
    """The first date of the calendar period that follows the one that begins on `first`."""
    # Longer than any such period and shorter than two of them, so that the day it leads to lies in the next one.
    days = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[period]
    return _first_day(period, first + timedelta(days=days))
