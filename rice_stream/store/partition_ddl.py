"""Making and dropping partitions of `prompt_record` on PostgreSQL while others read and write.

Making takes no lock that a reader or a batch would wait for: a table of its own is made, then attached. Dropping detaches
concurrently, which waits for those who read and lets everybody else go on; cut short at any point, the next try finishes it.
"""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from rice_stream.instants import datetime_of
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import StoreUnavailableError, reading, store_errors, writing
from rice_stream.store.event_key_columns import key_floor
from rice_stream.store.lock_waits import DDL_LOCK_WAIT_S, end_hung_statement, limit_lock_waits, long_transactions
from rice_stream.store.partitions import (
    RecordPartition,
    is_partition_name,
    missing_partition,
    month_of,
    partitions_there,
)
from rice_stream.store.row_security import confine_partition
from rice_stream.store.trying_again import tried_again

MONTHS_AHEAD = 2
"""Partitions are there for the month that is, and for so many after it."""
DETACH_WAIT_S = 10
"""How long detaching waits for those who read; nobody waits behind it meanwhile."""
_WITHOUT_FILTERS = (
    "SELECT brin_desummarize_range(i.indexrelid, 0) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam WHERE i.indrelid = CAST(:name AS regclass) AND a.amname = 'brin'"
)
_TRIES = 3
_PAUSE_S = 0.5
_TO_BE_DROPPED = "rice-stream: retention drops this table"
"""The comment on a partition that retention detaches: without it, a detached table is somebody's archive."""


def make_partitions(engine: Engine, months: Iterable[int], *, from_month: int = 0) -> None:
    """Make the partitions that are missing for these months; those before `from_month` are never made.

    StoreUnavailableError: somebody holds `prompt_record` in a way that allows no new partition; it may be tried again.
    """
    with reading(engine) as connection:
        there = partitions_there(connection)
    for month in sorted(set(months)):
        if month < from_month:
            continue
        if missing_partition(month, there) is not None:
            tried_again(partial(_make, engine, month), _TRIES, pause_s=_PAUSE_S)
        elif half := next((one for one in there if one.is_being_detached and one.holds(month)), None):
            raise StoreUnavailableError(
                f"{half.name} is half detached and takes no records: finish what was begun"
                f" (ALTER TABLE prompt_record DETACH PARTITION {half.name} FINALIZE), then attach it again or rename it"
            )


def make_partitions_ahead(engine: Engine) -> None:
    """Make those of this month and of the next ones, by the database's clock; nothing on SQLite. As `make_partitions`."""
    if engine.dialect.name != "postgresql":
        return
    with reading(engine) as connection:
        this_month = month_of(datetime_of(database_now_us(connection)))
    make_partitions(engine, range(this_month, this_month + MONTHS_AHEAD + 1))


def drop_partitions_before(engine: Engine, horizon_us: int) -> int:
    """Drop all partitions of ours that hold nothing at or after the horizon, and older records elsewhere.

    Returns how many partitions went; none while another worker is at it. Keep the horizon first, in a transaction of its
    own: cut short, call it again. StoreUnavailableError: one is in use (who uses it is named); new queries do not see it.
    """
    with reading(engine) as turn:
        # Without parameters, and so without a portal that stays open: detaching would wait for its snapshot.
        if not turn.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({int(AdvisoryLock.DROP_PARTITIONS)})").scalar():
            return 0
        return _drop_before(engine, horizon_us)


