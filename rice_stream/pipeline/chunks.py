"""Records on their way into batches: what one transaction takes of them, and what is left for the next one.

A batch is bounded by items (events and refused ones), whatever the records hold: a chunk is cut between records, and a
record with more items than a batch has room for is cut between its items. What was decoded and found no room stays
decoded, so a record costs the same in however many parts it is stored. A record counts as read once all of it is stored.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from rice_stream.events.columns import as_untimed
from rice_stream.events.decoding import DecodedBlock, decode_blocks
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.kept_values import LetGoRecords
from rice_stream.events.records import Decoded, RawRecord, Refused, SourcePartition
from rice_stream.events.refused_items import RecordTally, tally_records
from rice_stream.store.batch import PartitionProgress
from rice_stream.store.identity_rules import RULES_CHANGED, RulesChangedError

Place = tuple[str, int]
"""A topic (or file) and a partition."""
_NO_RECORDS = RecordTally(0, 0)
_NO_BOUND = 1 << 62
_OFFSET = attrgetter("offset")


class Opened(NamedTuple):
    """Items that are decoded and not stored yet, and what is still to be said of their records."""

    block: DecodedBlock
    tally: RecordTally
    offset: int
    """All items of records before this offset are elsewhere."""
    formats: FormatOptions | None = None
    """How they were read; None: what is at hand is refused, however it is read."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one partition (or lines of one file)."""

    topic: str
    partition: int
    records: Sequence[RawRecord]
    said_on: str | None = None
    """The topic whose word they have, where it is another one."""
    untimed: bool = False
    """Whether its events were made of items without a time of their own: a canonical event cannot say so itself."""
    opened: Opened | None = None
    """The items of the first `opened.block.records` records as far as they are to be stored; in the part of a chunk that a
    batch took, also some of the record after these."""

    @property
    def place(self) -> Place:
        """The partition."""
        return self.topic, self.partition

    @property
    def is_let_go(self) -> bool:
        """Whether its records were read, and their bytes are here no longer."""
        return isinstance(self.records, LetGoRecords)


class BlockPart(NamedTuple):
    """Some items of a chunk that go into a batch."""

    chunk: Chunk
    block: DecodedBlock
    tally: RecordTally


class BatchParts:
    """Iterating over it gives the items of chunks, in order, until `items_max` of them were given (None: no bound).

    After that `taken` are the parts of the chunks that were given, and `left` is what is still to come. A chunk of which
    anything is left is not stored.
    """

    def __init__(self, chunks: Sequence[Chunk], formats: FormatOptions, items_max: int | None) -> None:
        self._chunks = chunks
        self._formats = formats
        self._room = _NO_BOUND if items_max is None else items_max
        self.taken: list[Chunk] = []
        self.left: list[Chunk] = []

    def __iter__(self) -> Iterator[BlockPart]:
        for number, chunk in enumerate(self._chunks):
            if self._room <= 0:
                self.left = list(self._chunks[number:])
                return
            yield from self._parts_of(chunk)
            if self.left:
                self.left += self._chunks[number + 1 :]
                return

    def _parts_of(self, chunk: Chunk) -> Iterator[BlockPart]:
        done = 0
        for block, tally, offset, formats in _blocks_of(chunk, self._formats):
            items = items_of(block)
            if items > self._room:
                records = chunk.records[done : done + block.records]
                part, rest = cut(block, records, self._room)
                self._room = 0
                if done:
                    self.taken.append(replace(chunk, records=chunk.records[:done]))
                self.taken.append(
                    replace(chunk, records=records[: part.records], opened=Opened(part, tally, offset, formats))
                )
                left_records = chunk.records[done + part.records :]
                still = Opened(rest, _NO_RECORDS, _first(left_records, offset), formats)
                self.left = [replace(chunk, records=left_records, opened=still)]
                yield BlockPart(chunk, part, tally)
                return
            self._room -= items
            done += block.records
            yield BlockPart(chunk, block, tally)
            if self._room <= 0 and done < len(chunk.records):
                self.taken.append(replace(chunk, records=chunk.records[:done]))
                self.left = [replace(chunk, records=chunk.records[done:], opened=None)]
                return
        self.taken.append(chunk)


def _blocks_of(chunk: Chunk, formats: FormatOptions) -> Iterator[Opened]:
    records = chunk.records
    if chunk.opened is not None:
        yield chunk.opened
        records = records[chunk.opened.block.records :]
    for decoded in decode_blocks(records, formats, SourcePartition(chunk.topic, chunk.partition)):
        block = decoded._replace(columns=as_untimed(decoded.columns)) if chunk.untimed else decoded
        yield Opened(block, tally_records(block.decoded), records[0].offset, formats)
        records = records[block.records :]


