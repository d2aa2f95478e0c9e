"""Adding sums to totals tables: what batches and corrections do alike, in the order of keys, so that neither waits for ever."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import Connection

from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store.copy_stream import integers_stream
from rice_stream.store.known_totals import READ_MAX
from rice_stream.store.laid_out_rows import RowColumn
from rice_stream.store.scratch import ADDED_TYPES, DIMENSIONS, CopiedRows, added_rows_sql, added_table, copied_rows_sql
from rice_stream.store.sqlite_rows import send_rows
from rice_stream.store.statements import add_totals_sql, count_totals_sql, update_totals_sql
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable

_PLANNING = ("enable_hashjoin", "enable_nestloop", "enable_mergejoin", "enable_seqscan", "enable_bitmapscan", "jit")
_IN_KEY_ORDER = (
    "SELECT "
    + ", ".join(f"set_config('{name}', '{'on' if name == 'enable_hashjoin' else 'off'}', true)" for name in _PLANNING)
    + "; "
)
"""Rows that are known to be there are joined with a bucket's, read in the order of their index. PostgreSQL, which knows nothing of
the scratch table, would compare each with each; and it counts what is switched off as so dear that it would compile it."""
_AS_BEFORE = "".join(f"; SET LOCAL {name} TO DEFAULT" for name in _PLANNING)


class TotalsGoneError(Exception):
    """Rows of totals are not there that a writer knew to be there."""


class StreamedTotals(dict[TotalsTable, Totals]):
    """Sums with the stream that copies them, made before they are added."""

    def __init__(self, totals: Mapping[TotalsTable, Totals]) -> None:
        super().__init__((table, sums) for table, sums in totals.items() if len(sums))
        self.rows = copied_rows(self)
        own = {table: sums for table, sums in self.items() if self.rows[table].of == table}
        self.stream = integers_stream(_columns(own), list(ADDED_TYPES.values())) if own else b""


def copy_to_totals(
    cursor: Any, totals: Mapping[TotalsTable, Totals], *, corrects: bool = False, known: Collection[TotalsTable] = ()
) -> None:
    """On PostgreSQL, through the scratch table, which is there and empty: one COPY, and one way there for all statements.
    `corrects`: what is added are corrections.

    Of the tables that are `known` all rows are there already, in one bucket each. TotalsGoneError: they are not; then nothing
    may be kept of this transaction.
    """
    added = totals if isinstance(totals, StreamedTotals) else StreamedTotals(totals)
    if not added:
        return
    with cursor.copy(f"COPY {added_table()} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(added.stream)
    # In key order, table by table: no two workers lock in different orders.
    statements = {
        table: _updating_sql(table, added.rows[table], sums)
        if table in known
        else _adding_sql(table, added.rows[table], corrects=corrects)
        for table, sums in added.items()
    }
    around = (_IN_KEY_ORDER, _AS_BEFORE) if any(table in known for table in added) else ("", "")
    cursor.execute(around[0] + "; ".join(statements.values()) + around[1], prepare=False)
    if around[0]:
        for table in statements:
            cursor.nextset()
            if cursor.rowcount != len(added[table]):
                raise TotalsGoneError(table.name)


def are_most(cursor: Any, table: TotalsTable, totals: Totals) -> bool:
    """Whether rows that are there, in one bucket, are not a few of many that these tenants have in it."""
    limit = READ_MAX * len(totals) + 1
    counting = count_totals_sql(table, int(totals.keys[0, 1]), np.unique(totals.keys[:, 0]).tolist(), limit)
    cursor.execute(f"{_IN_KEY_ORDER}{counting}{_AS_BEFORE}", prepare=False)
    cursor.nextset()
    return bool(cursor.fetchone()[0] < limit)


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


def _updating_sql(table: TotalsTable, rows: CopiedRows, totals: Totals) -> str:
    tenant_keys = np.unique(totals.keys[:, 0]).tolist()
    keys = ("tenant_key", *DIMENSIONS[: len(table.dimensions)])
    return update_totals_sql(table, copied_rows_sql(rows), int(totals.keys[0, 1]), tenant_keys, keys)


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
    added = np.concatenate(
        [totals.keys, totals.sums, *([totals.sums] if corrects and table.tells_reported else [])], axis=1
    )
    columns = [RowColumn(f"c{place}", column) for place, column in enumerate(added.T)]
    send_rows(connection, lambda source: add_totals_sql(table, source, corrects=corrects), columns)