def _drop_before(engine: Engine, horizon_us: int) -> int:
    low = key_floor(horizon_us // 1000)
    with reading(engine) as connection:
        there = [partition for partition in partitions_there(connection) if partition.is_ours]
        left = _detached(connection)
    old = [partition.name for partition in there if partition.high <= low.int]
    for name in (*left, *old):
        detach_and_drop(engine, name)
    for partition in there:
        if partition.low < low.int < partition.high:
            with writing(engine) as connection:
                connection.execute(text(f"DELETE FROM {partition.name} WHERE event_key < :low"), {"low": low})
    return len(left) + len(old)


def detach_and_drop(engine: Engine, name: str) -> None:
    """Drop one partition of ours. Readers and batches go on meanwhile, also those that are in the midst of it.

    For one caller at a time. It needs a connection of its own without a transaction. StoreUnavailableError: somebody has
    read `prompt_record` for long (named); new queries do not see the partition any more, and the next call goes on where this
    one ended.
    """
    if not is_partition_name(name):
        raise AssertionError(f"{name} is no partition of rice_stream's")
    with store_errors("drop a partition"), engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed in the end, with what is set here
        connection.exec_driver_sql(f"SET lock_timeout = '{DETACH_WAIT_S}s'")
        try:
            _detach(connection, name)
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
        except OperationalError as error:
            if not _is_lock_timeout(error):
                raise
            users = long_transactions(connection, DETACH_WAIT_S / 2)
            raise StoreUnavailableError(
                f"{name} is not dropped yet, for it may still be read: {users or 'by a long transaction in this database'}"
            ) from error
        finally:
            if not connection.invalidated:  # behind a pooler the session outlives this connection
                connection.exec_driver_sql("RESET lock_timeout")


def _detach(connection: Connection, name: str) -> None:
    there = partitions_there(connection)
    for partition in there:
        if partition.is_being_detached:  # of one table, PostgreSQL detaches one partition at a time
            quoted = connection.dialect.identifier_preparer.quote(partition.name)
            connection.exec_driver_sql(f"ALTER TABLE prompt_record DETACH PARTITION {quoted} FINALIZE")
    if any(partition.name == name and not partition.is_being_detached for partition in there):
        connection.exec_driver_sql(f"COMMENT ON TABLE {name} IS '{_TO_BE_DROPPED}'")
        connection.exec_driver_sql(f"ALTER TABLE prompt_record DETACH PARTITION {name} CONCURRENTLY")


def _detached(connection: Connection) -> list[str]:
    """Partitions that retention has detached and not dropped yet."""
    rows = connection.execute(
        text(
            "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND NOT c.relispartition"
            " AND c.relnamespace = CAST(current_schema() AS regnamespace) AND obj_description(c.oid, 'pg_class') = :mark"
        ),
        {"mark": _TO_BE_DROPPED},
    )
    return sorted(name for name in rows.scalars() if is_partition_name(name))


def _make(engine: Engine, month: int) -> None:
    with writing(engine) as connection:
        _make_within(connection, month)


def _make_within(connection: Connection, month: int) -> None:
    limit_lock_waits(connection, DDL_LOCK_WAIT_S)
    connection.execute(text(end_hung_statement()))
    hold(connection, AdvisoryLock.MAKE_PARTITIONS)
    # Asked again: another worker may have made it before this one had the lock.
    wanted = missing_partition(month, partitions_there(connection))
    if wanted is None:
        return
    if connection.scalar(text("SELECT to_regclass(:name)"), {"name": wanted.name}) is not None:
        if wanted.name not in _detached(connection):
            raise StoreUnavailableError(
                f"the table {wanted.name} is there and is no partition of prompt_record: attach it again, or rename it"
            )
        connection.exec_driver_sql(f"DROP TABLE {wanted.name}")
    connection.exec_driver_sql(f"CREATE TABLE {wanted.name} (LIKE prompt_record INCLUDING ALL)")
    # A new index has a filter of the first pages, empty as they are: 2,000 records would go into it one by one, in 0.15 ms each.
    connection.execute(text(_WITHOUT_FILTERS), {"name": wanted.name})
    confine_partition(connection, wanted.name)
    connection.exec_driver_sql(_attach_statement(wanted))


def _attach_statement(partition: RecordPartition) -> str:
    low, high = (UUID(int=number) for number in (partition.low, partition.high))
    return f"ALTER TABLE prompt_record ATTACH PARTITION {partition.name} FOR VALUES FROM ('{low}') TO ('{high}')"


def _is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "55P03"
