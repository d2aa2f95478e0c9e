"""Chunks that are decoded as if they were one make the batch that they make one by one, whatever else lies between their events."""

from collections.abc import Sequence
from random import Random

import pytest

from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.kept_values import KeptRecord, KeptValues
from rice_stream.events.records import RawRecord
from rice_stream.events.together import blocks
from rice_stream.instants import DAY_US, datetime_of
from rice_stream.pipeline import joined_chunks
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.joined_chunks import ChunkJoiner, JoinedChunks
from rice_stream.pipeline.pipeline import Prepared
from tests.support.databases import SqliteDatabases
from tests.support.fakes import NOON_US, event, records_of
from tests.support.reports_store import open_store
from tests.unit.pipeline.test_making import told
from tests.unit.pipeline.test_numbered_names import assert_same

MOMENT = f"{datetime_of(NOON_US - DAY_US):%Y-%m-%dT%H:%M:%SZ}"
BEYOND = f"{datetime_of(NOON_US + 3 * DAY_US):%Y-%m-%dT%H:%M:%SZ}"
ODD: tuple[object, ...] = (
    None,
    b"no JSON",
    [event(event_id="in-an-array"), event(event_id="")],
    event(event_id="no-tokens", input_tokens=-1),
    event(event_id="to-come", ended_at=BEYOND),
    event(event_id="states-factors", pue=1.1, tenant_id="t-1"),
)


@pytest.fixture(autouse=True)
def new_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have read what is odd, and leave some blocks alone."""
    monkeypatch.setattr(blocks, "_idle", [])


def kept(records: Sequence[RawRecord]) -> KeptValues:
    """As a fetch brings them."""
    found = KeptValues.of([KeptRecord(record.offset, 0, 0, None, record.value) for record in records])
    assert found is not None
    return found


def drawn(seed: int, odd: int) -> list[tuple[int, list[RawRecord]]]:
    """Records of chunks of three partitions, some of which repeat others, with so many odd ones between them."""
    random, offsets, found = Random(seed), [0, 100, 7], []
    sizes = [random.choice([1, 60, 200, 500]) for _ in range(6)]
    odd_at = {random.randrange(sum(sizes)): random.choice(ODD) for _ in range(odd)}
    at = 0
    for size in sizes:
        partition = random.randrange(3)
        payloads = [
            odd_at.get(
                at + k,
                event(event_id=f"e-{random.randrange(900)}", tenant_id=f"t-{random.randrange(4)}", ended_at=MOMENT),
            )
            for k in range(size)
        ]
        at += size
        found.append((partition, records_of(payloads, partition=partition, offset=offsets[partition])))
        offsets[partition] += size + random.choice([0, 0, 3])
    return found


def as_taken(prepared: Prepared) -> list[object]:
    """What is said of a batch, where it does not matter in which parts its chunks were taken."""
    *others, taken, left = told(prepared)
    assert isinstance(taken, list)
    assert isinstance(left, list)
    return [*others, [record.offset for chunk in taken for record in chunk.records], len(left)]


@pytest.mark.parametrize("odd", [0, 1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_a_batch_of_joined_chunks_is_the_batch_of_the_same_records_one_by_one(
    sqlite: SqliteDatabases, monkeypatch: pytest.MonkeyPatch, seed: int, odd: int
) -> None:
    """Progress, origin, repeats, refused and ignored records too; in blocks that end amid chunks."""
    monkeypatch.setattr(joined_chunks, "RECORDS_MAX", 190)
    chunks = drawn(seed, odd)
    with open_store(sqlite.migrated()) as store:
        plain = store.pipeline.prepare_some(
            [Chunk("events", partition, records) for partition, records in chunks], NOON_US, items_max=5_000
        )
        for _ in range(2):
            joined = store.pipeline.prepare_some(
                [Chunk("events", partition, kept(records)) for partition, records in chunks], NOON_US, items_max=5_000
            )
            assert_same(joined.batch, plain.batch)
            assert as_taken(joined) == as_taken(plain)


def plain_chunks(count: int = 3, size: int = 100) -> list[Chunk]:
    payloads = [event(event_id=f"e-{number}") for number in range(size)]
    return [Chunk("events", number, kept(records_of(payloads, partition=number))) for number in range(count)]


def taken_of(joined: JoinedChunks) -> list[int]:
    """How many records each block has."""
    found = []
    for block in joined:
        joined.take(block)
        found.append(len(block.columns))
    return found


def test_blocks_are_alike_and_none_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_chunks, "RECORDS_MAX", 160)
    joined = JoinedChunks(plain_chunks(), DEFAULT_OPTIONS, 300)
    assert taken_of(joined) == [150, 150]
    assert [(chunk.partition, len(chunk.records)) for chunk in joined.taken] == [(0, 100), (1, 50), (1, 50), (2, 100)]
    assert not joined.rest
    assert not joined.has_failed


def test_what_a_batch_has_no_room_for_is_not_joined() -> None:
    joined = JoinedChunks(plain_chunks(), DEFAULT_OPTIONS, 299)
    assert taken_of(joined) == []
    assert len(joined.rest) == 3
    assert not joined.has_failed


def test_chunks_of_another_topic_are_left() -> None:
    first, second, third = plain_chunks()
    joined = JoinedChunks([first, second, Chunk("others", 0, third.records)], DEFAULT_OPTIONS, None)
    assert taken_of(joined) == [200]
    assert [chunk.topic for chunk in joined.rest] == ["others"]


def test_nothing_is_joined_for_a_while_where_that_has_failed() -> None:
    """What is read in vain costs as much again."""
    joiner = ChunkJoiner()
    odd = Chunk("events", 0, kept(records_of([event(event_id=f"e-{number}") for number in range(100)] + [None])))

    def blocks_of(chunk: Chunk) -> list[int]:
        joined = joiner.joined([chunk], DEFAULT_OPTIONS, None)
        found = taken_of(joined)
        joiner.ended(joined)
        return found

    (plain,) = plain_chunks(1)
    assert blocks_of(plain) == [100]
    assert blocks_of(odd) == []
    rounds = [blocks_of(plain) for _ in range(33)]
    assert rounds == [[]] * 32 + [[100]]
