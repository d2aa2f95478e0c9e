"""Which events are taken, by when they ended: neither before the retention horizon nor more than a day in the future.

What lies too far in the future is refused before it becomes a record, so that it makes no partition and moves no total.
What is older than retention is only counted: most of it was counted long ago. The rule itself is the transaction's
(`store/retained.py`); here it spares the work, and keeps the names of users whose records are gone from coming back.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import EventColumns, earliest_records_us, to_columns
from rice_stream.events.records import Decoded, RawRecord, Refusal, Refused
from rice_stream.events.refused_items import bounded_by_record, event_payload
from rice_stream.instants import DAY_US

FUTURE_US = DAY_US
"""How far after now an event may end: clocks and time zones are set wrong by hours, not by more than a day."""
YOUNGEST_HORIZON_US = 31 * DAY_US
"""Retention never drops records younger than this, by a clock that is right: events that are younger need no look at the
horizon before their transaction."""

_IN_THE_FUTURE = Refusal(
    "in_the_future", "ended_at: lies more than a day in the future; it can be replayed when that time has come"
)


class Admitted(NamedTuple):
    """The events that are taken; those of the future are among the refused items of `decoded`, and
    `older_than_retention` says how many were left out because they end before the horizon."""

    events: EventColumns
    decoded: Decoded
    older_than_retention: int


class EventAdmission:
    """Sorts events out by when they ended. For one thread at a time."""

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

    def admit(self, events: EventColumns, decoded: Decoded, received_at_us: int) -> Admitted:
        """The events that are taken, and what became of the others."""
        if not len(events):
            return Admitted(events, decoded, 0)
        present, decoded = self._not_in_the_future(events, decoded, received_at_us)
        old = self._older_than_retention(present, received_at_us)
        if not old.any():
            return Admitted(present, decoded, 0)
        kept = np.flatnonzero(~old)
        return Admitted(present.select(kept), _selected(decoded, kept, decoded.refused), int(old.sum()))

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

    def _older_than_retention(self, events: EventColumns, received_at_us: int) -> NDArray[np.bool_]:
        """Which end before the retention horizon, or may repeat an event that does: a repeat could not be told."""
        earliest_us = earliest_records_us(events)
        if not len(events) or int(earliest_us.min()) >= received_at_us - YOUNGEST_HORIZON_US:
            return np.zeros(len(events), dtype=np.bool_)
        old: NDArray[np.bool_] = earliest_us < self._records_from_us()
        return old


def _refuse(
    events: EventColumns, decoded: Decoded, refused_rows: NDArray[np.bool_], why: Refusal
) -> tuple[EventColumns, Decoded]:
    """The events without the marked ones, which `decoded` has among its refused items with all that they say."""
    if not refused_rows.any():
        return events, decoded
    refused = list(decoded.refused)
    for row in np.flatnonzero(refused_rows).tolist():
        payload = event_payload(decoded.events[row], untimed=bool(events.untimed[row]))
        refused.append(Refused(decoded.records[row], decoded.items[row], why.reason, why.detail, payload))
    kept = np.flatnonzero(~refused_rows)
    return events.select(kept), _selected(decoded, kept, bounded_by_record(refused))


def _selected(decoded: Decoded, kept: NDArray[np.intp], refused: list[Refused]) -> Decoded:
    rows = kept.tolist()
    return Decoded(
        [decoded.events[i] for i in rows],
        [decoded.records[i] for i in rows],
        [decoded.items[i] for i in rows],
        refused,
        decoded.ignored,
    )


def refused_as_old(events: Mapping[int, WireEvent], untimed: Collection[int], horizon_us: int) -> dict[int, Refused]:
    """Of replayed items, by their row, those that ended before the horizon, as refused: events as they come are only
    counted then, but a row stays held, for a patch of its time may help."""
    detail = "ended_at: lies before the retention horizon; whether it was counted can no longer be told"
    nowhere = RawRecord("", 0, 0, None)
    columns = replace(
        to_columns(events.values()), untimed=np.array([row_id in untimed for row_id in events], dtype=np.bool_)
    )
    ended_at_us = earliest_records_us(columns).tolist()
    return {
        row_id: Refused(nowhere, 0, "older_than_retention", detail, "")
        for row_id, instant_us in zip(events, ended_at_us, strict=True)
        if instant_us < horizon_us
    }
