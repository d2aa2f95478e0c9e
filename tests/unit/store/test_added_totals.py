"""Rows of totals that differ in when alone are copied once; which ones do is told by the rows themselves."""

from collections.abc import Sequence

import numpy as np
import pytest

from rice_stream.instants import HOUR_S, SLOT_S
from rice_stream.meter.amounts import Totals
from rice_stream.quantities import MEASURES
from rice_stream.store.added_totals import copied_rows
from rice_stream.store.batch import month_starts_s
from rice_stream.store.scratch import CopiedRows
from rice_stream.store.totals_tables import DAYS, FACTOR_DAYS, FACTOR_HOURS, MINUTES, MONTHS, SLOTS, TotalsTable

DAY = 1_795_305_600
"""2026-11-22, in epoch seconds."""
MONTH = int(month_starts_s(np.array([DAY]))[0])


def totals(table: TotalsTable, rows: Sequence[tuple[int, ...]], amounts: Sequence[int]) -> Totals:
    """Rows of (tenant, start, dimensions), with one amount for all measures each."""
    keys = np.array(rows, dtype=np.int64).reshape(-1, 2 + len(table.dimensions))
    return Totals(keys, np.array([[amount] * len(MEASURES) for amount in amounts], dtype=np.int64))


def of_one_slot(start_s: int = DAY + SLOT_S) -> dict[TotalsTable, Totals]:
    """Two attributions and two uses of factors, within a quarter of an hour."""
    hour_s = start_s - start_s % HOUR_S
    return {
        SLOTS: totals(SLOTS, [(1, start_s, 5, 7), (1, start_s, 6, 7), (2, start_s, 5, 8)], [1, 2, 4]),
        FACTOR_HOURS: totals(FACTOR_HOURS, [(1, hour_s, 7), (2, hour_s, 8)], [3, 4]),
        DAYS: totals(DAYS, [(1, DAY, 5, 7), (1, DAY, 6, 7), (2, DAY, 5, 8)], [1, 2, 4]),
        FACTOR_DAYS: totals(FACTOR_DAYS, [(1, DAY, 7), (2, DAY, 8)], [3, 4]),
        MONTHS: totals(MONTHS, [(1, MONTH, 7), (2, MONTH, 8)], [3, 4]),
    }


def test_of_one_slot_what_is_longer_is_copied_as_what_is_shorter() -> None:
    assert copied_rows(of_one_slot()) == {
        SLOTS: CopiedRows(SLOTS),
        FACTOR_HOURS: CopiedRows(FACTOR_HOURS),
        DAYS: CopiedRows(SLOTS, DAY),
        FACTOR_DAYS: CopiedRows(FACTOR_HOURS, DAY),
        MONTHS: CopiedRows(FACTOR_HOURS, MONTH),
    }


def test_of_two_slots_days_are_copied_themselves() -> None:
    """Their order may be another one, though there be as many of them."""
    later_s = DAY + 2 * SLOT_S
    rows = {
        SLOTS: totals(SLOTS, [(1, DAY + SLOT_S, 6, 7), (1, later_s, 5, 7)], [1, 2]),
        DAYS: totals(DAYS, [(1, DAY, 5, 7), (1, DAY, 6, 7)], [2, 1]),
    }
    assert copied_rows(rows) == {SLOTS: CopiedRows(SLOTS), DAYS: CopiedRows(DAYS)}


@pytest.mark.parametrize("column", ["amount", "tenant", "dimension"])
def test_sums_or_keys_that_differ_are_copied_themselves(column: str) -> None:
    """Whoever gives sums that are not those of the shorter buckets has them added all the same."""
    added = of_one_slot()
    changed = Totals(added[DAYS].keys.copy(), added[DAYS].sums.copy())
    if column == "amount":
        changed.sums[1, 3] += 1
    else:
        changed.keys[2, 0 if column == "tenant" else 3] += 1
    assert copied_rows({**added, DAYS: changed})[DAYS] == CopiedRows(DAYS)


def test_a_table_whose_shorter_one_has_no_rows_is_copied_itself() -> None:
    added = of_one_slot()
    assert copied_rows({DAYS: added[DAYS]}) == {DAYS: CopiedRows(DAYS)}
    assert copied_rows({MINUTES: totals(MINUTES, [(1, DAY)], [7])}) == {MINUTES: CopiedRows(MINUTES)}
