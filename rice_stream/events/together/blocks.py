"""A block of records that hold one canonical event each, as columns: most of them read together, odd ones one by one."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import overload

import numpy as np

from rice_stream.basis import Basis
from rice_stream.events.canonical import WireEvent
from rice_stream.events.columns import SERVICE_FIELDS, EventColumns, to_columns
from rice_stream.events.plain_objects import WIRE, any_envelope, decode_plain
from rice_stream.events.records import RawRecord
from rice_stream.events.together.layouts import WHAT, WHO
from rice_stream.events.together.names import EncodedTexts, numbered
from rice_stream.events.together.reader import ReadTogether, TogetherReader

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


def read_together(records: Sequence[RawRecord]) -> tuple[EventColumns, Sequence[WireEvent]] | None:
    """Columns of the records' events, one each in their order, and the events themselves.

    None: there are too few of them, or too many that are not plain canonical events as most are.
    """
    if any_envelope(records):
        return None
    try:
        reader = _idle.pop()
    except IndexError:
        reader = TogetherReader()
    try:
        found = reader.read(list(map(_VALUE, records)))
    except TypeError:  # a record without a value
        return None
    finally:
        _idle.append(reader)
    if found is None or not _add_odd(found, records):
        return None
    return _columns(found), EventsOfRecords(records)


def _add_odd(found: ReadTogether, records: Sequence[RawRecord]) -> bool:
    """Put in the events that were left out. False: one of them is no plain canonical event, or has what there is no column for."""
    if not len(found.odd):
        return True
    events = decode_plain([records[row] for row in found.odd.tolist()])
    if events is None:
        return False
    columns = to_columns(events)
    if not columns.valid.all() or len(columns.served) > len(SERVICE_FIELDS) or columns.energy:
        return False
    for row, event in zip(found.odd.tolist(), events, strict=True):
        found.ids[row] = event.event_id.encode()
        found.who[row] = found.names.who.number(tuple(getattr(event, name) for name in WHO))
        found.what[row] = found.names.what.number(tuple(getattr(event, name) for name in WHAT))
    found.ended_at_us[found.odd] = columns.ended_at_us
    found.duration_us[found.odd] = columns.duration_us
    for name, counts in found.counts.items():
        counts[found.odd] = getattr(columns, name)
    return True


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


class EventsOfRecords(Sequence[WireEvent]):
    """The event of each record, read when it is asked for: nearly all are only ever columns."""

    def __init__(self, records: Sequence[RawRecord]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, at: int) -> WireEvent: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[WireEvent]: ...
    def __getitem__(self, at: int | slice) -> "WireEvent | Sequence[WireEvent]":
        return EventsOfRecords(self._records[at]) if isinstance(at, slice) else _event(self._records[at])

    def __iter__(self) -> Iterator[WireEvent]:
        return map(_event, self._records)


def _event(record: RawRecord) -> WireEvent:
    return WIRE.decode(record.value or b"")
