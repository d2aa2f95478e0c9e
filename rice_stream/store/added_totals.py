"""Adding sums to totals tables: what batches and corrections do alike, in the order of keys, so that neither waits for ever."""

from typing import Any

import numpy as np
from sqlalchemy import Connection

from rice_stream.meter.amounts import Totals
from rice_stream.store.copy_stream import integers_stream
from rice_stream.store.scratch import added_table, added_types
from rice_stream.store.statements import add_totals_sql
from rice_stream.store.totals_tables import TotalsTable


def copy_to_totals(cursor: Any, table: TotalsTable, totals: Totals) -> None:
    """On PostgreSQL, through the table's scratch table, which is there and empty."""
    if not len(totals):
        return
    added = added_table(table)
    with cursor.copy(f"COPY {added} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(integers_stream([*totals.keys.T, *totals.sums.T], list(added_types(table).values())))
    # The rows were copied in key order, and are read back in it: no two workers lock in different orders.
    cursor.execute(add_totals_sql(table, f"SELECT * FROM {added}"))


def insert_to_totals(connection: Connection, table: TotalsTable, totals: Totals) -> None:
    """On SQLite."""
    if not len(totals):
        return
    marks = ", ".join("?" * len(table.columns))
    rows = [tuple(row) for row in np.concatenate([totals.keys, totals.sums], axis=1).tolist()]
    connection.exec_driver_sql(add_totals_sql(table, f"VALUES ({marks})"), rows)
