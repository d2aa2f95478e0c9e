"""Adding sums to totals tables: what batches and corrections do alike, in the order of keys, so that neither waits for ever."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import Connection

from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store.copy_stream import integers_stream
from rice_stream.store.scratch import ADDED_TYPES, DIMENSIONS, added_rows_sql, added_table
from rice_stream.store.statements import add_totals_sql
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable


def copy_to_totals(cursor: Any, totals: Mapping[TotalsTable, Totals], *, corrects: bool = False) -> None:
    """On PostgreSQL, through the scratch table, which is there and empty: one COPY, and one way there for all statements.
    `corrects`: what is added are corrections."""
    added = {table: sums for table, sums in totals.items() if len(sums)}
    if not added:
        return
    with cursor.copy(f"COPY {added_table()} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(integers_stream(_columns(added), list(ADDED_TYPES.values())))
    # In key order, table by table: no two workers lock in different orders.
    cursor.execute("; ".join(_adding_sql(table, corrects=corrects) for table in added), prepare=False)


@cache
def _adding_sql(table: TotalsTable, *, corrects: bool) -> str:
    return add_totals_sql(table, added_rows_sql(table, corrects=corrects), corrects=corrects)


def _columns(added: Mapping[TotalsTable, Totals]) -> list[Ints]:
    """The columns of ADDED_TYPES; dimensions that a table does not have are 0."""
    keys = np.zeros((sum(map(len, added.values())), 3 + len(DIMENSIONS)), dtype=np.int64)
    row = 0
    for table, sums in added.items():
        rows = keys[row : row + len(sums)]
        rows[:, 0] = TOTALS_TABLES.index(table)
        rows[:, 1 : 1 + sums.keys.shape[1]] = sums.keys
        row += len(sums)
    return [*keys.T, *np.concatenate([sums.sums for sums in added.values()]).T]


def insert_to_totals(connection: Connection, table: TotalsTable, totals: Totals, *, corrects: bool = False) -> None:
    """On SQLite. `corrects`: what is added are corrections."""
    if not len(totals):
        return
    added = [totals.keys, totals.sums, *([totals.sums] if corrects and table.tells_reported else [])]
    rows = [tuple(row) for row in np.concatenate(added, axis=1).tolist()]
    marks = ", ".join("?" * len(rows[0]))
    connection.exec_driver_sql(add_totals_sql(table, f"VALUES ({marks})", corrects=corrects), rows)
