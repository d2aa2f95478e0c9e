"""Rows of words get numbers: the same row always the same one, whatever else is there."""

import numpy as np
import pytest

from rice_stream.events.together import interning
from rice_stream.events.together.interning import NEW, InternedRows
from rice_stream.events.together.octets import Words


def rows(*numbers: int, words: int = 3) -> Words:
    """Rows that differ in their last word only."""
    found = np.zeros((len(numbers), words), dtype=np.uint64)
    found[:, -1] = numbers
    return found


def test_new_rows_get_the_next_numbers_and_known_ones_keep_theirs() -> None:
    """Also within one call, and for a row of zeros, which is like no row at all."""
    interned = InternedRows(3)
    assert interned.find(rows(7, 0)).tolist() == [NEW, NEW]
    assert interned.add(rows(7, 5, 7, 0)).tolist() == [0, 1, 0, 2]
    assert interned.add(rows(0, 9, 5)).tolist() == [2, 3, 1]
    assert interned.find(rows(9, 7, 11)).tolist() == [3, 0, NEW]
    assert len(interned) == 4


def test_many_rows_keep_their_numbers_while_the_table_grows() -> None:
    """Ten thousand of them, in pieces; pairs of small numbers too, as combinations of runs are."""
    many = np.stack([np.arange(10_000) % 100, np.arange(10_000) // 100], axis=1).astype(np.uint64)
    interned = InternedRows(2)
    for first in range(0, len(many), 777):
        assert interned.add(many[first : first + 777]).tolist() == list(range(first, min(first + 777, len(many))))
    assert interned.find(many).tolist() == list(range(len(many)))


def test_rows_that_want_one_slot_cost_a_bounded_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """As somebody could write who knows how they are found: some get no number, and the others keep theirs."""
    monkeypatch.setattr(interning, "_MULTIPLIERS", np.zeros_like(interning._MULTIPLIERS))
    interned = InternedRows(1)
    found = interned.add(rows(*range(1, 101), words=1))
    assert found.tolist() == [*range(interning._PROBES_MAX), *[NEW] * (100 - interning._PROBES_MAX)]
    assert interned.find(rows(*range(1, 101), words=1)).tolist() == found.tolist()
