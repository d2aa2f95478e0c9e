"""Which stretches of time the overview sets side by side: always in the days of one time zone. Pure."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.instants import day_start

_MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)


class Between(NamedTuple):
    """From `start` up to, and without, `end`."""

    start: datetime
    end: datetime


class Times(NamedTuple):
    """What is compared as of now."""

    today: date
    today_before: Between
    """The same hours of the same day of the week before: work has a rhythm of weeks."""
    month: date
    """The first of this month."""
    month_before: date
    month_before_days: Between
    """The month before, as a whole."""
    month_before_same: Between
    """The month before up to the same day and time; all of it where it has no such day."""
    week_before: Between
    """The seven days before the last seven."""

    @property
    def same_is_whole(self) -> bool:
        """Whether this month has had as many days as the one before has."""
        return self.month_before_same == self.month_before_days


def times_at(now: datetime, place: ZoneInfo) -> Times:
    """As of the running minute, which is included."""
    now = now.replace(second=0, microsecond=0)
    there = now.astimezone(place)
    today = there.date()
    month = today.replace(day=1)
    month_before = (month - timedelta(days=1)).replace(day=1)
    days = monthrange(month_before.year, month_before.month)[1]
    whole = Between(day_start(month_before, place), day_start(month, place))
    same = whole
    if today.day <= days:
        same = Between(whole.start, min(_at(month_before.replace(day=today.day), there.time(), place), whole.end))
    week_ago = today - WEEK
    return Times(
        today,
        Between(day_start(week_ago, place), _at(week_ago, there.time(), place)),
        month,
        month_before,
        whole,
        same,
        Between(now + _MINUTE - 2 * WEEK, now + _MINUTE - WEEK),
    )


def week_of(now: datetime) -> Between:
    """As the window `7d`: it ends with the running minute."""
    now = now.replace(second=0, microsecond=0)
    return Between(now - WEEK, now + _MINUTE)


def _at(day: date, clock: time, place: ZoneInfo) -> datetime:
    """The end of the minute at which the clocks of a place show this on a day."""
    return datetime.combine(day, clock.replace(fold=0), place).astimezone(UTC) + _MINUTE
