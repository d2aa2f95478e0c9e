"""Records of which the values are kept, and what else is known of each as columns: nearly nobody asks for one of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from rice_stream.events.on_demand import OnDemand
from rice_stream.quantities import Ints

OVERHEAD_BYTES = 64
"""What a record takes in memory besides its key and value, about."""
_OFFSET, _TIMESTAMP = attrgetter("offset"), attrgetter("timestamp")
_KEY, _VALUE, _HEADERS = attrgetter("key"), attrgetter("value"), attrgetter("headers")


class KeptRecord(NamedTuple):
    """One of them, as Kafka's client gives records; it has no headers."""

    offset: int
    timestamp: int
    """In milliseconds."""
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class KeptValues(OnDemand[Any]):
    """n records of a partition, in their order."""

    def __init__(
        self,
        values: list[bytes | None],
        offsets: Ints,
        timestamps: Ints,
        timestamp_type: int,
        keys: list[bytes | None] | None = None,
    ) -> None:
        """`offsets` and `timestamps` (milliseconds) have shape (n,); `keys` None: none has one."""
        self.values = values
        self.offsets = offsets
        self.timestamps = timestamps
        self._timestamp_type = timestamp_type
        self._keys = keys

    @classmethod
    def of(cls, records: Sequence[Any]) -> "KeptValues | None":
        """Of records as Kafka's client gives them, in the order of their offsets, at least one. None where one has headers, or no
        time, or their times are not of one type."""
        first, last, n = records[0], records[-1], len(records)
        if any(map(_HEADERS, records)) or first.timestamp_type != last.timestamp_type:
            return None
        try:
            timestamps = np.fromiter(map(_TIMESTAMP, records), dtype=np.int64, count=n)
        except TypeError:  # of the first Kafka versions
            return None
        offsets = np.arange(first.offset, first.offset + n)
        if last.offset != offsets[-1]:
            offsets = np.fromiter(map(_OFFSET, records), dtype=np.int64, count=n)
        keys = list(map(_KEY, records))
        has_keys = keys.count(None) < n
        return cls(list(map(_VALUE, records)), offsets, timestamps, first.timestamp_type, keys if has_keys else None)

    @classmethod
    def joined(cls, several: Sequence["KeptValues"]) -> "KeptValues | None":
        """One after the other, whatever their partitions. None where there are none, or their times are not of one type."""
        if len({each._timestamp_type for each in several}) != 1:
            return None
        keys = [each._keys or [None] * len(each) for each in several] if any(each._keys for each in several) else None
        return cls(
            list(chain.from_iterable(each.values for each in several)),
            np.concatenate([each.offsets for each in several]),
            np.concatenate([each.timestamps for each in several]),
            several[0]._timestamp_type,
            None if keys is None else list(chain.from_iterable(keys)),
        )

    def __len__(self) -> int:
        return len(self.values)

    def item(self, at: int) -> KeptRecord:
        """One record."""
        key = None if self._keys is None else self._keys[at]
        offset, timestamp = int(self.offsets[at]), int(self.timestamps[at])
        return KeptRecord(offset, timestamp, self._timestamp_type, key, self.values[at])

    def part(self, rows: slice) -> "KeptValues":
        """Those of a slice."""
        return KeptValues(
            self.values[rows],
            self.offsets[rows],
            self.timestamps[rows],
            self._timestamp_type,
            None if self._keys is None else self._keys[rows],
        )

    def __iter__(self) -> Iterator[KeptRecord]:
        keys: Iterable[bytes | None] = repeat(None) if self._keys is None else self._keys
        columns = (self.offsets.tolist(), self.timestamps.tolist(), repeat(self._timestamp_type), keys, self.values)
        return map(KeptRecord, *columns)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        keys = 0 if self._keys is None else sum(map(len, filter(None, self._keys)))
        return OVERHEAD_BYTES * len(self) + sum(map(len, filter(None, self.values))) + keys


class PlaceOfRecord(NamedTuple):
    """What is left of a record whose value was let go."""

    offset: int
    timestamp: int | None
    """In milliseconds."""


class LetGoRecords(OnDemand[Any]):
    """n records of a partition that were read and whose keys and values were let go: where each lies, and when it came."""

    def __init__(self, offsets: Ints, timestamps: Sequence[int | None] | Ints) -> None:
        """Both have shape (n,)."""
        self._offsets = offsets
        self._timestamps = timestamps

    @classmethod
    def of(cls, records: Sequence[Any]) -> "LetGoRecords":
        """Of these records."""
        if isinstance(records, KeptValues):
            return cls(records.offsets, records.timestamps)
        offsets = np.fromiter(map(_OFFSET, records), dtype=np.int64, count=len(records))
        return cls(offsets, list(map(_TIMESTAMP, records)))

    def __len__(self) -> int:
        return len(self._offsets)

    def item(self, at: int) -> PlaceOfRecord:
        """One record."""
        timestamp = self._timestamps[at]
        return PlaceOfRecord(int(self._offsets[at]), None if timestamp is None else int(timestamp))

    def part(self, rows: slice) -> "LetGoRecords":
        """Those of a slice."""
        return LetGoRecords(self._offsets[rows], self._timestamps[rows])


def values_of(records: Sequence[Any]) -> Iterable[Any]:
    """The value of each record, kept as it is or not."""
    return records.values if isinstance(records, KeptValues) else map(_VALUE, records)
