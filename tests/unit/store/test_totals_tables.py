"""The totals tables are what their descriptions say, and are written in an order in which no two writers deadlock."""

import pytest

from rice_stream.instants import DAY_S
from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable, coarser


@pytest.mark.parametrize("table", TOTALS_TABLES, ids=lambda table: table.name)
def test_the_schema_has_the_table_as_it_is_described(table: TotalsTable) -> None:
    """Columns in order, the key in order: rows are copied and upserted by position."""
    stored = schema.metadata.tables[table.name]
    assert tuple(column.name for column in stored.columns) == table.columns
    assert tuple(column.name for column in stored.primary_key) == table.key_columns
    assert table.columns[-len(MEASURES) :] == MEASURES


def test_every_table_of_measures_in_the_schema_is_described() -> None:
    """A totals table that nobody writes to would be wrong from its first day on."""
    with_measures = {name for name, table in schema.metadata.tables.items() if set(MEASURES) <= set(table.c.keys())}
    assert with_measures == {table.name for table in TOTALS_TABLES}


def test_days_are_written_last_and_after_what_they_add_up() -> None:
    """Workers at different hours share the rows of a day, so nobody holds them while waiting for other rows."""
    is_day = [table.bucket_s == DAY_S for table in TOTALS_TABLES]
    assert is_day == sorted(is_day)
    for place, table in enumerate(TOTALS_TABLES):
        if table.finer is not None:
            assert table.finer in TOTALS_TABLES[:place]
            assert table.finer.dimensions == table.dimensions
            assert table.bucket_s % table.finer.bucket_s == 0
            assert coarser(table.finer) == table
