"""Times of events: RFC 3339 text in UTC with microseconds, and integer microseconds since the epoch."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rice_stream.instants import epoch_us


def parsed_us(value: object) -> int | None:
    """Microseconds since the epoch of an RFC 3339 text with a zone; None for anything else: nothing is checked here."""
    if not isinstance(value, str):
        return None
    try:
        return epoch_us(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None


def event_time(fields: Mapping[str, Any]) -> int | None:
    """When the event happened: its `ended_at`, else its `started_at`, else None."""
    ended_us = parsed_us(fields.get("ended_at"))
    return parsed_us(fields.get("started_at")) if ended_us is None else ended_us
