"""Rows as bytes, laid out by numpy many at a time: those with the same nulls, or texts of the same length, together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import UNKNOWN, Ints
from rice_stream.store.batch import Records

KEY, TEXT = "event_key", "event_id"
"""The columns of records that are no integers."""
ROWS_OF_LAYOUT = 1024
"""Rows of a layout that are laid out together, about: few enough to stay in the cache while column after column is put in."""


class RowColumn(NamedTuple):
    """A column: integers, or keys of 16 bytes; UNKNOWN stands for null where it is `nullable`."""

    name: str
    values: NDArray[Any]
    nullable: bool = False

    @property
    def is_key(self) -> bool:
        """Whether its values are keys."""
        return self.values.dtype.kind == "V"


def columns_of_records(records: Records) -> list[RowColumn]:
    """All that are written of the records but the ids of events, which are texts and come last."""
    return [
        RowColumn(KEY, keys_as_values(records.event_keys))
        if name == KEY
        else RowColumn(name, records.columns[name], name in records.nullable_columns)
        for name in records.sent_columns
        if name != TEXT
    ]


def keys_as_values(event_keys: NDArray[np.uint8]) -> NDArray[np.void]:
    """Keys of shape (n, 16) as a column of n values."""
    return np.ascontiguousarray(event_keys).view("V16").ravel()


def nulls_of(columns: Sequence[RowColumn], n: int) -> Ints:
    """Which columns are null in each of n rows: a bit for each column that may be, shape (n,)."""
    nulls = np.zeros(n, dtype=np.int64)
    for bit, column in enumerate(column for column in columns if column.nullable):
        nulls |= (column.values == UNKNOWN).astype(np.int64) << bit
    return nulls


def by_value(values: Ints) -> tuple[list[NDArray[np.intp]], list[int]]:
    """(where each value is, the values)."""
    distinct = np.unique(values).tolist()
    if len(distinct) == 1:
        return [np.arange(len(values))], distinct
    return [np.flatnonzero(values == value) for value in distinct], distinct


def put(octets: NDArray[np.uint8], starts: Ints, rows: NDArray[np.void]) -> None:
    """Write the bytes of each row where it starts."""
    size = rows.dtype.itemsize
    # Every place as the beginning of a row.
    anywhere = np.ndarray((len(octets) - size + 1,), dtype=f"V{size}", buffer=octets, strides=(1,))
    anywhere[starts] = rows.view(f"V{size}")
