"""Instants as people read them, always in a named time zone and never in the one of who reads."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rice_stream.instants import parse_instant

UTC = "UTC"


def moment_text(value: datetime | str, zone: str | None) -> str:
    """`24 Nov 2026, 14:05` in the zone; `zone` None: in UTC, and the text says so."""
    moment = parse_instant(value) if isinstance(value, str) else value
    there = moment.astimezone(ZoneInfo(zone or UTC))
    return f"{there.day} {there:%b %Y, %H:%M}{'' if zone else ' UTC'}"


def day_text(value: datetime | str, zone: str | None) -> str:
    """`24 Nov 2026`: the day that it is in the zone."""
    moment = parse_instant(value) if isinstance(value, str) else value
    there = moment.astimezone(ZoneInfo(zone or UTC))
    return f"{there.day} {there:%b %Y}"


def minutes_between(earlier: datetime | str, later: datetime) -> int:
    """Whole minutes from one instant to another; none where the first is the later one."""
    moment = parse_instant(earlier) if isinstance(earlier, str) else earlier
    return max(0, int((later - moment).total_seconds() // 60))


_SPANS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def lasting_text(seconds: int) -> str:
    """`4 hours`, `90 minutes`, `day`: a whole number of the largest unit that has one; what is one of it goes without the number.

    >>> [lasting_text(each) for each in (14_400, 5_400, 86_400, 45)]
    ['4 hours', '90 minutes', 'day', '45 seconds']
    """
    unit, size_s = next((unit, size_s) for unit, size_s in _SPANS_S if seconds % size_s == 0)
    count = seconds // size_s
    return unit if count == 1 else f"{count} {unit}s"
