"""How aiokafka's fetched records are given out: as its C code reads them, many at once, bounded by bytes, whatever their headers
are called.

`install` puts these classes in the place of aiokafka's own, for all of this process. The inner names that they use are
listed, and checked at the start, by `inner_names`.
"""

import logging
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, legacy_records
from aiokafka.record.util import decode_varint

from rice_stream.events.kept_values import KeptValues
from rice_stream.events.records import SkippedBatch
from rice_stream.worker import unpacking
from rice_stream.worker.checksums import IS_NATIVE, is_whole
from rice_stream.worker.header_names import mend_header_names
from rice_stream.worker.intake import RECORD_BYTES, SizedRecords, bytes_of, sized
from rice_stream.worker.unpacking import BatchNotUnpackedError

log = logging.getLogger(__name__)

FETCH_BYTES_MAX = 4 * 1024 * 1024
"""A fetch hands over records of about so many bytes, of all partitions together, and at least one; the rest waits in
aiokafka's buffer. A compressed batch is taken apart as a whole, up to `unpacking.BATCH_BYTES_MAX`."""
KEPT_FROM = 64
"""Of fewer records the objects around them are kept as well."""
RUN_RECORDS_MAX = 2_000
"""Records that are read at once: a batch may hold a million small ones, each of which takes much more memory once it is read."""
_LENGTH_AT, _MAGIC_AT, _CODEC_AT, _LAST_DELTA_AT, _OVERHEAD = 8, 16, 22, 23, 12
_CODEC = 0x07
_FetchResult: Any = fetcher.FetchResult
_PartitionRecords: Any = fetcher.PartitionRecords
_MemoryRecords: Any = fetcher.MemoryRecords
_Batch: Any = vars(default_records)["_DefaultRecordBatchPy"]


class HandOverRoom:
    """Bytes that the fetch in hand may still hand over. aiokafka's thread alone uses it."""

    def __init__(self) -> None:
        self.left = FETCH_BYTES_MAX

    def renew(self) -> None:
        """Another fetch begins."""
        self.left = FETCH_BYTES_MAX


ROOM = HandOverRoom()


def install() -> None:
    """Let aiokafka give out records with these classes."""
    vars(fetcher).update(FetchResult=BoundedResult, PartitionRecords=PlainRecords, MemoryRecords=KeptBatches)
    unpacking.install()


class BoundedResult(_FetchResult):  # type: ignore[misc]
    """Fetched records of one partition, given out as far as the room goes."""

    _partition_records: Any

    @property
    def fetched_bytes(self) -> int:
        """What the broker sent of this partition; 0 once all of it is given out."""
        return 0 if self._partition_records is None else len(self._partition_records.raw)

    @property
    def offset_behind(self) -> int | None:
        """What follows the records that the broker sent; None: all is given out, or their format does not say so."""
        return None if self._partition_records is None else _offset_behind(self._partition_records.raw)

    def getall(self, max_records: int | None = None) -> Sequence[Any]:
        """Up to so many records, and no more than the room has bytes for; what is left comes next time. Many are `KeptValues`."""
        found = self._taken(max_records)
        return found if len(found) < KEPT_FROM else KeptValues.of(found) or found

    def _taken(self, max_records: int | None) -> SizedRecords:
        found = SizedRecords()
        if ROOM.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
            return found
        while ROOM.left > 0 and (max_records is None or len(found) < max_records):
            run = self._partition_records.take(None if max_records is None else max_records - len(found), ROOM.left)
            if not run:
                self._update_position()
                self._partition_records = None
                return found
            found += run
            found.size_bytes += run.size_bytes
            ROOM.left -= run.size_bytes
        self._update_position()
        return found


class RecordRun(NamedTuple):
    """Consecutive records of a batch, which aiokafka takes for one: it asks its offset only, which is that of the last."""

    offset: int
    records: SizedRecords


class PlainRecords(_PartitionRecords):  # type: ignore[misc]
    """Records of a partition as aiokafka's C code reads them (offset, value, headers, timestamp), in lists.

    No Python object is made around each, and none is handed through Python one by one: that is half of what fetching costs, and a
    third of a kilobyte a record. What aiokafka decides of batches and transactions is left to it.
    A record with a header name that is no UTF-8 is given out with question marks in the name, and a compressed batch that
    is too large to be unpacked as one SkippedBatch in the place of its records.
    """

    _records: Any
    next_fetch_offset: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._run = SizedRecords()
        self._given = 0
        """Records of `_run` that were taken."""

    def take(self, records_max: int | None, bytes_max: int) -> SizedRecords:
        """The next records, up to so many and to the one that brings them to so many bytes; none: nothing is left."""
        self._run = self._run or next(self, SizedRecords())
        end = None if records_max is None else self._given + records_max
        found = SizedRecords(self._run[self._given : end])
        found.size_bytes = self._run.size_bytes if len(found) == len(self._run) else bytes_of(found)
        if found.size_bytes > bytes_max:
            sizes = list(accumulate(bytes_of((record,)) for record in found))
            del found[bisect_left(sizes, bytes_max) + 1 :]
            found.size_bytes = sizes[len(found) - 1]
        if found:
            self._given += len(found)
            self.next_fetch_offset = found[-1].offset + 1
        if self._given == len(self._run):
            self._run, self._given = SizedRecords(), 0  # they are large
        return found

    @property
    def raw(self) -> bytes:
        """What the broker sent."""
        found: bytes = self._records.raw
        return found

    def _consumer_record(self, tp: Any, record: RecordRun) -> SizedRecords:
        del tp
        if record.records[0].offset >= self.next_fetch_offset:
            return record.records
        # Reading begins amid a batch, which the broker sends as a whole.
        return sized(each for each in record.records if each.offset >= self.next_fetch_offset)

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except UnicodeDecodeError:
                log.warning("a record of %s at %s has a header name that is no UTF-8", self._tp, self.next_fetch_offset)
                self._records = LenientBatches(self._records.raw, self.next_fetch_offset)
            except BatchNotUnpackedError as error:
                skipped = self._records.skipped(str(error))
                offsets = (skipped.first_offset, skipped.offset)
                log.error("a compressed batch of %s, offsets %s to %s, is left out: %s", self._tp, *offsets, error)
                self.next_fetch_offset = skipped.offset + 1
                yield sized([skipped])
            else:
                return


class _BatchInRuns:
    """A batch of aiokafka's, whose records come in runs."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        """`raw`: all of its bytes."""
        self._batch = batch
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
        self._slices = _slices(raw)
        self.has_next = self._batches.has_next
        self.size_in_bytes = self._batches.size_in_bytes

    def next_batch(self) -> Any:
        """The next batch."""
        self._last = _BatchInRuns(self._batches.next_batch(), next(self._slices, memoryview(b"")))
        return self._last


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


def _offset_behind(raw: bytes) -> int | None:
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
