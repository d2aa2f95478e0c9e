"""Rows told apart by one integer each, as numpy tells them apart by their bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.meter.distinct_rows import distinct_rows

NUMBERS = st.integers(-(2**62), 2**62) | st.integers(-2, 2)
FLAGS = st.sampled_from([1 << 30, 3 << 30, 1 << 20, 1 << 20 | 1, 1 << 20 | 1 << 16 | 2])


@given(st.lists(st.tuples(NUMBERS, FLAGS, NUMBERS, st.integers(0, 3)), max_size=20))
def test_distinct_rows_are_those_of_numpy(rows: list[tuple[int, int, int, int]]) -> None:
    """In the same order, also of flags, and where the values of two columns together do not fit 64 bits."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    found, place = distinct_rows(list(table.T))
    assert found.tolist() == (np.unique(table, axis=0).tolist() if rows else [])
    assert found[place].tolist() == table.tolist()
