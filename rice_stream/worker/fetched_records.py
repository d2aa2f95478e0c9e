"""How aiokafka's fetched records are given out: many at once, bounded by bytes.

`install` puts these classes in the place of aiokafka's own, for all of this process. The inner names that they use are
listed, and checked at the start, by `inner_names`.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from aiokafka.consumer import fetcher

from rice_stream.events.kept_values import KeptValues
from rice_stream.worker import unpacking
from rice_stream.worker.record_batches import KeptBatches, LenientBatches, RecordRun, offset_behind
from rice_stream.worker.sized_records import Records, SizedRecords, bytes_of, part_of, sized, sizes_of
from rice_stream.worker.unpacking import BatchNotUnpackedError

log = logging.getLogger(__name__)

FETCH_BYTES_MAX = 8 * 1024 * 1024
"""A fetch hands over records of about so many bytes, of all partitions together, and at least one: as many as one answer
of a broker brings. The rest waits in aiokafka's buffer. A compressed batch is taken apart as a whole, up to
`unpacking.BATCH_BYTES_MAX`."""
KEPT_FROM = 64
"""Of fewer records the objects around them are kept as well."""
_FetchResult: Any = fetcher.FetchResult
_PartitionRecords: Any = fetcher.PartitionRecords


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
        return None if self._partition_records is None else offset_behind(self._partition_records.raw)

    def getall(self, max_records: int | None = None) -> Sequence[Any]:
        """Up to so many records, and no more than the room has bytes for; what is left comes next time. Many are `KeptValues`."""
        runs = self._taken(max_records)
        kept = [run for run in runs if isinstance(run, KeptValues)]
        if kept and len(kept) == len(runs) and (found := KeptValues.joined(kept)):
            return found
        records = SizedRecords(chain.from_iterable(runs))
        if len(records) >= KEPT_FROM and (found := KeptValues.of(records)):
            return found
        records.size_bytes = sum(map(bytes_of, runs))
        return records

    def _taken(self, max_records: int | None) -> list[Records]:
        found: list[Records] = []
        if ROOM.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
            return found
        left = math.inf if max_records is None else max_records
        while ROOM.left > 0 and left > 0:
            run = self._partition_records.take(None if max_records is None else int(left), ROOM.left)
            if not run:
                self._update_position()
                self._partition_records = None
                return found
            found.append(run)
            left -= len(run)
            ROOM.left -= bytes_of(run)
        self._update_position()
        return found


class PlainRecords(_PartitionRecords):  # type: ignore[misc]
    """Records of a partition, many at once: as their batches give them (`record_batches`).

    No Python object is made around each, and none is handed through Python one by one: that is most of what fetching costs.
    What aiokafka decides of batches and transactions is left to it.
    A record with a header name that is no UTF-8 is given out with question marks in the name, and a compressed batch that
    is too large to be unpacked as one SkippedBatch in the place of its records.
    """

    _records: Any
    next_fetch_offset: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._run: Records = SizedRecords()
        """What was not taken of the run that was read last."""

    def take(self, records_max: int | None, bytes_max: int) -> Records:
        """The next records, up to so many and to the one that brings them to so many bytes; none: nothing is left."""
        run = self._run if len(self._run) else next(self, SizedRecords())
        if not len(run):
            return run
        count = len(run) if records_max is None else min(len(run), records_max)
        if bytes_of(run) > bytes_max:
            count = min(count, int(np.searchsorted(np.cumsum(sizes_of(run)), bytes_max)) + 1)
        # What is left is not kept together with what was taken: records are large.
        found, self._run = (run, SizedRecords()) if count == len(run) else (part_of(run, 0, count), part_of(run, count))
        self.next_fetch_offset = found[-1].offset + 1
        return found

    @property
    def raw(self) -> bytes:
        """What the broker sent."""
        found: bytes = self._records.raw
        return found

    def _consumer_record(self, tp: Any, record: RecordRun) -> Records:
        del tp
        if record.records[0].offset >= self.next_fetch_offset:
            return record.records
        # Reading begins amid a batch, which the broker sends as a whole.
        return part_of(record.records, sum(1 for each in record.records if each.offset < self.next_fetch_offset))

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
