"""Instants and days: every conversion and every spelling of time, once.

Inside, an instant is an integer of microseconds since 1970-01-01T00:00:00Z (names end in `_us`), a bucket's start one of
seconds (`_s`). Outside it is RFC 3339 text in UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from rice_stream.errors import UsageError

SECOND_US = 1_000_000
MINUTE_S = 60
SLOT_S = 900
"""Quarter hours: every time zone's offset is a multiple of 15 minutes, so slots add up to any local day or month."""
HOUR_S = 3_600
DAY_S = 86_400
"""Days of UTC: the coarsest bucket, for what spans weeks and months; the rest at both ends comes from the finer ones."""
DAY_US = DAY_S * SECOND_US

YEAR_MIN, YEAR_MAX = 2000, 2099
"""An event time outside these years is a unit mistake (seconds sent as milliseconds), not an event."""

FOREVER_S = (2**48 - 1) // 1000 // DAY_S * DAY_S
"""Later than any event: the last whole day that an event key can carry."""
BEGINNING_US = -(2**62)
"""Valid since ever: earlier than any event."""
END_US = 2**62
"""Valid for ever: later than any event."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC.

    Raises:
        ValueError: a naive datetime names no instant.
    """
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs a time zone, got the naive {instant!r}")
    return instant.astimezone(UTC)


def epoch_us(instant: datetime) -> int:
    """Integer microseconds since the epoch, without going through a float.

    Raises:
        ValueError: a naive datetime names no instant.
    """
    return (in_utc(instant) - EPOCH) // timedelta(microseconds=1)


def epoch_s(instant: datetime) -> int:
    """Whole seconds since the epoch, rounded down.

    Raises:
        ValueError: a naive datetime names no instant.
    """
    return epoch_us(instant) // SECOND_US


def datetime_of(instant_us: int) -> datetime:
    """The instant in UTC, exactly."""
    return EPOCH + timedelta(microseconds=instant_us)


def rfc3339(instant_us: int, timespec: str | None = None) -> str:
    """`2026-11-22T19:00:00Z`; with the fraction where there is one.

    `timespec` ("seconds", "milliseconds", "microseconds") gives every text that many digits; what is beyond them is cut.

    >>> rfc3339(1_795_374_000_000_000), rfc3339(1_795_374_000_120_000)
    ('2026-11-22T19:00:00Z', '2026-11-22T19:00:00.120Z')
    """
    day, rest_us = divmod(instant_us, DAY_US)
    seconds, fraction_us = divmod(rest_us, SECOND_US)
    minutes, second = divmod(seconds, MINUTE_S)
    if timespec is None:
        timespec = "seconds" if not fraction_us else "microseconds" if fraction_us % 1000 else "milliseconds"
    fraction = _FRACTIONS[timespec](fraction_us)
    # Put together here: tables of millions of rows have two times in each, and the calendar's own way takes thrice as long.
    return f"{_date_text(day)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}{fraction}Z"


_FRACTIONS: dict[str, Callable[[int], str]] = {
    "seconds": lambda _: "",
    "milliseconds": lambda us: f".{us // 1000:03}",
    "microseconds": lambda us: f".{us:06}",
}


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    """The date of a day counted from 1970-01-01."""
    return (EPOCH + timedelta(days=day)).date().isoformat()


def parse_time(value: object) -> datetime:
    """The time of an event: `parse_instant`, within the years that events can lie in. ValueError says what to send."""
    moment = parse_instant(value)
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise ValueError(f"must lie in the years {YEAR_MIN} to {YEAR_MAX}; is the unit right?")
    return moment


def parse_instant(value: object) -> datetime:
    """RFC 3339 text with a time zone -> UTC; digits beyond microseconds are cut. ValueError says what to send."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs a time zone")
        return value.astimezone(UTC)
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be RFC 3339 text with a time zone, such as 2026-11-22T19:00:03.480Z")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    microseconds = ((fraction or "") + "000000")[:6]
    # Python reads the offset; everything before it has been checked digit by digit above.
    text = f"{year}-{month}-{day}T{hour}:{minute}:{second}.{microseconds}{'+00:00' if zone in 'Zz' else zone}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is not a point in time that exists") from error


def iso_from_us(instant_us: int) -> str:
    """ISO text in UTC; a midnight is written as the date alone."""
    moment = datetime_of(instant_us)
    return moment.date().isoformat() if moment.time() == time() else rfc3339(instant_us)


def us_from_iso(text: str) -> int:
    """Microseconds since the epoch of an ISO date or time; a date means its first instant, no zone means UTC.

    Raises:
        ValueError: the text is neither.
    """
    moment = datetime.fromisoformat(text)
    return epoch_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone; its rules are read once per process (the interpreter's own cache keeps only eight zones).

    Raises:
        UsageError: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a key at all; a folder of zones such as "America"
        raise UsageError(f"time_zone: {name!r} is no IANA time zone; write it as in 'Europe/Berlin'") from error


def day_start(day: date, place: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the clocks of a place show `day` or a later date."""
    return first_showing(datetime.combine(day, time()), place)


def first_showing(shown: datetime, place: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the clocks of a place show `shown` (without a zone) or something later."""
    first = shown.replace(tzinfo=place, fold=0)  # fold 0: the first of two instants that show it
    start = first.astimezone(UTC)
    if start.astimezone(place).replace(tzinfo=None) == shown:
        return start
    # The clocks jump over it. PEP 495: fold 1 reads it by the new offset (before the jump), fold 0 by the old one
    # (at the jump or after it); the jump itself is the first whole second between them that shows something later.
    before, after = first.replace(fold=1).astimezone(UTC), start
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(place).replace(tzinfo=None) >= shown:
            after = middle
        else:
            before = middle
    return after
