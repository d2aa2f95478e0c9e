"""A trace file as the events that a replay sends: the file's own times or others, all of it or its first rows."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.sandbox.traffic.assign import assign
from rice_stream.sandbox.traffic.pacing import Event, in_completion_order
from rice_stream.sandbox.traffic.times import parsed_us
from rice_stream.sandbox.traffic.traces import MOONCAKE_START, Trace, TraceEvent

REBASED_FIELDS = ("started_at", "ended_at")


def replay_events(
    trace: Trace,
    *,
    seed: int = 0,
    tenants: int = 20,
    start: datetime | None = None,
    limit: int | None = None,
    by_completion: bool = False,
) -> Iterator[Event]:
    """The events of the first `limit` rows of `trace`.

    `start` None keeps the file's own times (a Mooncake trace has none: it starts at MOONCAKE_START), so that sending
    it again is sending the same events. Otherwise all times move together, the first request's arrival (jsonl: the
    earliest event's end) to `start`. `by_completion` sends a trace's events in the order in which the requests end,
    as a replay in real time must; a jsonl file keeps its order. `seed` and `tenants` as in `assign`; they do not touch
    the events of a jsonl file. Raises UsageError if an argument cannot be used.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"limit: {limit} is negative")
    if start is not None and start.tzinfo is None:
        raise UsageError(f"start: {start.isoformat()} has no time zone; say which, for example {start.isoformat()}Z")
    if trace.format == "jsonl":
        return _jsonl_events(trace, start, limit)
    assigned = assign(
        islice(trace.requests(), limit),
        seed=seed,
        tenants=tenants,
        start=start or trace.first_at or MOONCAKE_START,
        trace_digest=trace.digest,
        source=f"/replay/{trace.format}",
    )
    return iter(in_completion_order(assigned) if by_completion else assigned)


def rebased(fields: dict[str, Any], shift_us: int) -> dict[str, Any]:
    """A copy of an event with `started_at` and `ended_at` moved by `shift_us`; what is not a time stays as it is."""
    moved = dict(fields)
    for field in REBASED_FIELDS:
        time_us = parsed_us(fields.get(field))
        if time_us is not None:
            moved[field] = rfc3339(time_us + shift_us, "microseconds")
    return moved


def _jsonl_events(trace: Trace, start: datetime | None, limit: int | None) -> Iterator[Event]:
    events: Iterator[TraceEvent] = islice(trace.raw_events(), limit)
    if start is None:
        return events
    if trace.first_at is None:
        raise UsageError(f"{trace.path}: no event has a time that could be moved to {start.isoformat()}")
    shift_us = epoch_us(start) - epoch_us(trace.first_at)
    return (rebased(event.fields, shift_us) for event in events)
