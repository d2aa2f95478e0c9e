"""Records of batches of the present format (2) that have no headers, found where they lie: no object is made of each.

Made by aiokafka's code, a record of half a kilobyte takes a microsecond: an object, its value, its list of headers. Here what
stands before the values is read of all records of some batches at once.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.kept_values import KeptValues, Spans
from rice_stream.quantities import Ints
from rice_stream.worker.unpacking import BatchNotUnpackedError, unpacked

COUNT_MIN = 64
"""Of fewer records a step costs more than they do one by one."""
COUNT_MAX = 20_000
"""A batch may hold a million small ones, each of which takes more memory than its bytes."""
LARGE_BYTES = 2_048
"""Records that are larger on average stay in the memory that a broker's answer, or a batch, was put into: a copy costs more."""
_MAGIC_AT, _RECORDS_AT = 16, 61
_HEADER = struct.Struct(">q4x4xxxxxxhiqq14xi")
"""Of a batch: its first offset; attributes, the last offset, first and last time; how many records."""
_CODEC, _BROKERS_TIME, _CONTROL = 0x07, 0x08, 0x20
_BRACE = ord("}")
_NUMBER_BYTES_MAX = 10
_NO_NUMBER = (IndexError, ValueError)
_WORD_BYTES = 8
_HIGH, _SEVEN, _ONE = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(1)
_HALVES = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)
"""Of each two neighbours the lower one, the higher one, and by how many bits that lies too high."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plain:
    """What a batch says of itself, and its records. Equal to itself alone."""

    first_offset: int
    first_ms: int
    last_ms: int
    records: int
    of_broker: bool
    """Whether the broker has said when they came: all at once."""
    text: bytes
    """What its records lie in."""
    at: int
    """Where they begin in that."""
    size: int
    """How many bytes they have."""

    @property
    def is_large(self) -> bool:
        """Whether a copy of them costs more than reading them by themselves."""
        return self.size > LARGE_BYTES * self.records

    @property
    def view(self) -> memoryview:
        """The records' bytes."""
        return memoryview(self.text)[self.at : self.at + self.size]


class _Numbers(NamedTuple):
    values: Ints
    behind: Ints
    """The position behind each."""


def record_count(batch: memoryview) -> int:
    """How many records a batch says that it has; 0 where it is of another format."""
    is_whole = len(batch) > _RECORDS_AT and batch[_MAGIC_AT] == 2
    return int(_HEADER.unpack_from(batch)[-1]) if is_whole else 0


def plain_records(raw: bytes, ends: Sequence[int], at: int = 0) -> list[KeptValues | None]:
    """The records of each of the batches that lie in `raw` one after the other, the first `at` this position, each up to one of
    `ends`; what the bytes of one that is not as it was sent say, or None. None also where one of its records has headers, or
    anything else is not as with most, and of all batches from the first on that begins with headers: they are to be read
    otherwise."""
    plain: list[_Plain | None] = []
    for start, end in pairwise([at, *ends]):
        each = _plain(raw, start, end)
        if each is not None and _begins_with_headers(each.view):
            break  # those that follow have some as well, nearly always: none is unpacked or looked through in vain
        plain.append(each)
    left = [None] * (len(ends) - len(plain))
    found: dict[_Plain, KeptValues | None] = {}
    for some in _read_together(plain):
        found |= zip(some, _read(some), strict=True)
    return [*(None if each is None else found.get(each) for each in plain), *left]


def _read_together(batches: Sequence[_Plain | None]) -> Iterator[list[_Plain]]:
    """Batches that are worth reading, those of which the records come into one text: small ones, and large ones that lie in one."""
    groups: dict[int, list[_Plain]] = {}
    for each in batches:
        if each is not None:
            groups.setdefault(id(each.text) if each.is_large else 0, []).append(each)
    for some in groups.values():
        if sum(each.records for each in some) >= COUNT_MIN and len({each.of_broker for each in some}) == 1:
            yield some


def _plain(raw: bytes, start: int, end: int) -> _Plain | None:
    batch = memoryview(raw)[start:end]
    if not 0 < record_count(batch) <= COUNT_MAX:
        return None
    first_offset, attributes, _, first_ms, last_ms, count = _HEADER.unpack_from(batch)
    if attributes & _CONTROL:
        return None
    text: bytes | None = raw
    at, size = start + _RECORDS_AT, len(batch) - _RECORDS_AT
    try:
        if codec := attributes & _CODEC:
            text = unpacked(codec, batch[_RECORDS_AT:])
            at, size = 0, len(text or b"")
    except BatchNotUnpackedError:
        return None  # whoever reads it otherwise says so
    if text is None:
        return None
    return _Plain(first_offset, first_ms, last_ms, count, bool(attributes & _BROKERS_TIME), text, at, size)


def _begins_with_headers(text: memoryview) -> bool:
    """Whether the first of these records has headers."""
    try:
        at = _number(text, 0)[1] + 1  # behind its length and its attributes
        at = _number(text, _number(text, at)[1])[1]  # behind its time and its offset
        for _ in ("key", "value"):
            size, at = _number(text, at)
            at += max(size, 0)
        return text[at] != 0
    except _NO_NUMBER:
        return False


