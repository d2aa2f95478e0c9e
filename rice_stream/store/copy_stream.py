"""PostgreSQL's binary COPY stream for a whole batch, built by numpy instead of row by row."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import pick
from rice_stream.quantities import UNKNOWN
from rice_stream.store.batch import Records
from rice_stream.store.probe import PROBE_COLUMNS
from rice_stream.store.record_columns import CONTENT_COLUMNS, KEY_COLUMNS, RECORDED_COLUMN, TOKEN_COLUMNS
from rice_stream.store.timed_stream import StreamPart, TimedStream

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
ROWS_OF_LAYOUT = 1024
"""Rows of a layout that are laid out together, about: few enough to stay in the cache while column after column is put in."""
_KEY, _TEXT, _LINE = "event_key", "event_id", "line"
_TEXT_LENGTH = f"{_TEXT}.length"
_INT4 = {*KEY_COLUMNS, "user_key", "api_key_key", *TOKEN_COLUMNS, _LINE}


class _Column(NamedTuple):
    """A column of a stream: integers, or keys of 16 bytes; UNKNOWN stands for null where it is `nullable`."""

    name: str
    values: NDArray[Any]
    nullable: bool = False

    @property
    def kind(self) -> str:
        """How a value is written."""
        if self.name == _KEY:
            return "V16"
        return ">i4" if self.name in _INT4 else ">i8"


def streamed_columns(records: Records) -> tuple[str, ...]:
    """The columns of `records_stream`, in order: `records.sent_columns` with the text at the end."""
    return (*(name for name in records.sent_columns if name != _TEXT), _TEXT)


def records_stream(records: Records) -> Iterator[memoryview]:
    """The stream for `streamed_columns`, in parts, in the records' order: writers keep one key order, so none can deadlock."""
    return _octets(_records_parts(records))


def stream_ahead(records: Records) -> TimedStream:
    """The same, before it is known when the records are written."""
    return TimedStream(list(_records_parts(records.recorded_at(0))))


def _records_parts(records: Records) -> Iterator[StreamPart]:
    columns = [
        _Column(name, _keys(records) if name == _KEY else records.columns[name], name in records.nullable_columns)
        for name in streamed_columns(records)[:-1]
    ]
    return _stream(columns, len(records), records.event_ids)


def probe_stream(records: Records) -> Iterator[memoryview]:
    """The stream of a line for each record and PROBE_COLUMNS: what the events themselves said."""
    columns = [_Column(_LINE, np.arange(len(records)))]
    for name in PROBE_COLUMNS:
        if name in CONTENT_COLUMNS:
            columns.append(_Column(name, records.said(name), nullable=True))
        else:
            columns.append(_Column(name, _keys(records) if name == _KEY else records.columns[name]))
    return _octets(_stream(columns, len(records), None))


def _octets(parts: Iterable[StreamPart]) -> Iterator[memoryview]:
    return (part.octets.data for part in parts)


def _keys(records: Records) -> NDArray[np.void]:
    return np.ascontiguousarray(records.event_keys).view("V16").ravel()


def _stream(columns: Sequence[_Column], n: int, texts: Sequence[bytes] | None) -> Iterator[StreamPart]:
    """Rows with the same nulls share a layout: they are laid out together, each in its place, with its text behind it, if any."""
    lengths = np.zeros(n, dtype=np.int64)
    if texts is not None:
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    nulls = np.zeros(n, dtype=np.int64)
    for bit, column in enumerate(column for column in columns if column.nullable):
        nulls |= (column.values == UNKNOWN).astype(np.int64) << bit
    yield _fixed(HEADER)
    together = ROWS_OF_LAYOUT * max(len(np.unique(nulls)), 1)
    for first in range(0, n, together):
        end = first + together
        part = [column._replace(values=column.values[first:end]) for column in columns]
        yield _part(part, nulls[first:end], lengths[first:end], None if texts is None else texts[first:end])
    yield _fixed(TRAILER)


def _fixed(text: bytes) -> StreamPart:
    return StreamPart(np.frombuffer(text, dtype=np.uint8), np.empty(0, dtype=np.int64))


def _part(
    columns: Sequence[_Column], nulls: NDArray[np.int64], lengths: NDArray[np.int64], texts: Sequence[bytes] | None
) -> StreamPart:
    """Rows with these nulls, and texts of these lengths."""
    places, codes = _by_value(nulls)
    laid_out = [_rows(columns, rows, code, texts) for rows, code in zip(places, codes, strict=True)]
    sizes = np.empty(len(nulls), dtype=np.int64)
    for rows, of_rows in zip(laid_out, places, strict=True):
        sizes[of_rows] = rows.dtype.itemsize
        if texts is not None:
            rows[_TEXT_LENGTH] = lengths[of_rows]
    ends = np.cumsum(sizes + lengths)
    stream = np.empty(int(ends[-1]), dtype=np.uint8)
    times_at = []
    for rows, of_rows in zip(laid_out, places, strict=True):
        starts = (ends - lengths - sizes)[of_rows]
        _put(stream, starts, rows)
        fields: Any = rows.dtype.fields
        if RECORDED_COLUMN in fields:
            times_at.append(starts + fields[RECORDED_COLUMN][1])
    if texts is not None:
        for of_length, length in zip(*_by_value(lengths), strict=True):
            if length:
                text = b"".join(pick(texts, of_length))
                _put(stream, ends[of_length] - length, np.frombuffer(text, dtype=f"V{length}"))
    return StreamPart(stream, np.concatenate(times_at) if times_at else np.empty(0, dtype=np.int64))


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


def _rows(
    columns: Sequence[_Column], chosen: NDArray[np.intp], nulls: int, texts: Sequence[bytes] | None
) -> NDArray[np.void]:
    """The chosen rows, all with these nulls, as they go over the wire, up to their text."""
    kinds = tuple((column.name, column.kind) for column in columns) + (((_TEXT, ""),) if texts is not None else ())
    dtype, template = _layout(nulls, kinds, tuple(column.name for column in columns if column.nullable))
    rows = np.empty(len(chosen), dtype=dtype)
    rows[:] = template
    for column in columns:
        if column.name in dtype.fields:  # type: ignore[operator]
            rows[column.name] = column.values[chosen]
    return rows


@lru_cache(maxsize=4096)
def _layout(
    nulls: int, kinds: tuple[tuple[str, str], ...], nullable: tuple[str, ...]
) -> tuple[np.dtype[np.void], NDArray[np.void]]:
    """(layout of a row up to its text, a row of it with all lengths but the text's, and no values); a null is a length of -1 and no
    bytes."""
    absent = {name for bit, name in enumerate(nullable) if nulls >> bit & 1}
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for name, kind in kinds:
        fields.append((f"{name}.length", ">i4"))
        if kind and name not in absent:
            fields.append((name, kind))
    template = np.zeros((), dtype=np.dtype(fields))
    template["count"] = len(kinds)
    for name, kind in kinds:
        if kind:
            template[f"{name}.length"] = -1 if name in absent else np.dtype(kind).itemsize
    return template.dtype, template


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
