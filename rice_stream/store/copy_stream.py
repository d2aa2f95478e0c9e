"""PostgreSQL's binary COPY stream for a whole batch, built by numpy instead of row by row."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.ingest import UNKNOWN
from rice_stream.store.batch import AMOUNT_COLUMNS, KEY_COLUMNS, NULLABLE_COLUMNS, RECORD_COLUMNS, Records

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_INT4 = {*KEY_COLUMNS, "user_key", "api_key_key", *(c for c in NULLABLE_COLUMNS if c.endswith("_tokens"))}


def records_stream(records: Records) -> bytes:
    """The stream for `RECORD_COLUMNS`. A null is a length of -1 and no bytes, so rows of one null pattern share a
    layout: they are laid out together, then put back in order (writers keep one key order, so none can deadlock)."""
    n = len(records)
    texts = [event_id.encode() for event_id in records.event_ids]
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    pattern = np.zeros(n, dtype=np.int64)
    for bit, name in enumerate(NULLABLE_COLUMNS):
        pattern |= (records.columns[name] == UNKNOWN).astype(np.int64) << bit
    pieces: list[bytes] = [b""] * (2 * n)
    pieces[1::2] = texts
    patterns = np.unique(pattern)
    for code in patterns.tolist():
        rows = np.arange(n) if len(patterns) == 1 else np.flatnonzero(pattern == code)
        fixed = _fixed_part(records, rows, lengths, code)
        size = fixed.dtype.itemsize
        flat = fixed.tobytes()
        heads = [flat[i : i + size] for i in range(0, len(flat), size)]
        if len(patterns) == 1:
            pieces[0::2] = heads
        else:
            for row, head in zip((2 * rows).tolist(), heads, strict=True):
                pieces[row] = head
    return b"".join((HEADER, *pieces, TRAILER))


def _fixed_part(records: Records, rows: NDArray[np.intp], lengths: NDArray[np.int64], nulls: int) -> NDArray[np.void]:
    layout: list[tuple[str, str]] = [("count", ">i2")]
    for name in (*KEY_COLUMNS, "event_key", *AMOUNT_COLUMNS):
        layout += [(f"{name}.length", ">i4"), (name, _wire_type(name))]
    for bit, name in enumerate(NULLABLE_COLUMNS):
        layout.append((f"{name}.length", ">i4"))
        if not nulls >> bit & 1:
            layout.append((name, _wire_type(name)))
    layout.append(("event_id.length", ">i4"))
    fixed = np.empty(len(rows), dtype=np.dtype(layout))
    fixed["count"] = len(RECORD_COLUMNS)
    fixed["event_id.length"] = lengths[rows]
    fixed["event_key.length"] = 16
    fixed["event_key"] = np.ascontiguousarray(records.event_keys[rows]).view("V16").ravel()
    for name in (*KEY_COLUMNS, *AMOUNT_COLUMNS, *NULLABLE_COLUMNS):
        if name in fixed.dtype.names:  # type: ignore[operator]
            fixed[f"{name}.length"] = fixed.dtype[name].itemsize
            fixed[name] = records.columns[name][rows]
        else:
            fixed[f"{name}.length"] = -1
    return fixed


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