def _read(batches: Sequence[_Plain]) -> Iterator[KeptValues | None]:
    if batches[0].is_large:
        text = batches[0].text
        spans = _followed(text, batches)
    else:
        text = b"".join([*(each.view for each in batches), bytes(_WORD_BYTES)])
        sizes = [each.size for each in batches]
        places = accumulate(sizes[:-1], initial=0)
        batches = [replace(each, text=text, at=at) for each, at in zip(batches, places, strict=True)]
        spans = _found_by_ends(text, batches) or _followed(text, batches)
    counts = [each.records for each in batches]
    if spans is None:
        yield from [None] * len(batches)
        return
    rows = np.cumsum([0, *counts]).tolist()
    good, records = _records(text, spans, batches, counts)
    for first, end in pairwise(rows):
        yield records[first:end] if records is not None and good[first:end].all() else None


def _found_by_ends(text: bytes, batches: Sequence[_Plain]) -> Spans | None:
    """Where records lie, behind their length, whose values are JSON objects and which have no headers: a zero behind a brace, and
    what stands behind it is as long as it says. None where that is not so of all of them."""
    octets = np.frombuffer(text, dtype=np.uint8)
    zeros = np.flatnonzero(octets[:-_WORD_BYTES] == 0)
    ends = zeros[octets[zeros - 1] == _BRACE] + 1
    if len(ends) != sum(each.records for each in batches):
        return None
    lengths = _numbers(text, np.concatenate([[0], ends[:-1]]))
    if lengths is None or (lengths.behind + lengths.values != ends).any():
        return None
    of_batches = np.cumsum([each.records for each in batches]) - 1
    if (ends[of_batches] != np.cumsum([each.size for each in batches])).any():
        return None
    return Spans(lengths.behind, ends)


def _followed(text: bytes, batches: Sequence[_Plain]) -> Spans | None:
    """Where any records lie, behind their length, followed one by one. None where that leads astray."""
    starts: list[int] = []
    ends: list[int] = []
    for batch in batches:
        at = batch.at
        try:
            for _ in range(batch.records):
                length, at = _number(text, at)
                if length < 0:
                    return None
                starts.append(at)
                at += length
                ends.append(at)
        except _NO_NUMBER:
            return None
        if at != batch.at + batch.size:
            return None
    return Spans(np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64))


def _number(text: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number that is written at a position, and the one behind it. One of `_NO_NUMBER`: none is."""
    found = 0
    for shift in range(0, 7 * _NUMBER_BYTES_MAX, 7):
        octet = text[at]
        at += 1
        found |= (octet & 127) << shift
        if octet < 128:
            return (found >> 1) ^ -(found & 1), at
    raise ValueError(f"a number of more than {_NUMBER_BYTES_MAX} bytes")


def _records(
    text: bytes, records: Spans, batches: Sequence[_Plain], counts: list[int]
) -> tuple[NDArray[np.bool_], KeptValues | None]:
    """Which records are plain, and all of them; None where a number of one is too large."""
    none = np.zeros(len(records.starts), dtype=np.bool_)
    times = _numbers(text, records.starts + 1)  # behind the attributes
    deltas = times and _numbers(text, times.behind)
    key_sizes = deltas and _numbers(text, deltas.behind)
    if times is None or deltas is None or key_sizes is None:
        return none, None
    keys = Spans(key_sizes.behind, key_sizes.behind + key_sizes.values)
    sizes_at = np.clip(keys.ends, keys.starts, records.ends)
    sizes = _numbers(text, sizes_at)
    if sizes is None:
        return none, None
    spans = Spans(sizes.behind, sizes.behind + sizes.values)
    last = np.maximum(spans.starts, spans.ends)
    # A zero is left then: no headers. So are the attributes, which no version of Kafka uses.
    good = (last + 1 == records.ends) & (key_sizes.values >= -1) & (sizes.values >= -1)
    octets = np.frombuffer(text, dtype=np.uint8)
    good &= sizes_at <= len(text) - _WORD_BYTES  # nearer to the end of a text, numbers are not those that stand there
    good &= (octets[np.minimum(last, len(text) - 1)] == 0) & (octets[records.starts] == 0)
    of_broker = batches[0].of_broker
    said_ms = np.repeat([each.last_ms if of_broker else each.first_ms for each in batches], counts)
    offsets = deltas.values + np.repeat([each.first_offset for each in batches], counts)
    has_keys = bool((key_sizes.values >= 0).any())
    timestamps = said_ms if of_broker else said_ms + times.values
    return good, KeptValues(text, spans, offsets, timestamps, int(of_broker), keys if has_keys else None)


def _numbers(text: bytes, at: Ints) -> _Numbers | None:
    """The numbers that are written at these positions, seven bits a byte and the sign in the lowest; None where one has more than
    eight bytes."""
    at = np.minimum(at, len(text) - _WORD_BYTES)  # where something leads astray
    pair = _windows(text, "<u2")[at]
    more = (pair >> 7) & 1
    if not more.any():
        found, width = (pair & 127).astype(np.int64), np.ones(len(at), dtype=np.int64)
    elif not (more & (pair >> 15)).any():
        found, width = ((pair & 127) | ((pair >> 1) & 0x3F80) * more).astype(np.int64), more + np.int64(1)
    else:
        word = _windows(text, "<u8")[at]
        stop = ~word & _HIGH
        lowest = stop & (~stop + _ONE)
        if not lowest.all():
            return None
        upto = lowest - _ONE
        width = ((np.bitwise_count(upto) + 1) >> 3).astype(np.int64)
        word &= upto & _SEVEN
        for low, high, by in _HALVES:
            word = (word & low) | ((word & high) >> by)
        found = word.astype(np.int64)
    return _Numbers((found >> 1) ^ -(found & 1), at + width)


def _windows(text: bytes, kind: str) -> NDArray[Any]:
    """A word at every position."""
    return np.ndarray((len(text) - _WORD_BYTES + 1,), dtype=kind, buffer=text, strides=(1,))
