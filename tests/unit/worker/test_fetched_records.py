"""What a fetch hands over: bounded by bytes whatever the broker sent, and no header name stops it."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from rice_stream.worker import fetched_records
from rice_stream.worker.fetched_records import ROOM, BoundedResult, KeptBatches, PlainRecords

BAD = b"\xff\xfe\xfdX"


def batch(base_offset: int, values: Sequence[bytes], *, bad: Sequence[int] = (), codec: int = 0) -> bytes:
    """Record batch as a broker sends it; records at the places `bad` have a header whose name is no UTF-8."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**8)
    for number, value in enumerate(values):
        headers = [("ok", b"1"), ("NAME", b"2")] if number in bad else []
        builder.append(number, 1_000 + number, b"k", value, headers)
    raw = bytearray(bytes(builder.build()).replace(b"NAME", BAD))
    if codec:
        from aiokafka.codec import gzip_encode

        raw[61:] = gzip_encode(bytes(raw[61:]))
        struct.pack_into(">i", raw, 8, len(raw) - 12)
        struct.pack_into(">h", raw, 21, codec)
    struct.pack_into(">q", raw, 0, base_offset)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def records_of(raw: bytes, first_offset: int = 0) -> PlainRecords:
    return PlainRecords(("t", 0), KeptBatches(raw), [], first_offset, None, None, True, 1)


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
    records = list(records_of(raw))
    assert [(one.offset, one.value) for one in records] == [(k, bytes([97 + k])) for k in range(8)]
    assert [list(one.headers) for one in records][3] == [("ok", b"1"), ("???X", b"2")]
    assert records[4].headers == []
    assert (records[3].key, records[3].timestamp) == (b"k", 1_001)


def test_reading_from_amid_such_a_batch_gives_the_rest_of_it() -> None:
    raw = batch(10, [b"a", b"b", b"c"], bad=[0, 2])
    assert [one.value for one in records_of(raw, first_offset=11)] == [b"b", b"c"]


def test_a_fetch_hands_over_records_up_to_its_bytes_and_the_rest_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all partitions together; a record larger than that passes alone; nothing is lost or comes twice."""
    monkeypatch.setattr(fetched_records, "FETCH_BYTES_MAX", 10_000)
    parts = [Result(records_of(batch(0, [b"x" * 3_000] * 7))), Result(records_of(batch(0, [b"y" * 50_000, b"z"])))]
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


def test_it_is_what_aiokafka_uses_once_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FetchResult", "PartitionRecords", "MemoryRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    fetched_records.install()
    assert fetcher.FetchResult is BoundedResult
    assert fetcher.PartitionRecords is PlainRecords
    assert fetcher.MemoryRecords is KeptBatches
