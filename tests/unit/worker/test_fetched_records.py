"""What a fetch hands over: bounded by bytes whatever the broker sent, and no header name stops it."""

import gc
import struct
from collections.abc import Iterator, Sequence
from typing import Any, cast

import aiokafka.codec
import cramjam
import pytest
from aiokafka.consumer import fetcher
from aiokafka.record import default_records
from aiokafka.record._crecords import default_records as compiled_default_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import SkippedBatch, SourcePartition
from rice_stream.events.refused_items import skipped_offsets
from rice_stream.worker import fetched_records, plain_batches, record_batches, unpacking
from rice_stream.worker.fetched_records import ROOM, BoundedResult, PlainRecords
from rice_stream.worker.record_batches import KeptBatches

_AIOKAFKA_RECORDS: Any = fetcher.PartitionRecords
_AIOKAFKA_BATCHES: Any = fetcher.MemoryRecords
CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
BAD = b"\xff\xfe\xfdX"


def batch(base_offset: int, values: Sequence[bytes], *, bad: Sequence[int] = (), codec: int = 0) -> bytes:
    """Record batch as a broker sends it; records at the places `bad` have a header whose name is no UTF-8."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**8)
    for number, value in enumerate(values):
        headers = [("ok", b"1"), ("NAME", b"2")] if number in bad else []
        builder.append(number, 1_000 + number, b"k", value, headers)
    raw = bytearray(bytes(builder.build()).replace(b"NAME", BAD))
    if codec:
        raw[61:] = getattr(aiokafka.codec, f"{CODECS[codec]}_encode")(bytes(raw[61:]))
        struct.pack_into(">i", raw, 8, len(raw) - 12)
        struct.pack_into(">h", raw, 21, codec)
    struct.pack_into(">q", raw, 0, base_offset)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def partition_of(raw: bytes, first_offset: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> PlainRecords:
    return PlainRecords(("t", 0), KeptBatches(raw), list(aborted), first_offset, None, None, True, 1)


def records_of(raw: bytes, first_offset: int = 0) -> list[Any]:
    return [record for run in partition_of(raw, first_offset) for record in run]


@pytest.fixture(autouse=True)
def renewed() -> Iterator[None]:
    ROOM.renew()
    yield
    ROOM.renew()


class Result(BoundedResult):
    """Without a consumer around it."""

    def __init__(self, records: PlainRecords) -> None:
        self._partition_records = records
        self._topic_partition = ("t", 0)
        self.position = 0

    def check_assignment(self, tp: Any) -> bool:
        return self._partition_records is not None

    def _update_position(self) -> None:
        self.position = self._partition_records.next_fetch_offset


@pytest.mark.parametrize("codec", [0, 1])
def test_a_header_name_that_is_no_utf8_stops_nothing(codec: int) -> None:
    """Records before and behind it come once each, in order; its name has question marks, its value is its own."""
    raw = b"".join(
        [
            batch(0, [b"a", b"b"], codec=codec),
            batch(2, [b"c", b"d", b"e", b"f"], bad=[1, 3], codec=codec),
            batch(6, [b"g"], bad=[0], codec=codec),
            batch(7, [b"h"]),
        ]
    )
    records = records_of(raw)
    assert [(one.offset, one.value) for one in records] == [(k, bytes([97 + k])) for k in range(8)]
    assert [list(one.headers) for one in records][3] == [("ok", b"1"), ("???X", b"2")]
    assert records[4].headers == []
    assert (records[3].key, records[3].timestamp) == (b"k", 1_001)


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka unpacks no more than 100,000 bytes of a batch."""
    monkeypatch.setattr(unpacking, "BATCH_BYTES_MAX", 100_000)
    for module in (default_records, compiled_default_records):
        for name, function in unpacking.BOUNDED.items():
            monkeypatch.setitem(vars(module), name, function)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("bad", [[], [0]], ids=["", "header name that is no UTF-8"])
