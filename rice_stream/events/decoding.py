"""Bytes of a whole batch of Kafka records -> columns of events; everything else is refused or ignored.

The hot path reads plain canonical objects, many at once (`together`) or one by one with msgspec, and usual records of the other
formats with `formats.plain`.
Whatever these do not read goes to `formats.dispatch`, which knows every format and hands canonical items to
`canonical_reading`; what looks wrong once it is a column goes there too. There the pydantic model decides; so all paths
accept and refuse the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rice_stream.events.canonical import WireEvent
from rice_stream.events.canonical_reading import decode_record
from rice_stream.events.columns import (
    SERVICE_FIELDS,
    EventColumns,
    Provenance,
    concatenate,
    to_columns,
    with_provenance,
)
from rice_stream.events.formats.dispatch import OTLP, Outcome, read
from rice_stream.events.formats.plain.fields import PlainItem
from rice_stream.events.formats.plain.records import PlainReader
from rice_stream.events.formats.plain.span_rows import SpanEvents
from rice_stream.events.formats.reading.options import AUTO, CANONICAL, DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.kept_values import lengths_of
from rice_stream.events.plain_objects import decode_plain
from rice_stream.events.records import Decoded, Ignored, RawRecord, Refused, SkippedBatch, SourcePartition, placed
from rice_stream.events.refused_items import batch_not_unpacked, bounded
from rice_stream.events.together.blocks import RECORDS_MAX, OddEvents, joined, positions, read_together
from rice_stream.events.together.reader import ReadTogether

if TYPE_CHECKING:
    from rice_stream.events.formats.plain.otlp_blocks import SpanBlock

BLOCK_RECORDS = 1024
"""Records decoded together: few enough for their objects to stay in the processor's cache until they are columns, and
a bad one sends only its block the slow way."""
BLOCK_BYTES = 24 * 1024 * 1024
"""Values of a block of several records, together: a record may hold thousands of events, whose objects are large."""
BLOCK_ITEMS = 4096
"""A block ends with the record that brings its events and refused items to this many."""


class _Reading(NamedTuple):
    """How an event was read: where from, and whether its time is only its record's."""

    provenance: Provenance = (None, None)
    untimed: bool = False


_PLAIN = _Reading()


class DecodedBlock(NamedTuple):
    """What some consecutive records held: `columns[i]` is `decoded.events[i]`."""

    columns: EventColumns
    decoded: Decoded
    records: int
    """How many records these were."""


def decode_batch(
    records: Sequence[RawRecord], options: FormatOptions = DEFAULT_OPTIONS, partition: SourcePartition | None = None
) -> tuple[EventColumns, Decoded]:
    """Columns of all events of the records, and where each came from. Every item is an event, refused or ignored.

    Of the items that one record was refused for, the first are there one by one and the rest as one (`refused_items`).

    `partition` is the one that the records lie in; None where they are `RawRecord`s, which say so themselves.
    """
    parts: list[EventColumns] = []
    total = Decoded([], [], [], [], [])
    for block in decode_blocks(records, options, partition):
        parts.append(block.columns)
        total.extend(block.decoded)
    return concatenate(parts), total


def decode_blocks(
    records: Sequence[RawRecord], options: FormatOptions = DEFAULT_OPTIONS, partition: SourcePartition | None = None
) -> Iterator[DecodedBlock]:
    """`decode_batch` block by block: bounded by records, bytes and items, and at least a record each.

    A caller that is done with a block before it asks for the next one uses its memory again, which costs less than new memory.
    """
    first = 0
    while first < len(records):
        ahead = _within_bytes(records[first : first + RECORDS_MAX])
        block = _block_together(ahead, options, partition)
        if block is None:
            block = _decode_block(list(ahead[:BLOCK_RECORDS]), options, partition)
        first += block.records
        yield block


def _within_bytes(records: Sequence[RawRecord]) -> Sequence[RawRecord]:
    """As many of the records as BLOCK_BYTES holds, and at least one; fewer where the last block would be a small one."""
    size = 0
    for several, more in ((records[:BLOCK_RECORDS],) * 2, (records, records[BLOCK_RECORDS:])):
        size += int(lengths_of(more).sum())
        if size > BLOCK_BYTES:
            wanted = size // -(-size // BLOCK_BYTES)
            return several[: max(int(np.searchsorted(np.cumsum(lengths_of(several)), wanted, side="right")), 1)]
    return records


