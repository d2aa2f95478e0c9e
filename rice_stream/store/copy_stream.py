"""PostgreSQL's binary COPY stream for a whole batch, built by numpy instead of row by row."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import pick
from rice_stream.quantities import UNKNOWN
from rice_stream.store.batch import Records
from rice_stream.store.record_columns import KEY_COLUMNS, TOKEN_COLUMNS

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
ROWS_OF_LAYOUT = 1024
"""Rows of a layout that are laid out together, about: few enough to stay in the cache while column after column is put in."""
_TEXT = "event_id"
_INT4 = {*KEY_COLUMNS, "user_key", "api_key_key", *TOKEN_COLUMNS}


def streamed_columns(records: Records) -> tuple[str, ...]:
    """The columns of the stream, in order: `records.sent_columns` with the text at the end."""
    return (*(name for name in records.sent_columns if name != _TEXT), _TEXT)


def records_stream(records: Records) -> Iterator[bytes]:
    """The stream for `streamed_columns`, in parts. Rows with the same nulls share a layout: they are laid out together, each in its
    place (writers keep one key order, so none can deadlock), with its event id behind it."""
    n = len(records)
    lengths = np.fromiter(map(len, records.event_ids), dtype=np.int64, count=n)
    nulls = np.zeros(n, dtype=np.int64)
    for bit, name in enumerate(records.nullable_columns):
        nulls |= (records.columns[name] == UNKNOWN).astype(np.int64) << bit
    yield HEADER
    together = ROWS_OF_LAYOUT * max(len(np.unique(nulls)), 1)
    for first in range(0, n, together):
        end = first + together
        yield _part(records, first, nulls[first:end], lengths[first:end])
    yield TRAILER


def _part(records: Records, first: int, nulls: NDArray[np.int64], lengths: NDArray[np.int64]) -> bytes:
    """The records from `first` on, with these nulls, and ids of these lengths."""
    places, codes = _by_value(nulls)
    laid_out = [_rows(records, first + rows, code, lengths[rows]) for rows, code in zip(places, codes, strict=True)]
    sizes = np.empty(len(nulls), dtype=np.int64)
    for rows, of_rows in zip(laid_out, places, strict=True):
        sizes[of_rows] = rows.dtype.itemsize
    ends = np.cumsum(sizes + lengths)
    stream = np.empty(int(ends[-1]), dtype=np.uint8)
    for rows, of_rows in zip(laid_out, places, strict=True):
        _put(stream, (ends - lengths - sizes)[of_rows], rows)
    for of_length, length in zip(*_by_value(lengths), strict=True):
        if length:
            text = b"".join(pick(records.event_ids, first + of_length))
            _put(stream, ends[of_length] - length, np.frombuffer(text, dtype=f"V{length}"))
    return stream.tobytes()


def _by_value(values: NDArray[np.int64]) -> tuple[list[NDArray[np.intp]], list[int]]:
    """(where each value is, the values)."""
    distinct = np.unique(values).tolist()
    if len(distinct) == 1:
        return [np.arange(len(values))], distinct
    return [np.flatnonzero(values == value) for value in distinct], distinct


def _put(stream: NDArray[np.uint8], starts: NDArray[np.int64], rows: NDArray[np.void]) -> None:
    """Write the bytes of each row where it starts."""
    size = rows.dtype.itemsize
    # Every place of the stream as the beginning of a row.
    anywhere = np.ndarray((len(stream) - size + 1,), dtype=f"V{size}", buffer=stream, strides=(1,))
    anywhere[starts] = rows.view(f"V{size}")


def _rows(records: Records, chosen: NDArray[np.intp], nulls: int, lengths: NDArray[np.int64]) -> NDArray[np.void]:
    """The chosen records, all with these nulls, as they go over the wire, up to their event ids of these lengths."""
    names = streamed_columns(records)
    dtype, template = _layout(nulls, names, records.nullable_columns)
    rows = np.empty(len(chosen), dtype=dtype)
    rows[:] = template
    rows["event_key"] = np.ascontiguousarray(records.event_keys[chosen]).view("V16").ravel()
    for name in names:
        if name in records.columns and name in dtype.fields:  # type: ignore[operator]
            rows[name] = records.columns[name][chosen]
    rows[f"{_TEXT}.length"] = lengths
    return rows


@lru_cache(maxsize=4096)
def _layout(
    nulls: int, names: tuple[str, ...], nullable: tuple[str, ...]
) -> tuple[np.dtype[np.void], NDArray[np.void]]:
    """(layout of a row up to its text, a row of it with all lengths and no values); a null is a length of -1 and no bytes."""
    absent = {name for bit, name in enumerate(nullable) if nulls >> bit & 1}
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for name in names:
        fields.append((f"{name}.length", ">i4"))
        if name not in absent and name != _TEXT:
            fields.append((name, _wire_type(name)))
    template = np.zeros((), dtype=np.dtype(fields))
    template["count"] = len(names)
    for name in names:
        template[f"{name}.length"] = -1 if name in absent else np.dtype(_wire_type(name)).itemsize
    return template.dtype, template


def _wire_type(name: str) -> str:
    if name == "event_key":
        return "V16"
    return ">i4" if name in _INT4 else ">i8"


def integers_stream(columns: list[NDArray[np.int64]], types: list[str]) -> bytes:
    """The stream of a table of integers without nulls; `types` are `int4` or `int8`, one per column."""
    layout: list[tuple[str, str]] = [("count", ">i2")]
    for k, kind in enumerate(types):
        layout += [(f"length{k}", ">i4"), (f"value{k}", ">i4" if kind == "int4" else ">i8")]
    rows = np.empty(len(columns[0]), dtype=np.dtype(layout))
    rows["count"] = len(columns)
    for k, (column, kind) in enumerate(zip(columns, types, strict=True)):
        rows[f"length{k}"] = 4 if kind == "int4" else 8
        rows[f"value{k}"] = column
    return HEADER + rows.tobytes() + TRAILER
