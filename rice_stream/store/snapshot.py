"""One consistent moment of the database, for reports that ask more than one question beside a live worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from rice_stream.store.prepared import run_plain
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import found_once, is_held, is_held_open, scoped_reading

_WORK_MEM = "256MB"
"""What one sort or hash of a report may use on PostgreSQL before it goes to disk; its default suits small queries."""
_BEGIN = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL work_mem = '{_WORK_MEM}'"
_KEEP_JOIN_ORDER, _WEIGH_JOIN_ORDERS = (f"SET LOCAL join_collapse_limit = {limit}" for limit in ("1", "DEFAULT"))
_HASHES = "SET LOCAL enable_sort = off"
"""A plan that is made without a look at its parameters takes rows for few, and sorts them: to hash them takes half as long."""
KEEPS_JOIN_ORDER = "keeps join order"
"""Whether all statements of a transaction that is held open do so, as `found_once` knows it."""


@contextmanager
def snapshot(engine: Engine, scope: Scope, *, keeps_join_order: bool = False) -> Iterator[Connection]:
    """A read-only transaction in which every statement sees the same commits: all of a batch or nothing of it.

    It waits for no writer and no writer waits for it. `keeps_join_order`: PostgreSQL joins as statements say, for those whose best
    order is known; to weigh all orders of the seven tables behind a prompt takes it 15 ms, and to read a hundred prompts 3.
    StoreUnavailableError: the database did not answer.
    """
    begin = f"{_BEGIN}; {_KEEP_JOIN_ORDER}; {_HASHES}" if keeps_join_order else _BEGIN
    with scoped_reading(engine, scope, begins_with=begin) as connection:
        # SQLite needs no more: a transaction sees one state from its first read on (write-ahead log).
        if connection.dialect.name != "postgresql":
            yield connection
        elif not is_held_open(connection):
            if not is_held(connection):
                run_plain(connection, begin)
            yield connection
        elif keeps_join_order and not found_once(connection, KEEPS_JOIN_ORDER, lambda: False):
            connection.exec_driver_sql(_KEEP_JOIN_ORDER)
            yield connection
            connection.exec_driver_sql(_WEIGH_JOIN_ORDERS)
        else:
            yield connection


@contextmanager
def without_scans(connection: Connection) -> Iterator[None]:
    """Statements for which PostgreSQL reads no whole table where an index says which parts of it to read."""
    if connection.dialect.name != "postgresql":
        yield
        return
    run_plain(connection, "SET LOCAL enable_seqscan = off")
    yield
    run_plain(connection, "SET LOCAL enable_seqscan TO DEFAULT")
