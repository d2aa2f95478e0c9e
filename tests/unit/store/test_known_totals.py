"""What a writer knows of rows of totals: all of a batch are there, in one bucket, or nothing is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.instants import DAY_S, SLOT_S
from rice_stream.meter.amounts import Totals
from rice_stream.quantities import MEASURES
from rice_stream.store import known_totals
from rice_stream.store.known_totals import BUCKETS_KEPT, LOOKED_AT_EVERY, READ_MAX, ROWS_MIN, KnownTotals
from rice_stream.store.totals_tables import DAYS, SLOTS, TotalsTable

NOON_S = 1_795_348_800
"""2026-11-22, in epoch seconds."""


def rows(numbers: range | list[int], start_s: int = NOON_S, table: TotalsTable = SLOTS) -> dict[TotalsTable, Totals]:
    """A row of each number, of ten tenants."""
    keys = np.array([(number % 10, start_s, number, 7) for number in numbers], dtype=np.int64).reshape(-1, 4)
    return {table: Totals(keys, np.ones((len(keys), len(MEASURES)), dtype=np.int64))}


def known_of(known: KnownTotals, added: dict[TotalsTable, Totals]) -> frozenset[TotalsTable]:
    """What is known where nobody else writes."""
    return known.known(added, lambda table, totals: True)


def test_what_a_batch_has_written_is_known_in_its_table_and_bucket_alone() -> None:
    known = KnownTotals()
    assert not known_of(known, rows(range(200)))
    known.learn(rows(range(200)))
    assert known_of(known, rows(range(200))) == {SLOTS}
    assert known_of(known, rows(range(50, 150))) == {SLOTS}
    assert not known_of(known, rows(range(201)))
    assert not known_of(known, rows(range(200), NOON_S + SLOT_S))
    assert not known_of(known, rows(range(200), table=DAYS))
    known.learn(rows(range(150, 300)))
    assert known_of(known, rows(range(300))) == {SLOTS}
    known.forget()
    assert not known_of(known, rows(range(200)))


def test_few_rows_and_few_of_many_are_not_worth_it() -> None:
    """All rows of a bucket are read for those that are changed."""
    known = KnownTotals()
    known.learn(rows(range(ROWS_MIN * READ_MAX)))
    assert known_of(known, rows(range(ROWS_MIN)))
    assert not known_of(known, rows(range(ROWS_MIN - 1)))
    known.learn(rows(range(ROWS_MIN * READ_MAX, ROWS_MIN * READ_MAX + 1)))  # too few to be learnt
    assert known_of(known, rows(range(ROWS_MIN)))
    known.learn(rows(range(ROWS_MIN * READ_MAX + 1)))
    assert not known_of(known, rows(range(ROWS_MIN)))


def test_of_two_buckets_nothing_is_known() -> None:
    both = np.concatenate([rows(range(100), NOON_S + part * SLOT_S)[SLOTS].keys for part in range(2)])
    added = {SLOTS: Totals(both, np.ones((len(both), len(MEASURES)), dtype=np.int64))}
    known = KnownTotals()
    for part in range(2):
        known.learn(rows(range(100), NOON_S + part * SLOT_S))
    known.learn(added)
    assert not known_of(known, added)


def test_the_bucket_that_was_written_longest_ago_goes_first() -> None:
    known = KnownTotals()
    for part in range(BUCKETS_KEPT):
        known.learn(rows(range(100), NOON_S + part * DAY_S))
    known.learn(rows(range(100), NOON_S))
    known.learn(rows(range(100), NOON_S + BUCKETS_KEPT * DAY_S))
    assert known_of(known, rows(range(100), NOON_S))
    assert not known_of(known, rows(range(100), NOON_S + DAY_S))


def test_of_a_bucket_of_too_many_rows_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_totals, "KEYS_MAX", 250)
    known = KnownTotals()
    known.learn(rows(range(200)))
    assert known_of(known, rows(range(200)))
    for _ in range(2):
        known.learn(rows(range(100, 300)))
        assert not known_of(known, rows(range(100, 300)))


def test_how_many_rows_others_have_written_is_asked_at_first_and_now_and_then() -> None:
    known = KnownTotals()
    asked: list[tuple[TotalsTable, int]] = []

    def are_most(table: TotalsTable, totals: Totals) -> bool:
        asked.append((table, len(totals)))
        return True

    known.learn(rows(range(200)))
    for _ in range(LOOKED_AT_EVERY + 1):
        assert known.known(rows(range(200)), are_most)
    assert asked == [(SLOTS, 200)] * 2


def test_where_others_have_written_many_rows_nothing_is_known_of_the_bucket() -> None:
    known = KnownTotals()
    known.learn(rows(range(200)))
    assert not known.known(rows(range(200)), lambda table, totals: False)
    known.learn(rows(range(200)))
    assert not known_of(known, rows(range(200)))


@given(
    learnt=st.lists(st.sets(st.integers(0, 2**31 - 1), min_size=ROWS_MIN, max_size=ROWS_MIN + 20), max_size=3),
    asked=st.data(),
)
def test_no_row_is_known_that_was_not_written(learnt: list[set[int]], asked: st.DataObject) -> None:
    known = KnownTotals()
    for numbers in learnt:
        known.learn(rows(sorted(numbers)))
    written = set().union(*learnt)
    chosen = asked.draw(st.sets(st.sampled_from([*sorted(written), 2**31]), min_size=1)) if written else {1}
    assert bool(known_of(known, rows(sorted(chosen)))) <= (chosen <= written)
