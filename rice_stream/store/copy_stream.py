"""PostgreSQL's binary COPY stream for a whole batch, built by numpy instead of row by row."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import pick
from rice_stream.store.batch import Records
from rice_stream.store.laid_out_rows import ROWS_OF_LAYOUT, TEXT, RowColumn, by_value, columns_of_records, nulls_of, put
from rice_stream.store.probe import PROBED_LINE, probe_columns
from rice_stream.store.record_columns import KEY_COLUMNS, RECORDED_COLUMN, TOKEN_COLUMNS
from rice_stream.store.timed_stream import StreamPart, TimedStream

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_TEXT_LENGTH = f"{TEXT}.length"
_INT4 = {*KEY_COLUMNS, "user_key", "api_key_key", *TOKEN_COLUMNS, PROBED_LINE}


def _kind(column: RowColumn) -> str:
    """How its values are written."""
    if column.is_key:
        return "V16"
    return ">i4" if column.name in _INT4 else ">i8"


def streamed_columns(records: Records) -> tuple[str, ...]:
    """The columns of `records_stream`, in order: `records.sent_columns` with the text at the end."""
    return (*(column.name for column in columns_of_records(records)), TEXT)


def records_stream(records: Records) -> Iterator[memoryview]:
    """The stream for `streamed_columns`, in parts, in the records' order: writers keep one key order, so none can deadlock."""
    return _octets(_records_parts(records))


def stream_ahead(records: Records) -> TimedStream:
    """The same, before it is known when the records are written."""
    return TimedStream(list(_records_parts(records.recorded_at(0))))


def _records_parts(records: Records) -> Iterator[StreamPart]:
    return _stream(columns_of_records(records), len(records), records.event_ids)


def probe_stream(records: Records) -> Iterator[memoryview]:
    """The stream of a line for each record and PROBE_COLUMNS: what the events themselves said."""
    return _octets(_stream(probe_columns(records), len(records), None))


def _octets(parts: Iterable[StreamPart]) -> Iterator[memoryview]:
    return (part.octets.data for part in parts)


def _stream(columns: Sequence[RowColumn], n: int, texts: Sequence[bytes] | None) -> Iterator[StreamPart]:
    """Rows with the same nulls share a layout: they are laid out together, each in its place, with its text behind it, if any."""
    lengths = np.zeros(n, dtype=np.int64)
    if texts is not None:
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    nulls = nulls_of(columns, n)
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
    columns: Sequence[RowColumn], nulls: NDArray[np.int64], lengths: NDArray[np.int64], texts: Sequence[bytes] | None
) -> StreamPart:
    """Rows with these nulls, and texts of these lengths."""
    places, codes = by_value(nulls)
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
        put(stream, starts, rows)
        fields: Any = rows.dtype.fields
        if RECORDED_COLUMN in fields:
            times_at.append(starts + fields[RECORDED_COLUMN][1])
    if texts is not None:
        for of_length, length in zip(*by_value(lengths), strict=True):
            if length:
                text = b"".join(pick(texts, of_length))
                put(stream, ends[of_length] - length, np.frombuffer(text, dtype=f"V{length}"))
    return StreamPart(stream, np.concatenate(times_at) if times_at else np.empty(0, dtype=np.int64))


def _rows(
    columns: Sequence[RowColumn], chosen: NDArray[np.intp], nulls: int, texts: Sequence[bytes] | None
) -> NDArray[np.void]:
    """The chosen rows, all with these nulls, as they go over the wire, up to their text."""
    kinds = tuple((column.name, _kind(column)) for column in columns) + (((TEXT, ""),) if texts is not None else ())
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
