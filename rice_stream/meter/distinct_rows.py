"""Rows of several integer columns told apart, by one integer for each. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import Ints

_SPAN_MAX = 2**62
_WIDE = 2**16
_BITS_MAX = 16
"""Of a column of flags that differ: more, and it is no column of flags."""


def distinct_rows(columns: Sequence[Ints]) -> tuple[Ints, NDArray[np.intp]]:
    """The different rows of n in their order, shape (k, columns), and which of them each row is, shape (n,).

    As `numpy.unique` with an axis gives them, in a tenth of its time.

    >>> distinct_rows([np.array([2, 1, 2]), np.array([7, 7, 7])])
    (array([[1, 7],
           [2, 7]]), array([1, 0, 1]))
    """
    if not len(columns[0]):
        return np.empty((0, len(columns)), dtype=np.int64), np.empty(0, dtype=np.intp)
    _, first, place = np.unique(row_codes(columns), return_index=True, return_inverse=True)
    return np.column_stack([column[first] for column in columns]), place.reshape(-1)


def row_codes(columns: Sequence[Ints]) -> Ints:
    """One integer per row, of one row or more, that orders like the tuple of its columns."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    span = 1
    for column in columns:
        low = int(column.min())
        width = int(column.max()) - low + 1
        if width >= _WIDE and low >= 0:
            column = _close_together(column)
            low, width = 0, int(column.max()) + 1
        if span * width >= _SPAN_MAX:
            _, code = np.unique(code, return_inverse=True)
            span = int(code.max()) + 1
            if span * width >= _SPAN_MAX:
                _, column = np.unique(column, return_inverse=True)
                low, width = 0, int(column.max()) + 1
        code = code * width + (column - low)
        span *= width
    return code


def _close_together(column: Ints) -> Ints:
    """Numbers from 0 on in the same order: of flags, in as many bits as not all rows have alike."""
    differ = int(np.bitwise_or.reduce(column ^ column[0]))
    bits = [bit for bit in range(differ.bit_length()) if differ >> bit & 1]
    if len(bits) > _BITS_MAX:
        return column - int(column.min())
    code = np.zeros_like(column)
    for place, bit in enumerate(bits):
        code |= (column >> bit & 1) << place
    return code
