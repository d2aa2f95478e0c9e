"""Batches of records as a broker sent them, one after the other: read by `plain_batches` or by aiokafka's C code, many at once,
whatever their headers are called.

The inner names of aiokafka that are used are listed, and checked at the start, by `inner_names`.
"""

import struct
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, legacy_records
from aiokafka.record.util import decode_varint

from rice_stream.events.kept_values import KeptValues
from rice_stream.events.records import SkippedBatch
from rice_stream.worker.checksums import IS_NATIVE, is_whole
from rice_stream.worker.header_names import mend_header_names
from rice_stream.worker.plain_batches import plain_records, record_count
from rice_stream.worker.sized_records import RECORD_BYTES, Records, SizedRecords, bytes_of

RUN_RECORDS_MAX = 2_000
"""Records that are read at once: a batch may hold a million small ones, each of which takes much more memory once it is read."""
AHEAD_BYTES_MAX = 2 * 1024 * 1024
AHEAD_RECORDS_MAX = 8_000
"""So much of what a broker sent of a partition is read together, if plain batches begin with it: usually all of it."""
_LENGTH_AT, _MAGIC_AT, _CODEC_AT, _LAST_DELTA_AT, _OVERHEAD = 8, 16, 22, 23, 12
_CODEC = 0x07
_MemoryRecords: Any = fetcher.MemoryRecords
_Batch: Any = vars(default_records)["_DefaultRecordBatchPy"]


class RecordRun(NamedTuple):
    """Consecutive records of a batch, which aiokafka takes for one: it asks its offset only, which is that of the last."""

    offset: int
    records: Records


class _BatchInRuns:
    """A batch of aiokafka's, whose records come in runs."""

    def __init__(self, batch: Any, raw: memoryview, kept: KeptValues | None = None) -> None:
        """`raw`: all of its bytes; `kept`: its records, where they are known and `raw` is as it was sent."""
        self._batch = batch
        self._kept = kept
        self._raw = raw
        is_plain = len(raw) > _CODEC_AT and raw[_MAGIC_AT] >= 2 and not raw[_CODEC_AT] & _CODEC
        self._raw_bytes = len(raw) if is_plain else 0
        """How many records and what is between them have; 0: only their sum is known when they are unpacked."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def validate_crc(self) -> bool:
        """Whether it is as it was sent."""
        raw, self._raw = self._raw, memoryview(b"")
        if not IS_NATIVE or len(raw) <= _CODEC_AT or raw[_MAGIC_AT] < 2:
            return bool(self._batch.validate_crc())
        return is_whole(raw)

    def __next__(self) -> Any:
        """The one record of a control batch."""
        return next(self._batch)

    def __iter__(self) -> Iterator[RecordRun]:
        kept, self._kept = self._kept, None
        if kept is not None:
            yield RecordRun(int(kept.offsets[-1]), kept)
            return
        # aiokafka's own iterator must not begin twice, nor be asked again once it has ended.
        records = iter(iter(self._batch).__next__, None)
        while run := SizedRecords(islice(records, RUN_RECORDS_MAX)):
            # A batch says how long it is, which spares looking at each of its records.
            whole = self._raw_bytes and len(run) < RUN_RECORDS_MAX
            run.size_bytes = self._raw_bytes + RECORD_BYTES * len(run) if whole else bytes_of(run)
            self._raw_bytes = 0
            yield RecordRun(run[-1].offset, run)


class _Batches:
    """Knows the batch that was given out last."""

    raw: bytes
    _last: Any = None

    def skipped(self, problem: str) -> SkippedBatch:
        """What stands for it, where it cannot be unpacked."""
        batch = self._last
        first, last = batch.base_offset, batch.next_offset - 1
        sizes = (len(part) for part in _slices(self.raw) if struct.unpack_from(">q", part)[0] == first)
        return SkippedBatch(first, last, next(sizes, len(self.raw)), problem)


class KeptBatches(_Batches):
    """aiokafka's reader of record batches, which keeps the bytes that they are read from."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._batches = _MemoryRecords(raw)
        self._slices = list(_slices(raw))
        self._slices.reverse()
        self._ahead = 0
        """Where the batches begin that were not read ahead."""
        self._kept: list[KeptValues | None] = []
        """Of the next batches, the next one last."""
        self.has_next = self._batches.has_next
        self.size_in_bytes = self._batches.size_in_bytes

    def next_batch(self) -> Any:
        """The next batch."""
        batch = self._batches.next_batch()
        if not self._slices:
            self._last = _BatchInRuns(batch, memoryview(b""))
            return self._last
        if not self._kept:
            self._read_ahead()
        self._last = _BatchInRuns(batch, self._slices.pop(), self._kept.pop())
        return self._last

    def _read_ahead(self) -> None:
        """Read the records of the next batches, as many as are worth it."""
        ahead: list[memoryview] = []
        count = size = 0
        for part in reversed(self._slices):
            if ahead and (count >= AHEAD_RECORDS_MAX or size >= AHEAD_BYTES_MAX):
                break
            ahead.append(part)
            count += record_count(part)
            size += len(part)
        ends = list(accumulate(map(len, ahead), initial=self._ahead))[1:]
        self._kept = plain_records(self.raw, ends, self._ahead)
        self._kept.reverse()
        self._ahead = ends[-1]


class LenientBatches(_Batches):
    """The same from an offset on, slower, with header names that are no UTF-8 made readable."""

    def __init__(self, raw: bytes, first_offset: int) -> None:
        self.raw = raw
        batches = [(_batch(part), part) for part in _slices(raw)]
        self._batches = [each for each in batches if each[0].next_offset > first_offset]
        self._batches.reverse()

    def has_next(self) -> bool:
        """Whether another batch is there."""
        return bool(self._batches)

    def next_batch(self) -> Any:
        """The next batch."""
        self._last = _BatchInRuns(*self._batches.pop())
        return self._last


def _slices(raw: bytes) -> Iterator[memoryview]:
    at = 0
    while len(raw) - at > _MAGIC_AT:
        end = at + _OVERHEAD + struct.unpack_from(">i", raw, at + _LENGTH_AT)[0]
        if end > len(raw):
            return  # the broker cuts the last one off
        yield memoryview(raw)[at:end]
        at = end


def offset_behind(raw: bytes) -> int | None:
    """The offset behind the last of these batches; None: there is none, or its format does not say so."""
    last = None
    for last in _slices(raw):  # noqa: B007
        pass
    if last is None or last[_MAGIC_AT] < 2:
        return None
    first, delta = struct.unpack_from(">q", last)[0], struct.unpack_from(">i", last, _LAST_DELTA_AT)[0]
    return int(first + delta + 1)


def _batch(part: memoryview) -> Any:
    magic = part[_MAGIC_AT]
    return _LenientBatch(part) if magic >= 2 else legacy_records.LegacyRecordBatch(part, magic)


class _LenientBatch(_Batch):  # type: ignore[misc]
    """Mends the header names of each record before it is read."""

    def _read_msg(self, decode_varint: Any = decode_varint) -> Any:
        mend_header_names(self._buffer, self._pos, decode_varint)
        return super()._read_msg(decode_varint)
