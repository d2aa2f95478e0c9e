"""Batches of rows that are held by column, for tables of millions of rows whose names are few. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Coded(Sequence[Any]):
    """A column whose values are those of a short list, each row by its place there: what is made of a value is made once.

    Columns that share their codes, the same array, differ in their values only.
    """

    def __init__(self, values: Sequence[Any], codes: Sequence[int] | NDArray[np.int32]) -> None:
        self.values = values
        self.codes = np.asarray(codes, dtype=np.int32)

    def __len__(self) -> int:
        """As many as rows."""
        return len(self.codes)

    def __getitem__(self, row: Any) -> Any:
        """The value of a row."""
        return self.values[self.codes[row]]

    def __iter__(self) -> Iterator[Any]:
        """The values of all rows."""
        return map(self.values.__getitem__, self.codes.tolist())


class Whole(Sequence[int | None]):
    """A column of whole numbers, `missing` where there is none."""

    def __init__(self, values: NDArray[np.int64], missing: NDArray[np.bool_]) -> None:
        self.values = values
        self.missing = missing

    def __len__(self) -> int:
        """As many as rows."""
        return len(self.values)

    def __getitem__(self, row: Any) -> Any:
        """The number of a row, or None."""
        return None if self.missing[row] else int(self.values[row])

    def __iter__(self) -> Iterator[int | None]:
        """The numbers of all rows."""
        numbers: list[int | None] = self.values.tolist()
        for row in np.flatnonzero(self.missing).tolist():
            numbers[row] = None
        return iter(numbers)


class ColumnBatch(Sequence[tuple[Any, ...]]):
    """Rows of equal length, held by column; to who goes through it, a list of tuples."""

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        self.columns = columns

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]], width: int) -> "ColumnBatch":
        """Rows of so many columns, as they are where they are held by column already."""
        if isinstance(rows, ColumnBatch):
            return rows
        return cls(list(zip(*rows, strict=True)) or [()] * width)

    def __len__(self) -> int:
        """How many rows."""
        return len(self.columns[0])

    def __getitem__(self, row: Any) -> tuple[Any, ...]:
        """One row."""
        return tuple(column[row] for column in self.columns)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one after another."""
        return zip(*self.columns, strict=True)
