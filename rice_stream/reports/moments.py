"""Times as people give them: a date, or an RFC 3339 instant."""

import re
from datetime import UTC, date, datetime, timedelta

from rice_stream.errors import UsageError
from rice_stream.instants import parse_instant

_CLOCKS_APART = timedelta(minutes=1)
"""By which the clock of who asks may be ahead."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def moment_of(value: str) -> datetime | date:
    """A date or an instant. ValueError: it is neither."""
    return date.fromisoformat(value) if _DATE.fullmatch(value) else parse_instant(value)


def moment(name: str, value: str | None) -> datetime | date | None:
    """A date or an RFC 3339 instant; None where the option `name` is not given. UsageError: it is neither."""
    if value is None:
        return None
    try:
        return moment_of(value)
    except ValueError as error:
        raise UsageError(f"{name} {value}: {error}; a date such as 2026-11-22 is allowed as well") from error


def instant(name: str, value: str | None) -> datetime | None:
    """An instant; a date means its beginning in UTC. UsageError: it is neither."""
    return as_instant(moment(name, value))


def as_of_instant(name: str, given: datetime | date | None, now: datetime) -> datetime | None:
    """The instant as of which is asked; of a date its beginning in UTC. UsageError: it lies ahead, where nothing is known yet, so
    that the same question would be answered otherwise later."""
    asked = as_instant(given)
    if asked is not None and asked > now + _CLOCKS_APART:
        raise UsageError(
            f"{name} {asked.isoformat()}: lies ahead; what was known by then can be asked when it has come"
        )
    return asked


def as_instant(given: datetime | date | None) -> datetime | None:
    """An instant as it is; of a date its beginning in UTC."""
    if given is None or isinstance(given, datetime):
        return given
    return datetime(given.year, given.month, given.day, tzinfo=UTC)
