"""Lists that say where the event of an id is: a tag of the id, with whose and when. Of PostgreSQL; SQLite has none.

Each batch writes what it records into lists of its own, in the same transaction, so that an id that is there is always found. A
list holds tags that begin with the same `splits` bits, its `bucket`: a batch is cut into as many as leave some hundred tags in
each. Whoever looks for an id reads the lists of its bucket at each depth. `event_id_merging` keeps them few.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import Ints
from rice_stream.store.copy_stream import HEADER, TRAILER
from rice_stream.store.months import months_of

_COLUMNS = ("splits", "bucket", "month", "list_key", "tags", "places")
_COPY = f"COPY event_id_list ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
SPLIT_BITS = 4
"""Depths are so many bits apart: a bucket has 16 in it."""
SPLITS_MAX = 28
LISTED_MAX = 160
"""Tags in a list: four full ones fill a page of PostgreSQL, where they are neither compressed nor put elsewhere."""
_LISTS_OF_BATCH = 4
"""Of one bucket of a batch, at most: of half as many bits there are few lists, and not one for each handful of tags."""

_MIXER = np.uint64(0x9E3779B1)
_WORD = np.uint64(0xFFFFFFFF)
_ROW = struct.Struct(">hiiiiiiiq")
_ARRAY = struct.Struct(">iiiiii")
_INT4, _INT8 = 23, 20
_HEAD_BYTES = 20
_TAG = np.dtype([("length", ">i4"), ("value", ">i4")])
_PLACE = np.dtype([("length", ">i4"), ("value", ">i8")])


class ListedIds(NamedTuple):
    """What n ids are listed with, shape (n,) each."""

    tags: NDArray[np.uint32]
    places: Ints
    """As `place_of`."""


def tag_of(event_id: bytes) -> int:
    """32 bits that any two ids share once in four thousand million times: whoever finds one looks at the record itself."""
    return crc32(event_id) * int(_MIXER) & int(_WORD)


def tags_of(event_ids: Sequence[bytes]) -> NDArray[np.uint32]:
    """The same of many."""
    sums = np.fromiter(map(crc32, event_ids), dtype=np.uint64, count=len(event_ids))
    # Ids that count upwards differ in their last bits: multiplied, in the first ones too, which are the bucket.
    return (sums * _MIXER & _WORD).astype(np.uint32)


def signed(tag: int) -> int:
    """A tag as PostgreSQL's 32-bit integers hold it.

    >>> signed(2**32 - 1), signed(5)
    (-1, 5)
    """
    return tag - 2**32 if tag >= 2**31 else tag


def place_of(place: int, month: int) -> tuple[int, int]:
    """(tenant_key, milliseconds that the event's key begins with) of a place in a list of the month.

    >>> place_of((7 << 32) + 1_500, 12)
    (7, 31536001500)
    """
    return place >> 32, (place & 0xFFFFFFFF) + int(_month_ms(np.array([month]))[0])


def listed_by_month(
    tenant_keys: Ints, event_keys: NDArray[np.uint8], event_ids: Sequence[bytes]
) -> Iterator[tuple[int, ListedIds]]:
    """(month since 1970-01, what is listed in it) of some records; the month is that of the time that keys begin with."""
    tags = tags_of(event_ids)
    key_ms = (np.ascontiguousarray(event_keys[:, :8]).view(">u8").ravel() >> np.uint64(16)).astype(np.int64)
    months = months_of(key_ms, "ms")
    distinct = np.unique(months)
    month_ms = _month_ms(distinct)[np.searchsorted(distinct, months)] if len(distinct) > 1 else _month_ms(distinct)
    places = (tenant_keys.astype(np.int64) << 32) | (key_ms - month_ms)
    for month in distinct.tolist():
        of_month = months == month
        yield month, ListedIds(tags, places) if of_month.all() else ListedIds(tags[of_month], places[of_month])


def splits_for(count: int) -> int:
    """How many bits the buckets of a batch of so many tags have.

    >>> [splits_for(count) for count in (1, 640, 641, 100_000)]
    [0, 0, 4, 8]
    """
    splits = 0
    while count > _LISTS_OF_BATCH * LISTED_MAX << splits and splits < SPLITS_MAX:
        splits += SPLIT_BITS
    return splits


def list_rows(month: int, listed: ListedIds, splits: int) -> list[bytes]:
    """The rows of `event_id_list` for `copy_lists`, one for each bucket of `splits` bits that has a tag, or several where it has
    more than LISTED_MAX."""
    order = np.argsort(listed.tags)
    tags, places = listed.tags[order], listed.places[order]
    buckets = (tags.astype(np.uint64) >> np.uint64(32 - splits)).astype(np.int64)
    tag_bytes = _elements(tags.view(np.int32), _TAG)
    place_bytes = _elements(places, _PLACE)
    starts = np.flatnonzero(np.diff(buckets, prepend=-1)).tolist()
    rows: list[bytes] = []
    ends = [*starts[1:], len(tags)] if starts else []
    for first, end in zip(starts, ends, strict=True):
        # Of equal length: a list of a few tags would take as much besides them.
        lists = -(-(end - first) // LISTED_MAX)
        length = -(-(end - first) // lists)
        for start in range(first, end, length):
            stop = min(start + length, end)
            row = _ROW.pack(len(_COLUMNS), 4, splits, 4, int(buckets[first]), 4, month, 8, secrets.randbits(63))
            rows += [
                row,
                _array(_INT4, stop - start, tag_bytes[start * _TAG.itemsize : stop * _TAG.itemsize]),
                _array(_INT8, stop - start, place_bytes[start * _PLACE.itemsize : stop * _PLACE.itemsize]),
            ]
    return rows


def rows_by_month(tenant_keys: Ints, event_keys: NDArray[np.uint8], event_ids: Sequence[bytes]) -> list[bytes]:
    """The rows that list some records."""
    return [
        row
        for month, listed in listed_by_month(tenant_keys, event_keys, event_ids)
        for row in list_rows(month, listed, splits_for(len(listed.tags)))
    ]


def copy_lists(cursor: Any, rows: Sequence[bytes]) -> None:
    """Write rows, through a cursor of PostgreSQL's driver."""
    with cursor.copy(_COPY) as copy:
        copy.write(b"".join((HEADER, *rows, TRAILER)))


def read_listed(tags: Sequence[bytes], places: Sequence[bytes]) -> ListedIds:
    """What some rows list, from the arrays as PostgreSQL sends them (`array_send`)."""
    return ListedIds(
        np.frombuffer(b"".join([each[_HEAD_BYTES:] for each in tags]), dtype=_TAG)["value"]
        .astype(np.int32)
        .view(np.uint32),
        np.frombuffer(b"".join([each[_HEAD_BYTES:] for each in places]), dtype=_PLACE)["value"].astype(np.int64),
    )


def distinct(listed: ListedIds) -> ListedIds:
    """Each id and place once: what was listed when it was cut short is listed again."""
    order = np.lexsort((listed.places, listed.tags))
    tags, places = listed.tags[order], listed.places[order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (tags[1:] != tags[:-1]) | (places[1:] != places[:-1])
    return ListedIds(tags[is_new], places[is_new])


def _month_ms(months: Ints) -> Ints:
    """When they begin, in milliseconds since 1970."""
    return months.astype("M8[M]").astype("M8[ms]").astype(np.int64)


def _elements(values: NDArray[np.signedinteger], layout: np.dtype[np.void]) -> bytes:
    elements = np.empty(len(values), dtype=layout)
    elements["length"] = layout["value"].itemsize
    elements["value"] = values
    return elements.tobytes()


def _array(kind: int, count: int, elements: bytes) -> bytes:
    """One dimension that counts from 1, without nulls."""
    return _ARRAY.pack(_HEAD_BYTES + len(elements), 1, 0, kind, count, 1) + elements
