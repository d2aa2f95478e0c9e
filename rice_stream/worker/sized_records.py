"""Records as they were fetched, with the bytes that they take in memory."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from rice_stream.events.kept_values import KeptValues
from rice_stream.quantities import Ints

RECORD_BYTES = 200
"""What a record takes in memory besides its key, value and headers, about, where it is an object."""
_VALUE, _KEY, _HEADERS = attrgetter("value"), attrgetter("key"), attrgetter("headers")


class SizedRecords(list[Any]):
    """Records whose bytes were added up as they were fetched."""

    size_bytes = 0


Records = SizedRecords | KeptValues


def sized(records: Iterable[Any]) -> SizedRecords:
    """Records with the bytes that they take."""
    found = SizedRecords(records)
    found.size_bytes = bytes_of(found)
    return found


def part_of(records: Records, first: int, end: int | None = None) -> Records:
    """Some consecutive ones."""
    part = records[first:end]
    return part if isinstance(part, KeptValues) else sized(part)


def sizes_of(records: Records) -> Ints:
    """What each takes in memory, about; shape (n,)."""
    if isinstance(records, KeptValues):
        return records.sizes_bytes()
    return np.array([bytes_of((record,)) for record in records], dtype=np.int64)


def bytes_of(records: Sequence[Any]) -> int:
    """What the records take in memory, about."""
    if isinstance(records, KeptValues):
        return records.size_bytes
    if isinstance(records, SizedRecords) and records.size_bytes:
        return records.size_bytes
    size = RECORD_BYTES * len(records)
    size += sum(map(len, filter(None, map(_VALUE, records)))) + sum(map(len, filter(None, map(_KEY, records))))
    for headers in filter(None, map(_HEADERS, records)):
        size += sum(len(name) + len(value or b"") for name, value in headers)
    return size
