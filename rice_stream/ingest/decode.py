"""Bytes of a whole batch of Kafka records -> columns of events, and a rejection for everything else.

The hot path reads plain canonical objects with msgspec. Whatever it does not read, and whatever looks wrong once it
is a column, goes to `canonical.py`, where the pydantic model decides; so both paths accept and reject the same.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter

import msgspec

from rice_stream.events import WireEvent
from rice_stream.ingest.canonical import JSON_ERRORS, decode_record
from rice_stream.ingest.columns import EventColumns, concatenate, to_columns
from rice_stream.ingest.records import Decoded, RawRecord, Rejection

_WIRE = msgspec.json.Decoder(WireEvent)
_BACKSLASH = b"\\"
_NUL = b"\\u0000"
BLOCK_RECORDS = 1024
"""Records decoded together: few enough for their objects to stay in the processor's cache until they are columns, and
a bad one sends only its block the slow way."""
_VALUE = attrgetter("value")
_HEADERS = attrgetter("headers")


def decode_batch(records: Sequence[RawRecord]) -> tuple[EventColumns, Decoded]:
    """Columns of all events of the records, and where each came from. Every item is an event or a rejection."""
    parts: list[EventColumns] = []
    total = Decoded([], [], [], [])
    for columns, decoded in decode_blocks(records):
        parts.append(columns)
        total.extend(decoded)
    return concatenate(parts), total


def decode_blocks(records: Sequence[RawRecord]) -> Iterator[tuple[EventColumns, Decoded]]:
    """`decode_batch` block by block: whoever is done with a block before asking for the next one uses its memory again,
    and that costs less than new memory does."""
    for first in range(0, len(records), BLOCK_RECORDS):
        yield _decode_block(records[first : first + BLOCK_RECORDS])


def _decode_block(records: Sequence[RawRecord]) -> tuple[EventColumns, Decoded]:
    events = _decode_plain(records)
    decoded = _decode_each(records) if events is None else Decoded(events, list(records), [0] * len(records), [])
    columns = to_columns(decoded.events)
    if not columns.valid.all():
        decoded = _judge_again(decoded, columns)
        columns = to_columns(decoded.events)
        if not columns.valid.all():
            raise AssertionError("the pydantic model let through what the columns cannot hold")
    return columns, decoded


def _decode_plain(block: Sequence[RawRecord]) -> list[WireEvent] | None:
    """All records of the block as plain canonical objects, or None when one of them is anything else."""
    if any(map(_HEADERS, block)):
        return None
    values = list(map(_VALUE, block))
    try:
        # Headers may name an envelope, and a NUL must be refused: neither is for the hot path. (One character is found
        # ten times as fast as six.)
        text = b"".join(values)
        return None if _BACKSLASH in text and _NUL in text else list(map(_WIRE.decode, values))
    except (*JSON_ERRORS, TypeError):  # TypeError: a record without a value
        return None


def _decode_each(records: Sequence[RawRecord]) -> Decoded:
    """One by one: a record that is not plain must not cost its neighbours anything."""
    decoded = Decoded([], [], [], [])
    for record in records:
        plain = _decode_plain((record,))
        for item, result in enumerate(plain if plain is not None else decode_record(record)):
            _sort_in(decoded, result, record, item)
    return decoded


def _sort_in(decoded: Decoded, result: WireEvent | Rejection, record: RawRecord, item: int) -> None:
    if isinstance(result, Rejection):
        decoded.rejections.append(result)
    else:
        decoded.events.append(result)
        decoded.records.append(record)
        decoded.items.append(item)


def _judge_again(decoded: Decoded, columns: EventColumns) -> Decoded:
    judged = Decoded([], [], [], decoded.rejections)
    rows = zip(decoded.events, decoded.records, decoded.items, columns.valid.tolist(), strict=True)
    for event, record, item, valid in rows:
        # Only the hot path can have produced an invalid row, so its record holds this one item.
        _sort_in(judged, event if valid else next(iter(decode_record(record))), record, item)
    return judged
