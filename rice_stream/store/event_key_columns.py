"""Event keys as the databases hold them: `uuid` on PostgreSQL, 16 bytes on SQLite. Keys begin with the event's time.

Where an event has no time of its own, its key begins with the start of its day (UTC).
"""

import uuid
from typing import NamedTuple

from rice_stream.instants import DAY_S

_DAY_MS = DAY_S * 1000


class RecordKey(NamedTuple):
    """Which record: the key of its tenant, and its own of 16 bytes."""

    tenant_key: int
    event_key: bytes


_LAST_MS = 2**48 - 1


def key_floor(time_ms: int) -> uuid.UUID:
    """The smallest event key of an instant."""
    # Keys have 48 bits for the time: what somebody asks for from before 1970 begins with the first key.
    return uuid.UUID(int=min(max(time_ms, 0), _LAST_MS) << 80)


def key_bound(dialect: str, time_ms: int) -> uuid.UUID | bytes:
    """The smallest event key of an instant, in the type that the dialect's `event_key` column has."""
    floor = key_floor(time_ms)
    return floor if dialect == "postgresql" else floor.bytes


def key_bounds(dialect: str, low_us: int, high_us: int) -> tuple[uuid.UUID | bytes, uuid.UUID | bytes]:
    """(lowest, one past the highest) key that records of events that ended in `low_us <= ended_at_us < high_us` can have.

    Other records of the first day lie between them too: a statement compares `ended_at_us` as well.
    """
    low_ms, high_ms = low_us // 1000, -(-high_us // 1000)
    return key_bound(dialect, low_ms - low_ms % _DAY_MS), key_bound(dialect, high_ms)


def stored_key(dialect: str, event_key: bytes) -> uuid.UUID | bytes:
    """An event key in the type that the dialect's `event_key` column has."""
    return uuid.UUID(bytes=event_key) if dialect == "postgresql" else event_key


def column_key(dialect: str, event_key: bytes) -> str | bytes:
    """An event key as SQLAlchemy's `event_key` column takes it."""
    stored = stored_key(dialect, event_key)
    return stored if isinstance(stored, bytes) else str(stored)


def key_bytes(value: uuid.UUID | str | bytes) -> bytes:
    """The 16 bytes of an event key as either database gives it."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, uuid.UUID) else uuid.UUID(value)).bytes
