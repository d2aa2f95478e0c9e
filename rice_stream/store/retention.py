"""Dropping old records while their totals stay. On PostgreSQL whole months go at once, as partitions.

First the horizon moves, in a short transaction of its own that waits for the batches in flight. Every batch reads it in
its own transaction (`retained.py`), so from then on nothing is recorded before it, and what lies there can go at leisure.
"""

from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from rice_stream.instants import DAY_US, SECOND_US, datetime_of, rfc3339
from rice_stream.store import schema
from rice_stream.store.archive.kept import unarchived_from_us
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import reading, writing
from rice_stream.store.event_key_columns import key_bound
from rice_stream.store.horizon import records_from_us
from rice_stream.store.in_parts import in_parts
from rice_stream.store.partition_ddl import drop_partitions_before
from rice_stream.store.partitions import month_of
from rice_stream.store.retention_plan import Seen, month_floor_us
from rice_stream.store.retention_state import changing_state, save_state

_BY = Actor("worker", "retention")


def drop_records_before(engine: Engine, moment: datetime) -> int:
    """Move the horizon to the moment's month and drop what lies before it; returns how many partitions (SQLite: records)
    went. The horizon never moves back."""
    move_horizon(engine, month_floor_us(moment))
    return drop_what_is_past(engine)


def move_horizon(engine: Engine, horizon_us: int, *, only_archived: bool = False) -> bool:
    """Nothing that ended before is recorded from now on; False: the horizon is there already, or further on.

    `only_archived`: it stops at the month (UTC) in which the first signed month begins that is not wholly in the archive.
    """
    with changing_state(engine, after_batches=True) as connection:
        if only_archived:
            horizon_us = archived_until_us(connection, horizon_us)
        before_us = records_from_us(connection)
        if before_us >= horizon_us:
            return False
        save_state(connection, records_from_us=horizon_us, planned_from_us=None, planned_at_us=None)
        horizons = {"records_from": rfc3339(before_us) if before_us else None}, {"records_from": rfc3339(horizon_us)}
        record(connection, _BY, [AuditedChange("retention.drop", "records", "", None, *horizons)])
    return True


def archived_until_us(connection: Connection, horizon_us: int) -> int:
    """How far the horizon may move towards the given one and leave no signed month behind that is not wholly in the archive."""
    first_us = unarchived_from_us(connection, horizon_us)
    return horizon_us if first_us is None else month_floor_us(datetime_of(first_us))


def drop_what_is_past(engine: Engine) -> int:
    """Drop all records from before the horizon, those that an earlier run left over too; returns how many partitions
    (SQLite: records) went."""
    with reading(engine) as connection:
        horizon_us = records_from_us(connection)
    if engine.dialect.name == "postgresql":
        dropped = drop_partitions_before(engine, horizon_us) if horizon_us else 0
        if dropped:
            _forget_listed(engine, horizon_us)
        return dropped
    return _delete_records(engine, horizon_us)


def _forget_listed(engine: Engine, horizon_us: int) -> None:
    """Lists of ids from before the horizon, which is the beginning of a month; cut short, they go with the next month."""
    month = month_of(datetime_of(horizon_us))
    with writing(engine) as connection:
        for table in (schema.event_id_list, schema.event_id_gap):
            connection.execute(delete(table).where(table.c.month < month))


def seen_by(connection: Connection, now_us: int) -> Seen:
    """How late it is by the clock, and by what the ledger holds."""
    progress, days = schema.kafka_progress, schema.tenant_day_total
    committed_us = connection.scalar(select(func.max(progress.c.committed_at_us)))
    day_s = connection.scalar(select(func.max(days.c.day_start_s)))
    return Seen(now_us, committed_us, None if day_s is None else day_s * SECOND_US + DAY_US)


def _delete_records(engine: Engine, horizon_us: int) -> int:
    """Tenant by tenant, some at a time: keys begin with the time, so that the old ones of a tenant lie together."""
    records = schema.prompt_record
    with reading(engine) as connection:
        tenant_keys = connection.scalars(select(schema.tenant.c.tenant_key)).all()
    dropped = 0
    for tenant_key in tenant_keys:
        past = (records.c.tenant_key == tenant_key) & (records.c.event_key < key_bound("sqlite", horizon_us // 1000))
        dropped += in_parts(engine, partial(_delete_some, past))
    return dropped


def _delete_some(past: ColumnElement[bool], connection: Connection, at_once: int) -> int:
    records = schema.prompt_record
    some = select(records.c.event_key).where(past).order_by(records.c.event_key).limit(at_once).subquery()
    last = select(func.max(some.c.event_key)).scalar_subquery()
    return connection.execute(delete(records).where(past, records.c.event_key <= last)).rowcount
