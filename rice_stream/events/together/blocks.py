"""A block of records of which most hold one canonical event each, as columns: these read together, odd ones put in between."""

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import SERVICE_FIELDS, EventColumns
from rice_stream.events.on_demand import OnDemand
from rice_stream.events.plain_objects import WIRE, any_envelope
from rice_stream.events.records import Decoded, RawRecord
from rice_stream.events.together.layouts import WHAT, WHO
from rice_stream.events.together.names import EncodedTexts, NumberedNames, encoded, numbered
from rice_stream.events.together.reader import ReadTogether, TogetherReader
from rice_stream.quantities import Ints

RECORDS_MAX = 4096
"""Records of a block: enough for what a step costs however many they are, few enough for their bytes to stay in the cache."""
_VALUE = attrgetter("value")
_ATTRIBUTED = tuple(WHO.index(name) for name in ("tenant_id", "team_id", "project_id", "source"))
_USER, _API_KEY = WHO.index("user_id"), WHO.index("api_key_id")
_SERVED = tuple(WHAT.index(name) for name in SERVICE_FIELDS)
_HIT, _STATUS, _QUALITY = (WHAT.index(name) for name in ("gateway_cache_hit", "status", "usage_quality"))
_QUALITY_FLAGS = {"derived": Basis.USAGE_DERIVED, "estimated": Basis.USAGE_ESTIMATED}

_idle: list[TogetherReader] = []
"""The readers that nobody uses just now: one for each thread that reads at the same time as others."""


def read_together(records: Sequence[RawRecord]) -> ReadTogether | None:
    """The events of the records, one each in their order, but for those of records that are odd.

    None: there are too few of them, or too many that are not plain canonical events as most are.
    """
    try:
        reader = _idle.pop()
    except IndexError:
        reader = TogetherReader()
    try:
        return reader.read(_values(records))
    finally:
        _idle.append(reader)


def _values(records: Sequence[RawRecord]) -> list[bytes]:
    """The value of each record; nothing of one that is odd whatever its value says."""
    values = list(map(_VALUE, records))
    if any_envelope(records):
        return [b"" if any_envelope((record,)) else record.value or b"" for record in records]
    return values if all(values) else [value or b"" for value in values]


class OddEvents(NamedTuple):
    """Events of records of a block that are read one by one: any number of each, in order."""

    rows: NDArray[np.intp]
    """The record of each event, by its position in the block."""
    columns: EventColumns
    decoded: Decoded


def positions(records: Sequence[RawRecord], among: Sequence[RawRecord]) -> list[int]:
    """Which of the records each of `among` is: some of them, in the same order, each any number of times."""
    at, found = 0, []
    for record in among:
        while records[at].offset != record.offset:
            at += 1
        found.append(at)
    return found


def joined(
    found: ReadTogether, records: Sequence[RawRecord], odd: OddEvents | None = None
) -> tuple[EventColumns, Decoded]:
    """Columns and events of these first records of a block, in their order."""
    if odd is None:
        return _columns(found), Decoded(EventsOfRecords(records), list(records), [0] * len(records), [], [])
    regular = np.setdiff1d(np.arange(len(records)), found.odd, assume_unique=True)
    order = np.argsort(np.concatenate([regular, odd.rows]), kind="stable")
    alone, places = odd.decoded, order.tolist()
    of_regular = [records[row] for row in regular.tolist()]
    sources = [*of_regular, *alone.events]
    of_rows, items = [*of_regular, *alone.records], [0] * len(regular) + alone.items
    return _with_odd(_columns(_with_numbers(found, regular, odd, order)), odd, order), Decoded(
        EventsOfRecords([sources[place] for place in places]),
        [of_rows[place] for place in places],
        [items[place] for place in places],
        alone.refused,
        alone.ignored,
    )


def _with_numbers(
    found: ReadTogether, regular: NDArray[np.intp], odd: OddEvents, order: NDArray[np.intp]
) -> ReadTogether:
    """The events of the regular rows and the odd ones, in this order."""

    def put(of_all: Ints, of_odd: Ints) -> Ints:
        return np.concatenate([of_all[regular], of_odd])[order]

    def numbers(of: NumberedNames, fields: tuple[str, ...]) -> Ints:
        named = (of.number(tuple(getattr(event, name) for name in fields)) for event in odd.decoded.events)
        return np.fromiter(named, dtype=np.int64)

    names, columns = found.names, odd.columns
    ids = [*map(found.ids.__getitem__, regular.tolist()), *encoded(columns.event_id)]
    return ReadTogether(
        odd=found.odd[:0],
        names=names,
        who=put(found.who, numbers(names.who, WHO)),
        what=put(found.what, numbers(names.what, WHAT)),
        ids=[ids[place] for place in order.tolist()],
        ended_at_us=put(found.ended_at_us, columns.ended_at_us),
        duration_us=put(found.duration_us, columns.duration_us),
        counts={name: put(counts, getattr(columns, name)) for name, counts in found.counts.items()},
    )


def _with_odd(columns: EventColumns, odd: OddEvents, order: NDArray[np.intp]) -> EventColumns:
    """With what odd events alone have: stated factors and energy, another format, no time of their own."""
    n = len(columns) - len(odd.columns)

    def put(values: Sequence[Any]) -> list[Any]:
        of_all = [*(None,) * n, *values]
        return [of_all[place] for place in order.tolist()]

    return replace(
        columns,
        served=(*columns.served, *map(put, odd.columns.served[len(SERVICE_FIELDS) :])),
        energy=tuple(map(put, odd.columns.energy)),
        untimed=np.concatenate([np.zeros(n, dtype=np.bool_), odd.columns.untimed])[order],
    )


def _columns(found: ReadTogether) -> EventColumns:
    n = len(found.ids)
    who, what = found.names.who, found.names.what
    hits, statuses, qualities = (what.fields[field] for field in (_HIT, _STATUS, _QUALITY))
    user_id, api_key_id = numbered(who, found.who, (_USER, _API_KEY))
    return EventColumns(
        attributed=numbered(who, found.who, _ATTRIBUTED),
        served=numbered(what, found.what, _SERVED),
        user_id=user_id,
        api_key_id=api_key_id,
        event_id=EncodedTexts(found.ids),
        ended_at_us=found.ended_at_us,
        duration_us=found.duration_us,
        inference=np.array([hit is not True for hit in hits], dtype=np.bool_)[found.what],
        failed=np.array([status == "error" for status in statuses], dtype=np.bool_)[found.what],
        flags=np.array([_QUALITY_FLAGS.get(quality, 0) for quality in qualities], dtype=np.int32)[found.what],
        valid=np.ones(n, dtype=np.bool_),
        untimed=np.zeros(n, dtype=np.bool_),
        input_tokens=found.counts["input_tokens"],
        cache_read_input_tokens=found.counts["cache_read_input_tokens"],
        cache_write_input_tokens=found.counts["cache_write_input_tokens"],
        output_tokens=found.counts["output_tokens"],
        reasoning_output_tokens=found.counts["reasoning_output_tokens"],
    )


class EventsOfRecords(OnDemand[WireEvent]):
    """The event of each record, read when it is asked for; one that is not all of a record is there already."""

    def __init__(self, sources: Sequence[RawRecord | WireEvent]) -> None:
        self._sources = sources

    def __len__(self) -> int:
        return len(self._sources)

    def item(self, at: int) -> WireEvent:
        """One event."""
        source = self._sources[at]
        return source if isinstance(source, WireEvent) else WIRE.decode(source.value or b"")

    def part(self, rows: slice) -> "EventsOfRecords":
        """Some of the events."""
        return EventsOfRecords(self._sources[rows])
