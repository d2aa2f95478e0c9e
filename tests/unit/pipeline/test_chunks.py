"""What one batch takes of chunks and what it leaves: bounded by items, in order, everything in exactly one part."""

import json
from random import Random

import pytest

from rice_stream.events.decoding import BLOCK_ITEMS, decode_blocks
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.records import SourcePartition
from rice_stream.pipeline.chunks import BatchParts, Chunk, Counted, progress_of
from tests.support.fakes import chunk_of, event, records_of

PLACE = SourcePartition("events", 0)


def lines(first: int, count: int, *, bad: int = 0) -> bytes:
    """One record of `count` events (and lines that are none), one a line."""
    events = [json.dumps(event(event_id=f"e-{first + k}")) for k in range(count)]
    return "\n".join([*events, *["not JSON"] * bad]).encode()


def batches_of(chunks: list[Chunk], items_max: int) -> list[tuple[list[str], list[tuple[int, int]], BatchParts]]:
    """(ids of the events, places of the refused items, parts) of each batch until nothing is left."""
    found = []
    left = chunks
    while left:
        parts = BatchParts(left, DEFAULT_OPTIONS, items_max)
        ids: list[str] = []
        refused: list[tuple[int, int]] = []
        for _, block, _ in parts:
            assert len(block.columns) == len(block.decoded.events)
            ids += block.columns.event_id
            refused += [(item.record.offset, item.item) for item in block.decoded.refused]
        assert 0 < len(ids) + len(refused) <= items_max
        found.append((ids, refused, parts))
        left = parts.left
    return found


@pytest.mark.parametrize("items_max", [1, 2, 3, 7, 1000])
def test_every_item_is_in_one_batch_however_small_batches_are(items_max: int) -> None:
    values = [lines(0, 5), b"nonsense", lines(5, 1), lines(6, 9, bad=3), None, lines(15, 1)]
    chunks = [chunk_of(values), chunk_of([lines(16, 4)], offset=20)]
    batches = batches_of(chunks, items_max)
    assert [name for ids, _, _ in batches for name in ids] == [f"e-{k}" for k in range(20)]
    refused = sorted(place for _, places, _ in batches for place in places)
    assert refused == [(1, 0), (3, 9), (3, 10), (3, 11), (4, 0)]


@pytest.mark.parametrize("seed", range(20))
def test_progress_never_covers_a_record_of_which_something_is_left(seed: int) -> None:
    """Read from where each batch says it is, after a crash, nothing would be missing; nothing counts as a gap."""
    random = Random(seed)
    offsets = sorted(random.sample(range(40), 12))
    records, first = [], 0
    for offset in offsets:
        count = random.choice([0, 1, 1, 4, 9])
        records.append(records_of([lines(first, count, bad=random.choice([0, 2]) or int(not count))], offset=offset)[0])
        first += count
    middle = random.randrange(1, 12)
    chunks = [Chunk("events", 0, records[:middle]), Chunk("events", 0, records[middle:])]
    items = {record.offset: len((record.value or b"").splitlines()) for record in records}
    stored: dict[int, int] = dict.fromkeys(offsets, 0)
    last, gaps = offsets[0] - 1, 0
    for _, _, parts in batches_of(chunks, random.choice([1, 2, 5, 12])):
        again = BatchParts(parts.taken, DEFAULT_OPTIONS, None)
        for _, block, _ in again:
            for record in [*block.decoded.records, *(item.record for item in block.decoded.refused)]:
                stored[record.offset] += 1
        (progress,) = progress_of(parts.taken, {("events", 0): Counted()})
        gaps += progress.gaps + max(progress.first_offset - last - 1, 0)
        last = max(last, progress.last_offset)
        assert all(stored[offset] == items[offset] for offset in offsets if offset <= last)
    assert stored == items
    assert (last, gaps) == (offsets[-1], offsets[-1] - offsets[0] + 1 - len(offsets))


def test_a_record_counts_once_as_taken_or_refused_in_however_many_parts() -> None:
    chunks = [chunk_of([lines(0, 7), b"nonsense", lines(7, 2, bad=2)])]
    taken = refused = 0
    left = chunks
    while left:
        parts = BatchParts(left, DEFAULT_OPTIONS, 2)
        for _, _, tally in parts:
            taken, refused = taken + tally.taken, refused + tally.refused
        left = parts.left
    assert (taken, refused) == (2, 1)


def test_a_block_is_bounded_by_bytes_and_items_not_by_records_alone() -> None:
    """Hundreds of records of many events each are never decoded together: their objects would fill the memory."""
    many = records_of([lines(k, 500) for k in range(12)])
    blocks = list(decode_blocks(many, DEFAULT_OPTIONS, PLACE))
    assert sum(block.records for block in blocks) == 12
    assert max(len(block.columns) for block in blocks) <= BLOCK_ITEMS + 500
    crowds = records_of([b"[" + b"0," * 200 + b"0]" for _ in range(120)])
    blocks = list(decode_blocks(crowds, DEFAULT_OPTIONS, PLACE))
    assert sum(block.records for block in blocks) == 120
    assert max(len(block.decoded.refused) for block in blocks) <= BLOCK_ITEMS + 101
