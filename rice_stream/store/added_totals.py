"""Adding sums to totals tables: what batches and corrections do alike, in the order of keys, so that neither waits for ever."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import Connection

from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store.copy_stream import integers_stream
from rice_stream.store.scratch import ADDED_TYPES, DIMENSIONS, CopiedRows, added_rows_sql, added_table
from rice_stream.store.statements import add_totals_sql
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable


class StreamedTotals(dict[TotalsTable, Totals]):
    """Sums with the stream that copies them, made before they are added."""

    def __init__(self, totals: Mapping[TotalsTable, Totals]) -> None:
        super().__init__((table, sums) for table, sums in totals.items() if len(sums))
        self.rows = copied_rows(self)
        own = {table: sums for table, sums in self.items() if self.rows[table].of == table}
        self.stream = integers_stream(_columns(own), list(ADDED_TYPES.values())) if own else b""


def copy_to_totals(cursor: Any, totals: Mapping[TotalsTable, Totals], *, corrects: bool = False) -> None:
    """On PostgreSQL, through the scratch table, which is there and empty: one COPY, and one way there for all statements.
    `corrects`: what is added are corrections."""
    added = totals if isinstance(totals, StreamedTotals) else StreamedTotals(totals)
    if not added:
        return
    with cursor.copy(f"COPY {added_table()} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(added.stream)
    # In key order, table by table: no two workers lock in different orders.
    cursor.execute(
        "; ".join(_adding_sql(table, added.rows[table], corrects=corrects) for table in added), prepare=False
    )


def copied_rows(added: Mapping[TotalsTable, Totals]) -> dict[TotalsTable, CopiedRows]:
    """Of each table, which rows are copied for it: those of shorter buckets serve longer ones too where all lie in one bucket, as
    those of nearly all small batches do. Then they are in the same order as well."""
    rows: dict[TotalsTable, CopiedRows] = {}
    # Months come after days, and days after what they add up.
    for table, totals in added.items():
        finer = table.finer
        if finer is not None and finer in rows and _differ_in_when_alone(totals, added[finer]):
            rows[table] = CopiedRows(rows[finer].of, int(totals.keys[0, 1]))
        else:
            rows[table] = CopiedRows(table)
    return rows


def _differ_in_when_alone(some: Totals, others: Totals) -> bool:
    """Whether both are the same sums, of one bucket each."""
    if some.keys.shape != others.keys.shape:
        return False
    in_one_bucket = all((totals.keys[:, 1] == totals.keys[0, 1]).all() for totals in (some, others))
    same = in_one_bucket and (some.keys[:, 0] == others.keys[:, 0]).all()
    return bool(same and (some.keys[:, 2:] == others.keys[:, 2:]).all() and (some.sums == others.sums).all())


@lru_cache(maxsize=256)
def _adding_sql(table: TotalsTable, rows: CopiedRows, *, corrects: bool) -> str:
    return add_totals_sql(table, added_rows_sql(table, rows, corrects=corrects), corrects=corrects)


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
