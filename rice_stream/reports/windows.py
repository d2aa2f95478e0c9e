"""From and to of a report: one rule for every question that can be asked about a stretch of time."""

from datetime import MAXYEAR, date, datetime
from zoneinfo import ZoneInfo

from rice_stream.errors import UsageError
from rice_stream.instants import EPOCH, FOREVER_S, SECOND_US, day_start, epoch_us, in_utc, rfc3339

FOREVER_US = FOREVER_S * SECOND_US
TimeBound = datetime | date | None
"""An instant, a local day (its first instant), or no bound at all."""


def check_window(window: str | None, start: TimeBound, end: TimeBound) -> None:
    """UsageError where a window is given beside bounds of its own."""
    if window is not None and (start is not None or end is not None):
        raise UsageError("--window says it all: leave out --from and --to, or give them without --window")


def bounds_us(start: TimeBound, end: TimeBound, time_zone: str) -> tuple[int, int]:
    """(from, to) in epoch microseconds, where days are those of a time zone. UsageError: from is not before to."""
    from_us = 0 if start is None else _bound_us(start, time_zone)
    to_us = FOREVER_US if end is None else _bound_us(end, time_zone)
    if from_us >= to_us:
        raise UsageError(f"--from must lie before --to, which is not included; got {start} and {end}")
    return from_us, to_us


def bound_text(bound_us: int) -> str | None:
    """An end of a stretch as it is answered; None where it is open."""
    return None if bound_us in (0, FOREVER_US) else rfc3339(bound_us)


def _bound_us(bound: datetime | date, time_zone: str) -> int:
    # No event lies there, and at the calendar's own ends a day of another time zone may have no beginning in UTC.
    if bound.year < EPOCH.year:
        return 0
    if bound.year == MAXYEAR:
        return FOREVER_US
    if isinstance(bound, datetime):
        return epoch_us(in_utc(bound))
    return epoch_us(day_start(bound, ZoneInfo(time_zone)))
