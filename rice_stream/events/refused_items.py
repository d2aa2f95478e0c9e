"""A bound on what is kept of one record's refused items, and which records were refused as a whole.

A record is a few bytes an item on Kafka and a row with reason and payload an item in quarantine: without a bound one
record of 1 MB makes 500,000 rows.
"""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.records import BATCH_NOT_UNPACKED, FURTHER_ITEMS, Decoded, RawRecord, Refused, SkippedBatch
from rice_stream.events.redact import UNTIMED

REFUSED_PER_RECORD_MAX = 100
"""Refused items of one record that are kept one by one; the rest is kept as one that says how many more there were."""


class RecordTally(NamedTuple):
    """How many records of the log had an event in them, and how many had refused items only (ignored ones aside).

    Records that tell of what a door has refused are in neither: they say nothing about the topic.
    """

    taken: int
    refused: int


def bounded(refused_items: Iterable[Refused]) -> list[Refused]:
    """Refused items of one record, in the order of the record: the first ones as they are, all others as one."""
    remaining = iter(refused_items)
    kept = list(islice(remaining, REFUSED_PER_RECORD_MAX))
    first = next(remaining, None)
    if first is not None:
        more = first.items + count_items(remaining)
        kept.append(further_items(first.record, first.item, more, first.source_format))
    return kept


def bounded_by_record(refused_items: Iterable[Refused]) -> list[Refused]:
    """Refused items of several records of one partition, in any order: those of each record bounded."""
    by_offset: dict[int, list[Refused]] = {}
    for refused in refused_items:
        by_offset.setdefault(refused.record.offset, []).append(refused)
    return [kept for of_record in by_offset.values() for kept in bounded(sorted(of_record, key=lambda each: each.item))]


def further_items(record: RawRecord, item: int, items: int, source_format: str = "canonical") -> Refused:
    """One for `items` refused items of a record that are not kept one by one; `item` is the first of them."""
    detail = f"{items:,} more of the record's items were refused, from item {item} on"
    return Refused(record, item, FURTHER_ITEMS, detail, f'{{"items":{items}}}', source_format, items)


def batch_not_unpacked(record: RawRecord, batch: SkippedBatch) -> Refused:
    """The one row for a whole batch; `skipped_offsets` reads it."""
    detail = (
        f"none of the offsets {batch.first_offset} to {batch.offset} was read: they are one compressed batch of"
        f" {batch.packed_bytes:,} bytes, and {batch.problem}"
    )
    offsets = {"first_offset": batch.first_offset, "last_offset": batch.offset}
    return Refused(record, 0, BATCH_NOT_UNPACKED, detail, msgspec.json.encode(offsets).decode())


def skipped_offsets(payload: str) -> range:
    """The offsets that a row of `batch_not_unpacked` stands for."""
    offsets = msgspec.json.decode(payload)
    return range(offsets["first_offset"], offsets["last_offset"] + 1)


def count_items(refused_items: Iterable[Refused]) -> int:
    """How many items were refused, those that are not kept one by one included."""
    return sum(refused.items for refused in refused_items)


def tally_records(decoded: Decoded) -> RecordTally:
    """The records of one partition that `decoded` comes from, by what became of them."""
    if not decoded.refused and not any(decoded.items):
        return RecordTally(len(decoded.items), 0)  # one event a record, by far the most usual
    taken = {record.offset for record in decoded.records}
    refused = {refused.record.offset for refused in decoded.refused if not refused.at_a_door}
    return RecordTally(len(taken), len(refused - taken))


def event_payload(event: WireEvent, *, untimed: bool) -> str:
    """The payload of an item that was an event and is refused after all."""
    fields = msgspec.to_builtins(event)
    return msgspec.json.encode({**fields, UNTIMED: True} if untimed else fields).decode()
