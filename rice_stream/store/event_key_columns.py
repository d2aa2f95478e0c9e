"""Event keys as the databases hold them: `uuid` on PostgreSQL, 16 bytes on SQLite. Keys begin with the event's time."""

import uuid


def key_floor(time_ms: int) -> uuid.UUID:
    """The smallest event key of an instant."""
    return uuid.UUID(int=time_ms << 80)


def key_bound(dialect: str, time_ms: int) -> uuid.UUID | bytes:
    """The smallest event key of an instant, in the type that the dialect's `event_key` column has."""
    floor = key_floor(time_ms)
    return floor if dialect == "postgresql" else floor.bytes


def stored_key(dialect: str, event_key: bytes) -> uuid.UUID | bytes:
    """An event key in the type that the dialect's `event_key` column has."""
    return uuid.UUID(bytes=event_key) if dialect == "postgresql" else event_key


def key_bytes(value: uuid.UUID | str | bytes) -> bytes:
    """The 16 bytes of an event key as either database gives it."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, uuid.UUID) else uuid.UUID(value)).bytes
