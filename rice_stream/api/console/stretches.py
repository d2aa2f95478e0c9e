"""Stretches of time as pages show them: in how many bars, and which stretch is the one before. Pure."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.instants import day_start, epoch_s, rfc3339

Bucket = Literal["hour", "day", "month"]
BUCKETS: tuple[Bucket, ...] = ("hour", "day", "month")
BARS_MAX = 400
_HOUR_S, _DAY_S = 3_600, 86_400
_MONTH_S = 28 * _DAY_S
_HOURS_AT_MOST = timedelta(days=3)
_DAYS_AT_MOST = timedelta(days=100)


class BarTime(NamedTuple):
    """A bucket of time: what an answer calls it, and when it begins and ends."""

    key: str
    start: datetime
    end: datetime


def fitting(start: datetime, end: datetime) -> Bucket:
    """The bucket for a stretch, where nobody asks for one."""
    length = end - start
    return "hour" if length <= _HOURS_AT_MOST else "day" if length <= _DAYS_AT_MOST else "month"


def coarsened(bucket: Bucket, start: datetime, end: datetime) -> Bucket:
    """The bucket, or the next coarser one with which a stretch has BARS_MAX bars at most."""
    length_s = (end - start).total_seconds()
    for each, bucket_s in zip(BUCKETS, (_HOUR_S, _DAY_S, _MONTH_S), strict=True):
        if BUCKETS.index(each) >= BUCKETS.index(bucket) and length_s / bucket_s <= BARS_MAX:
            return each
    return "month"


def bars(bucket: Bucket, start: datetime, end: datetime, zone: str) -> list[BarTime]:
    """All buckets that a stretch touches: hours are those of UTC, days and months those of the zone."""
    if bucket == "hour":
        first_s = epoch_s(start) // _HOUR_S * _HOUR_S
        starts = [datetime.fromtimestamp(at_s, UTC) for at_s in range(first_s, epoch_s(end) + _HOUR_S, _HOUR_S)]
        hours = [BarTime(rfc3339(epoch_s(at) * 1_000_000), at, at + timedelta(hours=1)) for at in starts]
        return [each for each in hours if each.start < end]
    place = ZoneInfo(zone)
    day = start.astimezone(place).date()
    found = []
    if bucket == "month":
        day = day.replace(day=1)
    while (begins := _begins(day, place)) < end:
        following = day + timedelta(days=1) if bucket == "day" else next_month(day)
        ends = _begins(following, place)
        # A day that a place left out has no length.
        if begins < ends:
            found.append(BarTime(day.isoformat() if bucket == "day" else f"{day:%Y-%m}", begins, ends))
        day = following
    return found


def before(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    """The stretch before: as many months where it begins with a month, else as many days where it begins with a day and ends with
    one, else of the same length. What begins with a month and ends within one is compared with the same days of the months
    before."""
    place = ZoneInfo(zone)
    first, last = start.astimezone(place), end.astimezone(place)
    if first.date().day == 1 and day_start(first.date(), place) == start:
        whole = day_start(last.date(), place) == end and last.date().day == 1
        months = _months(last.date()) - _months(first.date()) + (0 if whole else 1)
        return day_start(_months_before(first.date(), months), place), min(_moment_before(last, months, place), start)
    if day_start(first.date(), place) == start and day_start(last.date(), place) == end:
        days = last.date() - first.date()
        return day_start(first.date() - days, place), start
    return start - (end - start), start


def next_month(day: date) -> date:
    """The first of the month after."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


@lru_cache(maxsize=4096)
def _begins(day: date, place: ZoneInfo) -> datetime:
    """Kept: all charts of a time zone have the same days."""
    return day_start(day, place)


def _months(day: date) -> int:
    return day.year * 12 + day.month - 1


def _months_before(day: date, months: int) -> date:
    """The same day of a month before, or that month's last."""
    year, month = divmod(_months(day) - months, 12)
    first = date(year, month + 1, 1)
    return min(first.replace(day=1) + timedelta(days=day.day - 1), next_month(first) - timedelta(days=1))


def _moment_before(there: datetime, months: int, place: ZoneInfo) -> datetime:
    """The same day and time of day of a month before; the end of that month where it has no such day."""
    day = _months_before(there.date(), months)
    if day.day != there.day:
        return day_start(next_month(day), place)
    return datetime.combine(day, there.time(), place).astimezone(UTC)
