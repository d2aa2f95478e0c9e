"""PostgreSQL's binary COPY stream of entries, built by numpy instead of row by row."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import ENTRY_AMOUNTS, UNKNOWN, Ints
from rice_stream.store.copied import side_by_side
from rice_stream.store.copy_stream import HEADER, TRAILER
from rice_stream.store.entries import Entries, EntryGroup
from rice_stream.store.entry_columns import ENTRY_KEYS

_SMALL = {*ENTRY_KEYS, "line", "counted", "user_key", "prompts", *(n for n in ENTRY_AMOUNTS if n.endswith("_tokens"))}
"""Columns of 32 bits; the others have 64."""
_COUNTS, _AMOUNTS = (
    [(place, name) for place, name in enumerate(ENTRY_AMOUNTS) if (name in _SMALL) == small] for small in (True, False)
)
_ROWS_AT_ONCE = 2048
"""Few enough to stay in the cache while column after column is put in."""


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


class EntryStream:
    """The lines of groups in the order of their keys, those with a user and then those without: laid out but for what is known when
    they are posted.

    In this order PostgreSQL adds to its indexes page after page, and who reads them later finds those of a record together.
    """

    def __init__(self, groups: Sequence[EntryGroup]) -> None:
        self._group_of: list[Ints] = []
        self._parts: list[NDArray[np.void]] = []
        entries = Entries.joined(*(group.entries for group in groups))
        lengths = [len(group.entries) for group in groups]
        columns: dict[str, NDArray[Any]] = {
            **entries.columns,
            "event_key": np.ascontiguousarray(entries.event_keys).view("V16").ravel(),
            "line": np.concatenate([np.arange(length) for length in lengths]),
            "counted": np.repeat([int(group.counted) for group in groups], lengths),
        }
        group_of = np.repeat(np.arange(len(groups)), lengths)
        order = np.lexsort((_beginnings(entries.event_keys), entries.columns["tenant_key"]))
        has_user = entries.columns["user_key"][order] != UNKNOWN
        for with_user in (True, False):
            lines = order[has_user == with_user]
            self._group_of.append(group_of[lines])
            self._parts.append(_laid_out(columns, entries.amounts, lines, with_user=with_user))

    def finished(self, adjustment_keys: Sequence[int], recorded_us: int) -> list[memoryview]:
        """The parts of the stream, of groups that are posted under these keys at this time."""
        keys = np.array(adjustment_keys, dtype=np.int64)
        for rows, group_of in zip(self._parts, self._group_of, strict=True):
            rows["adjustment_key"] = keys[group_of]
            rows["recorded_us"] = recorded_us
        sent = [rows.view(np.uint8).data for rows in self._parts if len(rows)]
        return [memoryview(HEADER), *sent, memoryview(TRAILER)]


def _beginnings(event_keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first halves of keys: nearly their order."""
    return np.ascontiguousarray(event_keys).view(">u8")[:, 0].astype(np.uint64)


def _laid_out(
    columns: Mapping[str, NDArray[Any]], amounts: Ints, lines: NDArray[np.intp], *, with_user: bool
) -> NDArray[np.void]:
    dtype, template = _layout(with_user=with_user)
    sent = [(name, column) for name, column in columns.items() if with_user or name != "user_key"]
    stream = np.empty(len(lines), dtype=dtype)
    for first in range(0, len(lines), _ROWS_AT_ONCE):
        rows, of_rows = stream[first : first + _ROWS_AT_ONCE], lines[first : first + _ROWS_AT_ONCE]
        rows[:] = template
        for name, column in sent:
            rows[name] = column[of_rows]
        of_lines = amounts[of_rows]
        for kind in (_COUNTS, _AMOUNTS):
            places, names = zip(*kind, strict=True)
            side_by_side(rows, names)[:] = of_lines[:, places[0] : places[-1] + 1]
    return stream


@lru_cache
def _layout(*, with_user: bool) -> tuple[np.dtype[np.void], NDArray[np.void]]:
    """(layout of a row, a row with all lengths and no values)."""
    absent = () if with_user else ("user_key",)
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for name in sent_columns():
        fields.append((f"{name}.length", ">i4"))
        if name not in absent:
            fields.append((name, "V16" if name == "event_key" else ">i4" if name in _SMALL else ">i8"))
    template = np.zeros((), dtype=np.dtype(fields))
    template["count"] = len(sent_columns())
    for name in sent_columns():
        template[f"{name}.length"] = -1 if name in absent else template.dtype[name].itemsize
    return template.dtype, template