@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_that_unpacks_to_too_much_is_one_refused_row_and_stops_nothing(codec: int, bad: list[int]) -> None:
    """In every codec; the batches before and behind it come whole, and so does one that just fits."""
    raw = b"".join(
        [
            batch(0, [b"a", b"b"], bad=bad, codec=codec),
            batch(2, [b"c", b"x" * 200_000, b"d"], codec=codec),
            batch(5, [b"y" * 99_000], codec=codec),
            batch(6, [b"z"]),
        ]
    )
    records = records_of(raw)
    assert [one.offset for one in records] == [0, 1, 4, 5, 6]
    assert [len(one.value) for one in records] == [1, 1, 0, 99_000, 1]
    skipped = records[2]
    assert isinstance(skipped, SkippedBatch)
    assert (skipped.first_offset, skipped.packed_bytes) == (2, len(batch(2, [b"c", b"x" * 200_000, b"d"], codec=codec)))
    _, decoded = decode_batch(cast(Any, [skipped]), partition=SourcePartition("t", 3))
    (refused,) = decoded.refused
    assert (refused.record.topic, refused.record.partition, refused.record.offset) == ("t", 3, 4)
    assert refused.reason == "batch_not_unpacked"
    assert "offsets 2 to 4" in refused.detail
    assert "100,000" in refused.detail
    assert list(skipped_offsets(refused.payload)) == [2, 3, 4]
    assert [one.offset for one in records_of(raw, first_offset=3)] == [4, 5, 6], "read again from amid it: the same row"


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("codec", CODECS)
def test_a_broken_batch_is_one_refused_row_too(codec: int) -> None:
    """Cut off within, under a right checksum."""
    raw = bytearray(batch(0, [b"a" * 500, bytes(range(256))], codec=codec)[:-40])
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    records = records_of(bytes(raw) + batch(2, [b"z"]))
    assert [(one.offset, one.value) for one in records] == [(1, b""), (2, b"z")]
    assert "is broken" in records[0].problem or "says" in records[0].problem


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_unpacked_is_what_aiokafka_would_unpack(codec: int) -> None:
    """Any content, several members or frames, both ways of writing snappy."""
    name = CODECS[codec]
    encode, ours = getattr(aiokafka.codec, f"{name}_encode"), unpacking.BOUNDED[f"{name}_decode"]
    contents = [b"", b"x", bytes(range(256)) * 300, b"0" * 3_000_000]
    for content in contents:
        assert ours(memoryview(encode(content))) == content
    if name == "gzip":
        assert ours(b"".join(map(encode, contents))) == b"".join(contents)
    if name == "snappy":
        assert ours(aiokafka.codec.snappy_encode(contents[2], xerial_compatible=False)) == contents[2]


def test_a_gzip_stream_that_lies_about_its_size_is_bounded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is in the trailer of the last member only."""
    monkeypatch.setattr(unpacking, "BATCH_BYTES_MAX", 100_000)
    for members in ([b"0" * 100_001, b""], [b"0" * 60_000] * 2):
        with pytest.raises(unpacking.BatchNotUnpackedError, match="may be"):
            unpacking.gzip_decode(b"".join(map(aiokafka.codec.gzip_encode, members)))


def test_reading_from_amid_such_a_batch_gives_the_rest_of_it() -> None:
    raw = batch(10, [b"a", b"b", b"c"], bad=[0, 2])
    assert [one.value for one in records_of(raw, first_offset=11)] == [b"b", b"c"]


def test_a_fetch_hands_over_records_up_to_its_bytes_and_the_rest_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all partitions together; a record larger than that passes alone; nothing is lost or comes twice."""
    monkeypatch.setattr(fetched_records, "FETCH_BYTES_MAX", 10_000)
    parts = [Result(partition_of(batch(0, [b"x" * 3_000] * 7))), Result(partition_of(batch(0, [b"y" * 50_000, b"z"])))]
    offsets: list[list[int]] = [[], []]
    for _ in range(20):
        ROOM.renew()
        sizes = 0
        for number, part in enumerate(parts):
            found = part.getall(5_000)
            offsets[number] += [one.offset for one in found]
            sizes += sum(len(one.value) for one in found)
            if found:
                assert part.position == found[-1].offset + 1
        assert sizes <= 13_000 + 50_000
    assert offsets == [list(range(7)), [0, 1]]
    assert not any(part.has_more() for part in parts)


