"""Temporary tables of a batch on PostgreSQL: what is copied there is compared or added in one statement.

They are made at the start of each transaction where they are not there yet, so that a pooler (PgBouncer in transaction mode)
may hand every transaction to another server session. Their names hold the schema's revision: a session that a pooler keeps
across an upgrade has tables of the shape before.
"""

from functools import cache
from typing import NamedTuple

from rice_stream.quantities import MEASURES
from rice_stream.store.probe import PROBE_COLUMNS
from rice_stream.store.revisions import head_revision
from rice_stream.store.totals_tables import TOTALS_TABLES, TotalsTable


@cache
def _revision() -> str:
    return head_revision()


def probe_table() -> str:
    """Where the keys are that are looked for among the records."""
    return f"probe_{_revision()}"


def added_table() -> str:
    """Where the sums are that a batch adds to all tables of totals: copied at once, added by one statement a table."""
    return f"added_{_revision()}"


DIMENSIONS = tuple(f"dimension_{number}" for number in range(max(len(table.dimensions) for table in TOTALS_TABLES)))
ADDED_TYPES = {
    "added_to": "int4",
    "tenant_key": "int4",
    "start_s": "int8",
    **dict.fromkeys(DIMENSIONS, "int4"),
    **dict.fromkeys(MEASURES, "int8"),
}
"""Column -> type of that table: `added_to` is the position in TOTALS_TABLES, 64 bits hold what one batch adds, though not always
what it is added to."""


class CopiedRows(NamedTuple):
    """Rows that were copied for one table; of another one, whose rows differ in when alone, all of them begin at `start_s`."""

    of: TotalsTable
    start_s: int | None = None


def added_rows_sql(totals: TotalsTable, copied: CopiedRows, *, corrects: bool = False) -> str:
    """What is added to a table, in its columns' order; with `corrects` once more, as what corrections add. The rows were copied in
    key order, and are read back in it."""
    start = "start_s" if copied.start_s is None else f"{copied.start_s}::int8"
    names = ["tenant_key", start, *DIMENSIONS[: len(totals.dimensions)], *MEASURES]
    names += MEASURES if corrects and totals.tells_reported else ()
    return f"SELECT {', '.join(names)} FROM {copied_rows_sql(copied)}"


def copied_rows_sql(copied: CopiedRows) -> str:
    """Which rows of the scratch table these are, as `a`: what comes after FROM, up to a condition."""
    return f"{added_table()} a WHERE a.added_to = {TOTALS_TABLES.index(copied.of)}"


def make_scratch_sql() -> str:
    """Statements that make all of them; quick where they are there."""
    probed = ", ".join(f"r.{name}" for name in PROBE_COLUMNS)
    statements = [
        "SET LOCAL client_min_messages = warning",  # each table that is there would be a notice
        (
            f"CREATE TEMP TABLE IF NOT EXISTS {probe_table()} ON COMMIT DELETE ROWS AS"
            f" SELECT 0::int AS line, {probed} FROM prompt_record r WITH NO DATA"
        ),
    ]
    columns = ", ".join(f"{name} {kind}" for name, kind in ADDED_TYPES.items())
    statements.append(f"CREATE TEMP TABLE IF NOT EXISTS {added_table()} ({columns}) ON COMMIT DELETE ROWS")
    return "; ".join(statements)
