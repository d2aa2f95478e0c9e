"""PostgreSQL's binary COPY stream for a whole batch, built by numpy instead of row by row."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keyed import pick
from rice_stream.quantities import UNKNOWN
from rice_stream.store.batch import Records
from rice_stream.store.record_columns import KEY_COLUMNS, TOKEN_COLUMNS

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_INT4 = {*KEY_COLUMNS, "user_key", "api_key_key", *TOKEN_COLUMNS}


def records_stream(records: Records) -> bytes:
    """The stream for `records.sent_columns`. Rows with the same nulls and the same length of event id share a layout: they are
    laid out together, then put back in order (writers keep one key order, so none can deadlock)."""
    n = len(records)
    lengths = np.fromiter(map(len, records.event_ids), dtype=np.int64, count=n)
    nullable = records.nullable_columns
    layout = lengths << len(nullable)
    for bit, name in enumerate(nullable):
        # A null is a length of -1 and no bytes.
        layout |= (records.columns[name] == UNKNOWN).astype(np.int64) << bit
    codes = np.unique(layout).tolist()
    if len(codes) == 1:
        return b"".join((HEADER, _rows(records, np.arange(n), codes[0]).tobytes(), TRAILER))
    pieces: list[bytes] = [b""] * n
    for code in codes:
        chosen = np.flatnonzero(layout == code)
        rows = _rows(records, chosen, code)
        flat, size = rows.tobytes(), rows.dtype.itemsize
        for place, start in zip(chosen.tolist(), range(0, len(flat), size), strict=True):
            pieces[place] = flat[start : start + size]
    return b"".join((HEADER, *pieces, TRAILER))


def _rows(records: Records, chosen: NDArray[np.intp], code: int) -> NDArray[np.void]:
    """The chosen records, which share the layout of this code, as they go over the wire."""
    names = records.sent_columns
    dtype, template = _layout(code, names, records.nullable_columns)
    rows = np.empty(len(chosen), dtype=dtype)
    rows[:] = template
    rows["event_key"] = np.ascontiguousarray(records.event_keys[chosen]).view("V16").ravel()
    for name in names:
        if name in records.columns and name in dtype.fields:  # type: ignore[operator]
            rows[name] = records.columns[name][chosen]
    if "event_id" in dtype.fields:  # type: ignore[operator]
        text = b"".join(pick(records.event_ids, chosen))
        rows["event_id"] = np.frombuffer(text, dtype=dtype["event_id"])
    return rows


@lru_cache(maxsize=4096)
def _layout(code: int, names: tuple[str, ...], nullable: tuple[str, ...]) -> tuple[np.dtype[np.void], NDArray[np.void]]:
    """(layout of a row, a row of it with all lengths in place and no values)."""
    text_bytes, nulls = code >> len(nullable), code & (1 << len(nullable)) - 1
    types = {name: _wire_type(name) for name in names}
    types["event_id"] = f"V{text_bytes}"
    present = [name for name in names if name not in nullable]
    present += [name for bit, name in enumerate(nullable) if not nulls >> bit & 1]
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for name in names:
        fields.append((f"{name}.length", ">i4"))
        if name in present and types[name] != "V0":
            fields.append((name, types[name]))
    template = np.zeros((), dtype=np.dtype(fields))
    template["count"] = len(names)
    for name in names:
        template[f"{name}.length"] = np.dtype(types[name]).itemsize if name in present else -1
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
