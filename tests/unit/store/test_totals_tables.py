"""The totals tables are what their descriptions say, and are written in an order in which no two writers deadlock."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.instants import DAY_S, FOREVER_S, SLOT_S
from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.batch import month_starts_s
from rice_stream.store.totals_tables import MONTHS, TOTALS_TABLES, TotalsTable, coarser


@pytest.mark.parametrize("table", TOTALS_TABLES, ids=lambda table: table.name)
def test_the_schema_has_the_table_as_it_is_described(table: TotalsTable) -> None:
    """Columns in order, the key in order: rows are copied and upserted by position."""
    stored = schema.metadata.tables[table.name]
    assert tuple(column.name for column in stored.columns) == (*table.columns, *table.corrected_columns)
    assert tuple(column.name for column in stored.primary_key) == table.key_columns
    assert table.columns[-len(MEASURES) :] == MEASURES


def test_every_table_of_measures_in_the_schema_is_described() -> None:
    """A totals table that nobody writes to would be wrong from its first day on."""
    with_measures = {name for name, table in schema.metadata.tables.items() if set(MEASURES) <= set(table.c.keys())}
    assert with_measures - {"adjustment_entry"} == {table.name for table in TOTALS_TABLES}


def test_days_and_months_are_written_last_and_after_what_they_add_up() -> None:
    """Workers at different hours share their rows, so nobody holds them while waiting for other rows."""
    bucket_s = [min(max(table.bucket_s, SLOT_S), 31 * DAY_S) for table in TOTALS_TABLES]
    assert bucket_s == sorted(bucket_s)
    for place, table in enumerate(TOTALS_TABLES):
        if table.finer is not None:
            assert table.finer in TOTALS_TABLES[:place]
            assert set(table.dimensions) <= set(table.finer.dimensions)
            assert table.bucket_s % table.finer.bucket_s == 0
            assert (coarser(table.finer) == table) == (table.dimensions == table.finer.dimensions)


@pytest.mark.parametrize("table", TOTALS_TABLES, ids=lambda table: table.name)
@given(moment_s=st.integers(0, FOREVER_S))
def test_every_instant_lies_in_one_bucket(table: TotalsTable, moment_s: int) -> None:
    """From its start to the start of the next; starts are their own floor and ceiling, also where the calendar ends."""
    start_s, next_s = table.floor_s(moment_s), table.ceil_s(moment_s + 1)
    assert start_s <= moment_s < next_s
    assert next_s - start_s <= table.bucket_s
    assert table.floor_s(start_s) == table.ceil_s(start_s) == start_s
    if table.bucket_s % DAY_S == 0:
        assert start_s % DAY_S == 0 or moment_s > 250_000_000_000


@given(moments_s=st.lists(st.integers(0, 250_000_000_000), min_size=1))
def test_a_batch_has_the_same_months(moments_s: list[int]) -> None:
    """In columns as one by one."""
    columns = month_starts_s(np.array(moments_s, dtype=np.int64))
    assert columns.tolist() == [MONTHS.floor_s(moment_s) for moment_s in moments_s]