def _block_together(
    records: Sequence[RawRecord], options: FormatOptions, partition: SourcePartition | None
) -> DecodedBlock | None:
    """The records at once, where most are usual canonical events, or LiteLLM's payloads, with what odd ones hold; else None."""
    found = _found_together(records, options, _topic(records, partition))
    if found is None:
        return None
    records = records[: len(found.ids)]
    if not len(found.odd):
        return DecodedBlock(*joined(found, records), len(records))
    records = list(records)  # each is made once
    odd = [records[row] for row in found.odd.tolist()]
    rest = _decode_block(odd, options, partition)
    # Where they hold more items than a block, it ends before the first of which there is nothing.
    taken = int(found.odd[rest.records]) if rest.records < len(odd) else len(records)
    with_odd = OddEvents(found.odd[positions(odd, rest.decoded.records)], rest.columns, rest.decoded)
    return DecodedBlock(*joined(found, records[:taken], with_odd), taken)


def _found_together(records: Sequence[RawRecord], options: FormatOptions, topic: str) -> ReadTogether | None:
    """The events of these records of a topic, or of the first of them, where most are usual canonical events one each, or payloads
    of LiteLLM's; else None."""
    if options.format_of(topic) in (AUTO, CANONICAL) and decode_plain(records[:1]) is not None:
        return read_together(records)
    return PlainReader(options, topic).read_calls(records)


def _decode_block(
    records: Sequence[RawRecord], options: FormatOptions, partition: SourcePartition | None
) -> DecodedBlock:
    # The first record is asked alone: joining the values of a block costs what reading another format does.
    probable = _may_be_plain(records, options, partition) and decode_plain(records[:1]) is not None
    events = decode_plain(records) if probable else None
    readings: list[_Reading] = []
    taken = len(records)
    if events is None:
        usual = PlainReader(options, _topic(records, partition))
        spans = usual.read_together(records, BLOCK_ITEMS)
        if spans is not None and spans.whole.all():
            return _of_spans(records, spans)
        decoded, readings, taken = _decode_each(records, options, partition, usual, spans)
    else:
        decoded = Decoded(events, list(records), [0] * len(records), [], [])
    columns = to_columns(decoded.events)
    others = events is None and any(reading.provenance[0] for reading in readings)
    if others and not (columns.valid.all() and _without_nul(columns)):
        decoded, readings, taken = _decode_each(records, options, partition, None)
        columns = to_columns(decoded.events)
    if not columns.valid.all():
        decoded, readings = _judge_again(decoded, columns, readings)
        columns = to_columns(decoded.events)
        if not columns.valid.all():
            raise AssertionError("the pydantic model let through what the columns cannot hold")
    return DecodedBlock(_as_read(columns, readings), decoded, taken)


def _of_spans(records: Sequence[RawRecord], spans: "SpanBlock") -> DecodedBlock:
    """A block of records of which all are usual ones with spans."""
    rows, numbers, positions = spans.events()
    of_rows = [records[number] for number in numbers.tolist()]
    ignored = [(OTLP, why.reason) for _, why in sorted(spans.ignored.items())]
    decoded = Decoded(SpanEvents(spans.spans, rows), of_rows, positions.tolist(), [], ignored)
    columns = spans.spans.columns(rows, OTLP) if len(rows) else to_columns(())
    return DecodedBlock(columns, decoded, len(spans.whole))


def _as_read(columns: EventColumns, readings: Sequence[_Reading]) -> EventColumns:
    if any(reading.untimed for reading in readings):
        columns = replace(columns, untimed=np.array([reading.untimed for reading in readings], dtype=np.bool_))
    return with_provenance(columns, [reading.provenance for reading in readings])


def _may_be_plain(records: Sequence[RawRecord], options: FormatOptions, partition: SourcePartition | None) -> bool:
    """Whether the records' topic may hold canonical events: a topic with another format is for its decoder alone."""
    return options.format_of(_topic(records, partition)) in (AUTO, CANONICAL)


def _topic(records: Sequence[RawRecord], partition: SourcePartition | None) -> str:
    return partition.topic if partition is not None else records[0].topic


