"""Records of which the bytes stay as they lie one after the other, and what else is known of each as columns: nearly nobody asks
for one of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, repeat
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


class Spans(NamedTuple):
    """Where n pieces of a text lie, in their order; one that ends a byte before it begins is None. Both have shape (n,)."""

    starts: Ints
    ends: Ints

    @classmethod
    def following(cls, pieces: Sequence[bytes | None]) -> "Spans":
        """Of pieces that lie one right after the other."""
        lengths = np.fromiter((-1 if piece is None else len(piece) for piece in pieces), np.int64, count=len(pieces))
        behind = np.cumsum(np.maximum(lengths, 0))
        starts = behind - np.maximum(lengths, 0)
        return cls(starts, starts + lengths)

    def part(self, rows: slice) -> "Spans":
        """Those of a slice."""
        return Spans(self.starts[rows], self.ends[rows])

    def moved(self, by: int) -> "Spans":
        """The same in a text that begins so much earlier."""
        if not by:
            return self
        return Spans(self.starts + by, self.ends + by)

    @property
    def lengths(self) -> Ints:
        """Bytes of each."""
        lengths: Ints = np.maximum(self.ends - self.starts, 0)
        return lengths

    def of(self, text: bytes) -> list[bytes | None]:
        """The pieces."""
        places = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return [text[start:end] if start <= end else None for start, end in places]


class KeptValues(OnDemand[Any]):
    """n records of a partition, in their order."""

    def __init__(
        self, text: bytes, spans: Spans, offsets: Ints, timestamps: Ints, timestamp_type: int, keys: Spans | None = None
    ) -> None:
        """`text` has the values at `spans`, the key of each before it at `keys`, and anything between; `offsets` and `timestamps`
        (milliseconds) have shape (n,); `keys` None: none has one."""
        self.text = text
        self.spans = spans
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
        pieces = list(chain.from_iterable(zip(map(_KEY, records), map(_VALUE, records), strict=True)))
        spans = Spans.following(pieces)
        keys = spans.part(slice(0, None, 2)) if pieces[::2].count(None) < n else None
        text = b"".join(filter(None, pieces))
        return cls(text, spans.part(slice(1, None, 2)), offsets, timestamps, first.timestamp_type, keys)

    @classmethod
    def joined(cls, several: Sequence["KeptValues"]) -> "KeptValues | None":
        """One after the other, whatever their partitions. None where there are none, or their times are not of one type."""
        some = [each for each in several if len(each)]
        if len({each._timestamp_type for each in some}) != 1:
            return None
        text, moved = _texts_joined(some)
        keys = [each._keys or _no_keys(each.spans) for each in some] if any(each._keys for each in some) else None
        return cls(
            text,
            _joined([each.spans for each in some], moved),
            np.concatenate([each.offsets for each in some]),
            np.concatenate([each.timestamps for each in some]),
            some[0]._timestamp_type,
            None if keys is None else _joined(keys, moved),
        )

    def region(self) -> tuple[int, int]:
        """Where the bytes of these records begin and end."""
        before = self.spans if self._keys is None else self._keys
        return int(before.starts[0]), max(int(self.spans.starts[-1]), int(self.spans.ends[-1]))

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def values(self) -> list[bytes | None]:
        """The value of each."""
        return self.spans.of(self.text)

    def value_lengths(self) -> Ints:
        """Bytes of each value, shape (n,)."""
        return self.spans.lengths

    def item(self, at: int) -> KeptRecord:
        """One record."""
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        row = slice(at, at + 1 or None)
        key = None if self._keys is None else self._keys.part(row).of(self.text)[0]
        offset, timestamp = int(self.offsets[at]), int(self.timestamps[at])
        return KeptRecord(offset, timestamp, self._timestamp_type, key, self.spans.part(row).of(self.text)[0])

    def part(self, rows: slice) -> "KeptValues":
        """Those of a slice."""
        return KeptValues(
            self.text,
            self.spans.part(rows),
            self.offsets[rows],
            self.timestamps[rows],
            self._timestamp_type,
            None if self._keys is None else self._keys.part(rows),
        )

    def __iter__(self) -> Iterator[KeptRecord]:
        keys: Iterable[bytes | None] = repeat(None) if self._keys is None else self._keys.of(self.text)
        columns = (self.offsets.tolist(), self.timestamps.tolist(), repeat(self._timestamp_type), keys, self.values)
        return map(KeptRecord, *columns)

    def sizes_bytes(self) -> Ints:
        """What each takes in memory, about; shape (n,)."""
        sizes = self.spans.lengths + OVERHEAD_BYTES
        return sizes if self._keys is None else sizes + self._keys.lengths

    @property
    def size_bytes(self) -> int:
        """What all of them take in memory, about."""
        return int(self.sizes_bytes().sum())


def _texts_joined(several: Sequence[KeptValues]) -> tuple[bytes, list[int]]:
    """A text that has the bytes of all, and by how much those of each lie behind where they were: the text of the first, where it
    is the others' too."""
    if all(each.text is several[0].text for each in several):
        return several[0].text, [0] * len(several)
    regions = [each.region() for each in several]
    ends = accumulate(end - start for start, end in regions)
    text = b"".join(memoryview(each.text)[start:end] for each, (start, end) in zip(several, regions, strict=True))
    return text, [end - region[1] for end, region in zip(ends, regions, strict=True)]


def _joined(several: Sequence[Spans], moved: Sequence[int]) -> Spans:
    own = [spans.moved(by) for spans, by in zip(several, moved, strict=True)]
    return Spans(np.concatenate([spans.starts for spans in own]), np.concatenate([spans.ends for spans in own]))


def _no_keys(spans: Spans) -> Spans:
    return Spans(spans.starts, spans.starts - 1)


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


def lengths_of(records: Sequence[Any]) -> Ints:
    """Bytes of the value of each record, kept as it is or not; shape (n,)."""
    if isinstance(records, KeptValues):
        return records.value_lengths()
    values = list(map(_VALUE, records))
    try:
        return np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    except TypeError:  # a record without a value
        return np.array([len(value or b"") for value in values], dtype=np.int64)
