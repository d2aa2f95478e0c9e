"""Temporary tables of a batch on PostgreSQL: what is copied there is compared or added in one statement.

They are made at the start of each transaction where they are not there yet, so that a pooler (PgBouncer in transaction mode)
may hand every transaction to another server session. Their names hold the schema's revision: a session that a pooler keeps
across an upgrade has tables of the shape before.
"""

from functools import cache

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


def added_table(totals: TotalsTable) -> str:
    """Where the sums are that a batch adds to a table of totals."""
    return f"added_{totals.name}_{_revision()}"


def added_types(totals: TotalsTable) -> dict[str, str]:
    """Column -> type of that table: 64 bits hold what one batch adds, though not always what it is added to."""
    return {name: "int8" if name == totals.start or name in MEASURES else "int4" for name in totals.columns}


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
    statements += [
        f"CREATE TEMP TABLE IF NOT EXISTS {added_table(table)} ({columns}) ON COMMIT DELETE ROWS"
        for table in TOTALS_TABLES
        for columns in [", ".join(f"{name} {kind}" for name, kind in added_types(table).items())]
    ]
    return "; ".join(statements)
