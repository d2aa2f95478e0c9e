"""Statements that SQLite and PostgreSQL share, built from the schema."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, func, literal_column
from sqlalchemy.sql.dml import Insert

from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.totals_tables import TotalsTable

PROGRESS_COUNTERS = ("events", "recorded", "duplicates", "conflicts", "quarantined", "older_than_retention", "gaps")


def _insert(table: Table, dialect: str) -> Any:
    """INSERT with the database's own ON CONFLICT. A dialect takes long to load: the other database's is not."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def insert_ignoring(table: Table, dialect: str) -> Insert:
    """INSERT that leaves rows alone whose unique key is there already."""
    statement: Insert = _insert(table, dialect).on_conflict_do_nothing()
    return statement


def progress_upsert(dialect: str) -> Insert:
    """Add to a partition's counters; offsets only ever move outwards."""
    table = schema.kafka_progress
    statement = _insert(table, dialect)
    new = statement.excluded
    greatest, least = (func.greatest, func.least) if dialect == "postgresql" else (func.max, func.min)
    changes: dict[str, Any] = {name: table.c[name] + new[name] for name in PROGRESS_COUNTERS}
    # Offsets between the last batch and this one that were never seen: holes of compaction and transactions, or loss.
    changes["gaps"] = (
        table.c.gaps
        + new.gaps
        + greatest(new.first_offset - table.c.last_offset - literal_column("1"), literal_column("0"))
    )
    changes["first_offset"] = least(table.c.first_offset, new.first_offset)
    changes["last_offset"] = greatest(table.c.last_offset, new.last_offset)
    changes["committed_at_us"] = new.committed_at_us
    upsert: Insert = statement.on_conflict_do_update(index_elements=[table.c.topic, table.c.partition], set_=changes)
    return upsert


def insert_replacing(table: Table, dialect: str) -> Insert:
    """INSERT that puts a row in the place of the one with its primary key: one statement, so that two never collide."""
    statement = _insert(table, dialect)
    changes = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    upsert: Insert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
    return upsert


def add_totals_sql(table: TotalsTable, source: str, *, corrects: bool = False) -> str:
    """Add to totals. `source` is `VALUES (...)` or `SELECT ... FROM ...`: rows in the table's column order, with `corrects`
    followed by what of them corrections have added (`corrected_columns`)."""
    # Null where nothing has: neither side changes that.
    corrected = "{0} = COALESCE({1}.{0} + excluded.{0}, {1}.{0}, excluded.{0})" if corrects else None
    return upsert_totals_sql(table, source, "{0} = {1}.{0} + excluded.{0}", corrected)


def upsert_totals_sql(table: TotalsTable, source: str, change: str, corrected: str | None = None) -> str:
    """Insert rows of totals; where one is there, `change` says what becomes of each measure (`{0}`; `{1}` is the table), and
    `corrected` what becomes of what corrections have added; None: the rows do not have that."""
    changes = [change.format(name, table.name) for name in MEASURES]
    columns = list(table.columns)
    if corrected is not None:
        changes += [corrected.format(name, table.name) for name in table.corrected_columns]
        columns += table.corrected_columns
    # Only names from the description of the table go into the text; values are bound or copied.
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) {source}"
        f" ON CONFLICT ({', '.join(table.key_columns)}) DO UPDATE SET {', '.join(changes)}"
    )


def update_totals_sql(
    table: TotalsTable, added: str, start_s: int, tenant_keys: Sequence[int], keys: Sequence[str]
) -> str:
    """Add to totals whose rows are there, all in one bucket. `added` says which rows of which table `a` are added; `keys` are its
    columns for tenant and dimensions."""
    changes = ", ".join(f"{name} = t.{name} + a.{name}" for name in MEASURES)
    matched = (f"t.{name} = a.{own}" for name, own in zip(("tenant_key", *table.dimensions), keys, strict=True))
    bucket = _in_bucket(table, start_s, tenant_keys)
    return f"UPDATE {table.name} t SET {changes} FROM {added} AND {bucket} AND {' AND '.join(matched)}"


def count_totals_sql(table: TotalsTable, start_s: int, tenant_keys: Sequence[int], limit: int) -> str:
    """How many rows these tenants have in a bucket, up to a limit."""
    there = f"SELECT 1 FROM {table.name} t WHERE {_in_bucket(table, start_s, tenant_keys)} LIMIT {limit}"
    return f"SELECT count(*) FROM ({there}) AS there"


def _in_bucket(table: TotalsTable, start_s: int, tenant_keys: Sequence[int]) -> str:
    return f"t.{table.start} = {start_s} AND t.tenant_key = ANY ('{{{','.join(map(str, tenant_keys))}}}'::int4[])"
