"""Which events are taken, by when they ended: neither before the retention horizon nor more than a day in the future.

Both rules refuse an event before it becomes a record, so that it makes no partition and moves no total.
"""

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import EventColumns
from rice_stream.events.records import Decoded, Refusal, Refused
from rice_stream.events.refused_items import bounded_by_record
from rice_stream.instants import DAY_US

FUTURE_US = DAY_US
"""How far after now an event may end: clocks and time zones are set wrong by hours, not by more than a day."""
YOUNGEST_HORIZON_US = 31 * DAY_US
"""Retention never drops records younger than this: events that are younger need no look at the horizon."""

_IN_THE_FUTURE = Refusal(
    "in_the_future", "ended_at: lies more than a day in the future; it can be replayed when that time has come"
)
_OLDER_THAN_RETENTION = Refusal(
    "older_than_retention", "ended_at: lies before the retention horizon; whether it was counted can no longer be told"
)


class EventAdmission:
    """Refuses events by when they ended. For one thread at a time."""

    def __init__(self, records_from_us: Callable[[], int], now_us: Callable[[], int] | None = None) -> None:
        """
        Args:
            records_from_us: the retention horizon, as the database has it.
            now_us: the database's clock, in epoch microseconds; None: the time at which a batch was received is now.
        """
        self._records_from_us = records_from_us
        self._now_us = now_us
        self._past_us = 0
        """An instant that has passed by the database's clock."""

    def admit(self, events: EventColumns, decoded: Decoded, received_at_us: int) -> tuple[EventColumns, Decoded]:
        """The events that are taken; the others are among the refused items of `decoded`."""
        if not len(events):
            return events, decoded
        return self._within_retention(*self._not_in_the_future(events, decoded, received_at_us), received_at_us)

    def _not_in_the_future(
        self, events: EventColumns, decoded: Decoded, received_at_us: int
    ) -> tuple[EventColumns, Decoded]:
        latest_us = int(events.ended_at_us.max())
        future = events.ended_at_us > self._now(latest_us, received_at_us) + FUTURE_US
        return _refuse(events, decoded, future, _IN_THE_FUTURE)

    def _now(self, latest_us: int, received_at_us: int) -> int:
        """Now, or an instant before now that the latest event is no more than a day after.

        The database's clock is asked only when it matters: some once a day, and for batches with events of the future.
        """
        if self._now_us is None:
            return received_at_us
        if latest_us > self._past_us + FUTURE_US:
            self._past_us = self._now_us()
        return self._past_us

    def _within_retention(
        self, events: EventColumns, decoded: Decoded, received_at_us: int
    ) -> tuple[EventColumns, Decoded]:
        """Refuse events from before the retention horizon: their records are gone, so a repeat could not be told."""
        if not len(events) or int(events.ended_at_us.min()) >= received_at_us - YOUNGEST_HORIZON_US:
            return events, decoded
        old = events.ended_at_us < self._records_from_us()
        return _refuse(events, decoded, old, _OLDER_THAN_RETENTION)


def _refuse(
    events: EventColumns, decoded: Decoded, refused_rows: NDArray[np.bool_], why: Refusal
) -> tuple[EventColumns, Decoded]:
    """The events without the marked ones, which `decoded` has among its refused items with all that they say."""
    if not refused_rows.any():
        return events, decoded
    refused = list(decoded.refused)
    for row in np.flatnonzero(refused_rows).tolist():
        payload = msgspec.json.encode(decoded.events[row]).decode()
        refused.append(Refused(decoded.records[row], decoded.items[row], why.reason, why.detail, payload))
    kept = np.flatnonzero(~refused_rows)
    return events.select(kept), Decoded(
        [decoded.events[i] for i in kept.tolist()],
        [decoded.records[i] for i in kept.tolist()],
        [decoded.items[i] for i in kept.tolist()],
        bounded_by_record(refused),
        decoded.ignored,
    )