def check_opened(chunks: Sequence[Chunk], formats: FormatOptions) -> None:
    """RulesChangedError: items that are decoded and not stored yet were read in another way than they are to be read now."""
    for chunk in chunks:
        if chunk.opened is not None and chunk.opened.formats is not None:
            changed_us = chunk.opened.formats.differs_from_us(formats)
            if changed_us is not None and int(chunk.opened.block.columns.ended_at_us.max(initial=0)) >= changed_us:
                raise RulesChangedError(RULES_CHANGED)


def _first(records: Sequence[RawRecord], otherwise: int) -> int:
    return records[0].offset if records else otherwise


def halved(chunk: Chunk) -> tuple[Chunk, Chunk]:
    """A chunk that is opened to its end, with half of its items (at least two) each."""
    if chunk.opened is None:
        raise AssertionError("only items that are decoded are halved")
    block, tally, offset, formats = chunk.opened
    part, rest = cut(block, chunk.records, items_of(block) // 2)
    further = chunk.records[part.records :]
    return (
        replace(chunk, records=chunk.records[: part.records], opened=Opened(part, tally, offset, formats)),
        replace(chunk, records=further, opened=Opened(rest, _NO_RECORDS, _first(further, offset), formats)),
    )


def items_of(block: DecodedBlock) -> int:
    """Events and rows of refused items: what the block adds to a transaction."""
    return len(block.columns) + len(block.decoded.refused)


def cut(block: DecodedBlock, records: Sequence[RawRecord], items: int) -> tuple[DecodedBlock, DecodedBlock]:
    """The first `items` items of a block, events before refused ones, and the rest; fewer than it has.

    `records` are those that the block came from; the part counts those of them that nothing is left of.
    """
    decoded = block.decoded
    events = min(len(block.columns), items)
    refused = items - events
    left_offsets = [record.offset for record in decoded.records[events : events + 1]]
    left_offsets += [item.record.offset for item in decoded.refused[refused:]]
    whole = bisect_left(records, min(left_offsets), hi=block.records, key=_OFFSET)
    rows = np.arange(len(block.columns))
    first = Decoded(
        decoded.events[:events],
        decoded.records[:events],
        decoded.items[:events],
        decoded.refused[:refused],
        decoded.ignored,
    )
    rest = Decoded(
        decoded.events[events:], decoded.records[events:], decoded.items[events:], decoded.refused[refused:], []
    )
    return (
        DecodedBlock(block.columns.select(rows[:events]), first, whole),
        DecodedBlock(block.columns.select(rows[events:]), rest, block.records - whole),
    )


@dataclass(slots=True)
class Counted:
    """What a batch holds of one partition."""

    events: int = 0
    refused_items: int = 0
    records_taken: int = 0
    records_refused: int = 0
    older_than_retention: int = 0

    def add(self, events: int, refused_items: int, tally: RecordTally, older_than_retention: int) -> None:
        """Count one more block."""
        self.events += events
        self.refused_items += refused_items
        self.records_taken += tally.taken
        self.records_refused += tally.refused
        self.older_than_retention += older_than_retention


def progress_of(taken: Sequence[Chunk], counted: Mapping[Place, Counted]) -> list[PartitionProgress]:
    """How far each partition is read once these are stored, with what was counted of it; in the order of `taken`."""
    found: dict[Place, PartitionProgress] = {}
    for chunk in taken:
        first, last, gaps = _offsets(chunk)
        before = found.get(chunk.place)
        if before is not None:
            # Offsets between two chunks that were never seen: holes of compaction and of transactions.
            gaps += before.gaps + max(first - before.last_offset - 1, 0)
            first, last = min(before.first_offset, first), max(before.last_offset, last)
        found[chunk.place] = PartitionProgress(
            topic=chunk.topic,
            partition=chunk.partition,
            first_offset=first,
            last_offset=last,
            events=counted[chunk.place].events,
            quarantined=counted[chunk.place].refused_items,
            gaps=gaps,
            records_taken=counted[chunk.place].records_taken,
            records_refused=counted[chunk.place].records_refused,
            older_than_retention=counted[chunk.place].older_than_retention,
        )
    return list(found.values())


def _offsets(chunk: Chunk) -> tuple[int, int, int]:
    """(first, last, gaps) of the records that the chunk has all of; last is first - 1 where it has a part of one only."""
    if chunk.records:
        first, last = chunk.records[0].offset, chunk.records[-1].offset
        # Compaction and transaction markers leave holes that were never events.
        return first, last, last - first + 1 - len(chunk.records)
    if chunk.opened is None:
        raise AssertionError("a chunk holds records or items of one")
    return chunk.opened.offset, chunk.opened.offset - 1, 0


def located(item: Refused, chunk: Chunk) -> Refused:
    """The refused item with the partition of its record: fetched records do not carry their topic and partition."""
    record = item.record
    return replace(
        item, record=RawRecord(chunk.topic, chunk.partition, record.offset, record.value, tuple(record.headers))
    )
