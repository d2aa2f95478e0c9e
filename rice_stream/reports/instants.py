"""Instants as text, and instants as bounds of event keys (which begin with the event's time)."""

import uuid
from datetime import UTC, datetime, timedelta

from rice_stream.schema_names import DAY_S

MICRO = 1_000_000
FOREVER_S = (2**48 - 1) // 1000 // DAY_S * DAY_S
"""Later than any event: the last whole day that an event key can carry."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_us(moment: datetime) -> int:
    """Integer epoch microseconds of an aware datetime, without going through a float."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def rfc3339(moment_us: int) -> str:
    """`2026-11-22T19:00:00Z`; with the fraction where there is one.

    >>> rfc3339(1_795_374_000_000_000), rfc3339(1_795_374_000_120_000)
    ('2026-11-22T19:00:00Z', '2026-11-22T19:00:00.120Z')
    """
    moment = _EPOCH + timedelta(microseconds=moment_us)
    precision = "seconds" if moment_us % MICRO == 0 else "milliseconds" if moment_us % 1000 == 0 else "microseconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def key_bound(dialect: str, time_ms: int) -> uuid.UUID | bytes:
    """The smallest event key of an instant, in the type that the dialect's `event_key` column has."""
    floor = uuid.UUID(int=time_ms << 80)
    return floor if dialect == "postgresql" else floor.bytes


def stored_key(dialect: str, event_key: bytes) -> uuid.UUID | bytes:
    """An event key in the type that the dialect's `event_key` column has."""
    return uuid.UUID(bytes=event_key) if dialect == "postgresql" else event_key


def key_bytes(value: uuid.UUID | str | bytes) -> bytes:
    """The 16 bytes of an event key as either database gives it."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, uuid.UUID) else uuid.UUID(value)).bytes
