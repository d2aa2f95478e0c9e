"""A block of records of which most hold one canonical event each, as columns: these read together, odd ones put in between."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import EventColumns
from rice_stream.events.kept_values import KeptValues
from rice_stream.events.on_demand import OnDemand
from rice_stream.events.plain_objects import any_envelope
from rice_stream.events.records import Decoded, RawRecord
from rice_stream.events.together.layouts import OUTCOME, WHO
from rice_stream.events.together.names import EncodedTexts, NumberedNames, encoded, numbered
from rice_stream.events.together.octets import Octets
from rice_stream.events.together.reader import ReadTogether, TogetherReader
from rice_stream.quantities import Ints

RECORDS_MAX = 4096
"""Records of a block: enough for what a step costs however many they are, few enough for their bytes to stay in the cache."""
_VALUE = attrgetter("value")
_ATTRIBUTED = tuple(WHO.index(name) for name in ("tenant_id", "team_id", "project_id", "source"))
_USER, _API_KEY = WHO.index("user_id"), WHO.index("api_key_id")
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
        return reader.read(len(records), partial(_octets, records))
    finally:
        _idle.append(reader)


def _octets(records: Sequence[RawRecord]) -> Octets:
    """The value of each record; nothing of one that is odd whatever its value says."""
    if isinstance(records, KeptValues):
        return Octets(records.text, *records.spans)  # without headers
    values = list(map(_VALUE, records))
    if any_envelope(records):
        return Octets.of([b"" if any_envelope((record,)) else record.value or b"" for record in records])
    return Octets.of(values if all(values) else [value or b"" for value in values])


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
        events = EventsOfRecords(records, found.event)
        return _columns(found), Decoded(events, records, [0] * len(records), [], [])
    alone, between = odd.decoded, _Between(len(records), found.odd, odd.rows)
    sources: list[RawRecord | WireEvent] = between.put(records, alone.events)
    of_rows, items = between.put(records, alone.records), between.put([0] * len(records), alone.items)
    columns = _with_odd(_columns(_with_numbers(found, odd, between)), odd.columns, between.places)
    return columns, Decoded(EventsOfRecords(sources, found.event), of_rows, items, alone.refused, alone.ignored)


class _Between:
    """How events of odd records are put in the places of these records, between those of the others."""

    def __init__(self, n: int, odd: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Of n records these are odd; `rows` are those of them that the events are of."""
        self.n = n
        self._odd = odd[odd < n].tolist()
        self._counts = np.bincount(rows, minlength=n)[self._odd].tolist()
        self._regular = np.delete(np.arange(n), self._odd)
        self._order = np.argsort(np.concatenate([self._regular, rows]), kind="stable")
        self.places = np.flatnonzero(self._order >= len(self._regular)).tolist()
        """Where each of the events is in the end."""

    def put(self, of_records: Sequence[Any], of_events: Sequence[Any]) -> list[Any]:
        """Something of each record, and in the place of odd ones that of their events."""
        found: list[Any] = []
        at = first = 0
        for row, count in zip(self._odd, self._counts, strict=True):
            found += of_records[at:row]
            found += of_events[first : first + count]
            at, first = row + 1, first + count
        found += of_records[at:]
        return found

    def put_numbers(self, of_records: Ints, of_events: Ints) -> Ints:
        """The same of numbers."""
        return np.concatenate([of_records[self._regular], of_events])[self._order]


def _with_numbers(found: ReadTogether, odd: OddEvents, between: _Between) -> ReadTogether:
    """With the odd events."""

    names, columns, put = found.names, odd.columns, between.put_numbers
    events, width = list(odd.decoded.events), len(names.what.fields) - len(OUTCOME)

    def said(fields: tuple[str, ...]) -> list[list[Any]]:
        return [[getattr(event, name) for event in events] for name in fields]

    def numbers(of: NumberedNames, *named: Sequence[Any]) -> Ints:
        return np.fromiter(map(of.number, zip(*named, strict=True)), dtype=np.int64, count=len(events))

    served = [*columns.served[:width], *[[None] * len(events)] * (width - len(columns.served))]
    return found._replace(
        odd=found.odd[:0],
        who=put(found.who, numbers(names.who, *said(WHO))),
        what=put(found.what, numbers(names.what, *served, *said(OUTCOME))),
        ids=between.put(found.ids[: between.n], encoded(columns.event_id)),
        ended_at_us=put(found.ended_at_us, columns.ended_at_us),
        duration_us=put(found.duration_us, columns.duration_us),
        counts={name: put(counts, getattr(columns, name)) for name, counts in found.counts.items()},
    )


def _with_odd(columns: EventColumns, odd: EventColumns, places: list[int]) -> EventColumns:
    """With what odd events alone have: stated factors and energy, another format, no time of their own."""

    def put(values: Sequence[Any]) -> list[Any]:
        of_all = [None] * len(columns)
        for place, value in zip(places, values, strict=True):
            of_all[place] = value
        return of_all

    untimed = np.zeros(len(columns), dtype=np.bool_)
    untimed[places] = odd.untimed
    return replace(
        columns,
        served=(*columns.served, *map(put, odd.served[len(columns.served) :])),
        energy=tuple(map(put, odd.energy)),
        untimed=untimed,
    )


def _columns(found: ReadTogether) -> EventColumns:
    n = len(found.ids)
    who, what = found.names.who, found.names.what
    *_, hits, statuses, qualities = what.fields
    user_id, api_key_id = numbered(who, found.who, (_USER, _API_KEY))
    return EventColumns(
        attributed=numbered(who, found.who, _ATTRIBUTED),
        served=numbered(what, found.what, range(len(what.fields) - len(OUTCOME))),
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

    def __init__(self, sources: Sequence[RawRecord | WireEvent], read: Callable[[bytes], WireEvent]) -> None:
        self._sources = sources
        self._read = read

    def __len__(self) -> int:
        return len(self._sources)

    def item(self, at: int) -> WireEvent:
        """One event."""
        source = self._sources[at]
        return source if isinstance(source, WireEvent) else self._read(source.value or b"")

    def part(self, rows: slice) -> "EventsOfRecords":
        """Some of the events."""
        return EventsOfRecords(self._sources[rows], self._read)
