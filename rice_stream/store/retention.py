"""Dropping old records while their totals stay. On PostgreSQL whole months go at once, as partitions."""

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, insert, update

from rice_stream.instants import datetime_of, epoch_us
from rice_stream.store import schema
from rice_stream.store.engine import reading, writing
from rice_stream.store.horizon import records_from_us
from rice_stream.store.partitions import existing_months, month_number, partition_name


def month_floor_us(moment: datetime) -> int:
    """Epoch microseconds of the first of the month (UTC) that the moment lies in."""
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return epoch_us(first)


def drop_records_before(engine: Engine, moment: datetime) -> int:
    """Drop all whole months before the moment's month; returns how many partitions (SQLite: records) went.

    The horizon is kept first and in the same transaction: `verify` compares only what is at or after it, and an event
    that comes again after its record was dropped is refused rather than counted twice.
    """
    horizon_us = month_floor_us(moment)
    with reading(engine) as connection:
        if records_from_us(connection) >= horizon_us:
            return 0
    with writing(engine) as connection:
        table = schema.retention
        if connection.execute(update(table).values(records_from_us=horizon_us)).rowcount == 0:
            connection.execute(insert(table).values(id=1, records_from_us=horizon_us))
        if connection.dialect.name == "postgresql":
            return _drop_partitions(connection, horizon_us)
        records = schema.prompt_record
        return connection.execute(delete(records).where(records.c.ended_at_us < horizon_us)).rowcount


def _drop_partitions(connection: Connection, horizon_us: int) -> int:
    horizon = datetime_of(horizon_us)
    first_kept = month_number(horizon.year, horizon.month)
    old = [month for month in existing_months(connection) if month < first_kept]
    for month in old:
        connection.exec_driver_sql(f"DROP TABLE {partition_name(month)}")
    return len(old)
