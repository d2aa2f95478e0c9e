"""Statements that SQLite and PostgreSQL share, built from the schema."""

from typing import Any

from sqlalchemy import Table, func, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.batch import Batch, Conflict

PROGRESS_COUNTERS = ("events", "recorded", "duplicates", "conflicts", "quarantined", "gaps")


def insert_ignoring(table: Table, dialect: str) -> Insert:
    """INSERT that leaves rows alone whose unique key is there already."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def progress_upsert(dialect: str) -> Insert:
    """Add to a partition's counters; offsets only ever move outwards."""
    table = schema.kafka_progress
    statement: Any = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
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


def totals_columns(table: str) -> tuple[list[str], list[str]]:
    """(key columns, all columns) of a totals table."""
    columns = [column.name for column in schema.metadata.tables[table].columns]
    return [name for name in columns if name not in MEASURES], columns


def add_totals_sql(table: str, source: str) -> str:
    """`source` is `VALUES (...)` or `SELECT ... FROM ...`: rows in the table's column order."""
    keys, columns = totals_columns(table)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in MEASURES)
    # Only names from the schema go into the text; values are bound or copied.
    return f"INSERT INTO {table} ({', '.join(columns)}) {source} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"


def quarantine_rows(batch: Batch) -> list[dict[str, Any]]:
    """Rows of `quarantine` for the batch's rejections, in key order: two workers that hold the same ones cannot deadlock."""
    rows = [
        {
            "topic": rejection.record.topic,
            "partition": rejection.record.partition,
            "offset": rejection.record.offset,
            "item": rejection.item,
            "digest": rejection.digest,
            "reason": rejection.reason,
            "detail": rejection.detail,
            "payload": rejection.payload,
            "received_at_us": batch.received_at_us,
        }
        for rejection in batch.rejections
    ]
    return sorted(rows, key=lambda row: [row[name] for name in ("topic", "partition", "offset", "item", "digest")])


def conflict_rows(conflicts: list[Conflict], batch: Batch) -> list[dict[str, Any]]:
    """Rows of `conflict`, in key order."""
    rows: list[dict[str, Any]] = []
    for conflict in conflicts:
        progress = batch.progress[conflict.partition]
        rows.append(
            {
                "tenant_key": conflict.tenant_key,
                "event_key": conflict.event_key,
                "event_id": conflict.event_id,
                "digest": conflict.digest,
                "detail": conflict.detail,
                "topic": progress.topic,
                "partition": progress.partition,
                "offset": progress.last_offset,
                "received_at_us": batch.received_at_us,
            }
        )
    return sorted(rows, key=lambda row: [row[name] for name in ("tenant_key", "event_key", "digest")])