def _without_nul(columns: EventColumns) -> bool:
    """Whether no name holds the one character that cannot be stored; the full decoders have looked already."""
    named = (*columns.attributed, *columns.served[: len(SERVICE_FIELDS)], columns.user_id, columns.api_key_id)
    return not any("\x00" in "".join(filter(None, column)) for column in (*named, columns.event_id))


def _decode_each(
    records: Sequence[RawRecord],
    options: FormatOptions,
    partition: SourcePartition | None,
    usual: PlainReader | None,
    spans: "SpanBlock | None" = None,
) -> tuple[Decoded, list[_Reading], int]:
    """One by one: a record that is not plain must not cost its neighbours anything. Also how many records were read:
    those that BLOCK_ITEMS leaves no room for are not."""
    decoded = Decoded([], [], [], [], [])
    readings: list[_Reading] = []
    fetched: Any  # a RawRecord, or what stands for one in a chunk of Kafka's client
    canonical = False
    for number, fetched in enumerate(records):
        if len(decoded.events) + len(decoded.refused) >= BLOCK_ITEMS:
            return decoded, readings, number
        together = spans.items(number) if spans is not None and number < len(spans.whole) else None
        if together is not None:
            _sort_usual(decoded, readings, fetched, OTLP, together)
            canonical = False
            continue
        # After a canonical record another one is likely, which is not asked whether it is of any other format.
        found = usual.read(fetched) if usual is not None and not canonical else None
        if found is not None:
            _sort_usual(decoded, readings, fetched, *found)
            continue
        record = placed(fetched, partition)
        if isinstance(fetched, SkippedBatch):
            decoded.refused.append(batch_not_unpacked(record, fetched))
            continue
        plain = decode_plain((record,)) if _may_be_plain((record,), options, None) else None
        was_canonical, canonical = canonical, plain is not None
        if plain is not None:
            _sort_in(decoded, plain[0], record, 0)
            readings.append(_PLAIN)
            continue
        found = usual.read(fetched) if usual is not None and was_canonical else None
        if found is not None:
            _sort_usual(decoded, readings, fetched, *found)
            continue
        refused: list[Refused] = []
        for item, outcome in enumerate(read(record, options)):
            if isinstance(outcome.result, Ignored):
                decoded.ignored.append((outcome.source_format, outcome.result.reason))
            elif isinstance(outcome.result, Refused):
                same = outcome.result.source_format == outcome.source_format
                refused.append(outcome.result if same else replace(outcome.result, source_format=outcome.source_format))
            else:
                _sort_in(decoded, outcome.result, record, item)
                readings.append(_reading(outcome) if outcome.source_format != CANONICAL else _PLAIN)
        decoded.refused.extend(bounded(refused))
    return decoded, readings, len(records)


def _sort_usual(
    decoded: Decoded, readings: list[_Reading], record: RawRecord, source_format: str, items: Sequence[PlainItem]
) -> None:
    for position, item in enumerate(items):
        if isinstance(item, Ignored):
            decoded.ignored.append((source_format, item.reason))
        else:
            decoded.add(item[0], record, position)
            readings.append(_usual_reading(source_format, item[1]))


@lru_cache(maxsize=1024)
def _usual_reading(source_format: str, region_source: str) -> _Reading:
    return _Reading((source_format, region_source))


def _reading(outcome: Outcome) -> _Reading:
    return _Reading((outcome.source_format, outcome.region_source or None), outcome.untimed)


def _sort_in(decoded: Decoded, result: WireEvent | Refused, record: RawRecord, item: int) -> None:
    if isinstance(result, Refused):
        decoded.refused.append(result)
    else:
        decoded.add(result, record, item)


def _judge_again(
    decoded: Decoded, columns: EventColumns, readings: Sequence[_Reading]
) -> tuple[Decoded, list[_Reading]]:
    judged = Decoded([], [], [], decoded.refused, decoded.ignored)
    rows = zip(decoded.events, decoded.records, decoded.items, columns.valid.tolist(), strict=True)
    kept: list[_Reading] = []
    for row, (event, record, item, valid) in enumerate(rows):
        # Only the hot path can have produced an invalid row, so its record holds this one item.
        result = event if valid else next(iter(decode_record(record)))
        _sort_in(judged, result, record, item)
        if readings and not isinstance(result, Refused):
            kept.append(readings[row])
    return judged, kept
