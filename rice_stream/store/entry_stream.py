"""PostgreSQL's binary COPY stream of entries, built by numpy instead of row by row."""

import numpy as np

from rice_stream.quantities import ENTRY_AMOUNTS, UNKNOWN
from rice_stream.store.copy_stream import HEADER, TRAILER
from rice_stream.store.entries import Entries
from rice_stream.store.entry_columns import ENTRY_KEYS

_SMALL = {*ENTRY_KEYS, "line", "counted", "user_key", "prompts", *(n for n in ENTRY_AMOUNTS if n.endswith("_tokens"))}
"""Columns of 32 bits; the others have 64."""


def sent_columns() -> tuple[str, ...]:
    """The columns that are sent, in their order."""
    return (
        *ENTRY_KEYS,
        "event_key",
        "adjustment_key",
        "line",
        "counted",
        "ended_at_us",
        "recorded_us",
        *ENTRY_AMOUNTS,
        "user_key",
    )


def entries_stream(entries: Entries, adjustment_key: int, recorded_us: int, *, counted: bool) -> bytes:
    """The stream of the lines of one group: those with a user, then those without."""
    has_user = entries.columns["user_key"] != UNKNOWN
    values = {
        **entries.columns,
        "adjustment_key": np.full(len(entries), adjustment_key),
        "recorded_us": np.full(len(entries), recorded_us),
        "counted": np.full(len(entries), int(counted)),
        "line": np.arange(len(entries)),
        **{name: entries.amounts[:, place] for place, name in enumerate(ENTRY_AMOUNTS)},
    }
    keys = np.ascontiguousarray(entries.event_keys).view("V16").ravel()
    pieces = []
    for with_user in (True, False):
        chosen = np.flatnonzero(has_user == with_user)
        rows = np.zeros(len(chosen), dtype=_layout(with_user=with_user))
        rows["count"] = len(sent_columns())
        for name in sent_columns():
            rows[f"{name}.length"] = rows.dtype[name].itemsize if name in (rows.dtype.names or ()) else -1
            if name == "event_key":
                rows[name] = keys[chosen]
            elif name in (rows.dtype.names or ()):
                rows[name] = values[name][chosen]
        pieces.append(rows.tobytes())
    return b"".join((HEADER, *pieces, TRAILER))


def _layout(*, with_user: bool) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for name in sent_columns():
        fields.append((f"{name}.length", ">i4"))
        if name != "user_key" or with_user:
            fields.append((name, "V16" if name == "event_key" else ">i4" if name in _SMALL else ">i8"))
    return np.dtype(fields)
