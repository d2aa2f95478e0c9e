"""Check sums of batches: what was changed on its way is found, as aiokafka finds it, and never given out."""

from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.worker.checksums import is_whole
from rice_stream.worker.fetched_records import PlainRecords
from rice_stream.worker.record_batches import KeptBatches


def batch(values: list[bytes], codec: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 10**8)
    for number, value in enumerate(values):
        builder.append(number, 1_000, None, value, [])
    return bytes(builder.build())


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(0, 10**6), st.integers(0, 7))
def test_one_bit_that_differs_is_found(values: list[bytes], place: int, bit: int) -> None:
    whole = batch(values)
    assert is_whole(memoryview(whole))
    changed = bytearray(whole)
    changed[17 + place % (len(whole) - 17)] ^= 1 << bit
    theirs: Any = DefaultRecordBatch(bytes(changed))
    assert is_whole(memoryview(bytes(changed))) is theirs.validate_crc() is False


@pytest.mark.parametrize("codec", [0, 1], ids=["plain", "gzip"])
def test_what_is_changed_is_an_error_and_what_lies_before_it_is_given_out(codec: int) -> None:
    changed = bytearray(batch([b"x" * 100], codec))
    changed[-1] ^= 1
    raw = batch([b"a", b"b"], codec) + bytes(changed)
    records: Any = PlainRecords(("t", 0), KeptBatches(raw), [], 0, None, None, True, 1)
    assert [one.value for one in records.take(None, 1_000)] == [b"a", b"b"]
    with pytest.raises(CorruptRecordException):
        records.take(None, 1_000)
