"""Times of events: RFC 3339 text in UTC with microseconds, and integer microseconds since the epoch."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us_since_epoch(time: datetime) -> int:
    """Integer microseconds since 1970-01-01T00:00:00Z, with no float between. Raises ValueError if `time` is naive."""
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} has no time zone")
    return (time - EPOCH) // timedelta(microseconds=1)


def rfc3339(time_us: int) -> str:
    """`2026-11-22T19:00:00.120000Z`: always six digits and Z, so that equal times are equal text."""
    return (EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parsed_us(value: object) -> int | None:
    """Microseconds since the epoch of an RFC 3339 text with a zone; None for anything else: nothing is checked here."""
    if not isinstance(value, str):
        return None
    try:
        return us_since_epoch(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None


def event_time(fields: Mapping[str, Any]) -> int | None:
    """When the event happened: its `ended_at`, else its `started_at`, else None."""
    ended_us = parsed_us(fields.get("ended_at"))
    return parsed_us(fields.get("started_at")) if ended_us is None else ended_us
