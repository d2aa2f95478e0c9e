"""When to send which event: in the order in which requests end, at the trace's own pace or at a chosen one.

Pure: no clock is read here; `send` holds the times against its own.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Literal

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.sandbox.traffic.times import event_time, parsed_us
from rice_stream.sandbox.traffic.traces import TraceEvent

Event = dict[str, Any] | TraceEvent
Rate = Literal["real", "max"] | float


def as_rate(value: str | float) -> Rate:
    """`real`, `max` or a finite number of events per second above 0, also as text. Raises UsageError otherwise."""
    if value == "real":
        return "real"
    if value == "max":
        return "max"
    try:
        events_per_s = float(value)
    except ValueError:
        events_per_s = 0.0
    if not 0 < events_per_s < float("inf"):
        raise UsageError(f"rate: {value!r} is not real, max or a number of events per second above 0")
    return events_per_s


def schedule(events: Iterable[Event], rate: Rate, *, origin: datetime | None = None) -> Iterator[tuple[float, Event]]:
    """(seconds after the start of sending at which it is due, event), in the given order.

    `max`: always 0. A number N: event i (from 0) at i / N. `real`: at the event's `ended_at` less `origin`, never
    before the event ahead of it; `origin` None is the `started_at` of the first event (its `ended_at` if it has none).
    An event without a time is due with the one ahead of it.
    """
    if rate == "max":
        return ((0.0, event) for event in events)
    if rate == "real":
        return _real(events, None if origin is None else epoch_us(origin))
    return ((number / rate, event) for number, event in enumerate(events))


def in_completion_order(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events in the order in which their requests ended, from events in the order in which they started.

    A gateway reports a request when it has ended, so this is the order on a topic. Holds back as many events as are in
    flight at once. Equal ends keep their order.
    """
    in_flight: list[tuple[int, int, dict[str, Any]]] = []
    numbers = count()
    for event in events:
        started_us = parsed_us(event["started_at"])
        ended_us = parsed_us(event["ended_at"])
        if started_us is None or ended_us is None:
            raise UsageError(f"event {event.get('event_id')!r}: started_at and ended_at are needed to order it")
        while in_flight and in_flight[0][0] <= started_us:
            yield heapq.heappop(in_flight)[2]
        heapq.heappush(in_flight, (ended_us, next(numbers), event))
    while in_flight:
        yield heapq.heappop(in_flight)[2]


def _real(events: Iterable[Event], origin_us: int | None) -> Iterator[tuple[float, Event]]:
    due_s = 0.0
    for event in events:
        fields: Mapping[str, Any] = event.fields if isinstance(event, TraceEvent) else event
        time_us = event_time(fields)
        if time_us is not None:
            if origin_us is None:
                started_us = parsed_us(fields.get("started_at"))
                origin_us = time_us if started_us is None else min(started_us, time_us)
            due_s = max(due_s, (time_us - origin_us) / 1e6)
        yield due_s, event