def sent(base_offset: int, count: int, *, transaction_of: int = -1, codec: int = 0, marker: int | None = None) -> bytes:
    """A batch of a producer's transaction (-1: of none), or the control batch that takes one back (0) or ends it (1)."""
    builder = DefaultRecordBatchBuilder(2, 0, int(transaction_of >= 0), transaction_of, 0, 0, 10**8)
    for number in range(count):
        key = b"k" if marker is None else struct.pack(">hh", 0, marker)
        builder.append(number, 1_000, key, b"v%d" % (base_offset + number), [])
    raw = bytearray(builder.build())
    if codec:
        raw[61:] = getattr(aiokafka.codec, f"{CODECS[codec]}_encode")(bytes(raw[61:]))
        struct.pack_into(">i", raw, 8, len(raw) - 12)
    control = 0 if marker is None else 0x20
    struct.pack_into(">h", raw, 21, struct.unpack_from(">h", raw, 21)[0] | codec | control)
    struct.pack_into(">q", raw, 0, base_offset)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_however_it_is_handed_over_it_is_what_aiokafka_gives(
    data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same records and, after each fetch, a position from which aiokafka goes on with the rest: of transactions that were
    kept and taken back, compressed or not, from amid a batch, whatever the bounds."""
    monkeypatch.setattr(record_batches, "RUN_RECORDS_MAX", data.draw(st.integers(1, 8)))
    monkeypatch.setattr(plain_batches, "COUNT_MIN", data.draw(st.sampled_from([1, 20, 64])))
    monkeypatch.setattr(plain_batches, "LARGE_BYTES", data.draw(st.sampled_from([8, 2_048])))
    monkeypatch.setattr(fetched_records, "KEPT_FROM", data.draw(st.sampled_from([1, 100])))
    batches: list[tuple[int, bytes]] = []
    offset = 0
    taken_back: list[tuple[int, int, int]] = []
    for _ in range(data.draw(st.integers(1, 6))):
        producer = data.draw(st.sampled_from([-1, 7, 8]))
        count = data.draw(st.integers(1, 9))
        codec = data.draw(st.sampled_from([0, 0, 1, 4]))
        batches.append((offset + count, sent(offset, count, transaction_of=producer, codec=codec)))
        if producer >= 0:
            marker = data.draw(st.integers(0, 1))
            taken_back += [(offset + count, producer, offset)] if marker == 0 else []
            count += 1
            batches.append((offset + count, sent(offset + count - 1, 1, transaction_of=producer, marker=marker)))
        offset += count
    first = data.draw(st.integers(0, offset - 1))

    def from_broker(position: int) -> bytes:
        return b"".join(raw for end, raw in batches if end > position)

    def aborted(position: int) -> list[tuple[int, int]]:
        return [(producer, first) for marker, producer, first in taken_back if marker >= position]

    def expected(position: int) -> list[tuple[int, bytes]]:
        theirs = _AIOKAFKA_RECORDS(
            ("t", 0),
            _AIOKAFKA_BATCHES(from_broker(position)),
            aborted(position),
            position,
            None,
            None,
            True,
            fetcher.READ_COMMITTED,
        )
        theirs._consumer_record = lambda _, record: record
        return [(one.offset, one.value) for one in theirs]

    result = Result(partition_of(from_broker(first), first, aborted(first)))
    whole, found = expected(first), []
    while result.has_more():
        ROOM.left = data.draw(st.integers(1, 3_000))
        records = result.getall(data.draw(st.none() | st.integers(1, 7)))
        found += [(one.offset, one.value) for one in records]
        assert expected(result.position) == whole[len(found) :]
    assert found == whole
    assert result.position == offset


def test_it_is_what_aiokafka_uses_once_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FetchResult", "PartitionRecords", "MemoryRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    for module in (default_records, compiled_default_records):
        for name in unpacking.BOUNDED:
            monkeypatch.setitem(vars(module), name, vars(module)[name])
    fetched_records.install()
    assert vars(compiled_default_records)["zstd_decode"] is unpacking.zstd_decode
    assert fetcher.FetchResult is BoundedResult
    assert fetcher.PartitionRecords is PlainRecords
    assert fetcher.MemoryRecords is KeptBatches


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_room_that_was_too_small_is_given_back_at_once(codec: str) -> None:
    """Nothing waits for the collector: a backlog of batches that unpack to a hundred times as much took all memory otherwise."""
    packed = bytes(getattr(cramjam, codec).compress(bytes(8_000_000)))
    gc.collect()
    gc.disable()
    try:
        assert len(unpacking.BOUNDED[f"{codec}_decode"](packed)) == 8_000_000
        assert gc.collect() == 0
    finally:
        gc.enable()
