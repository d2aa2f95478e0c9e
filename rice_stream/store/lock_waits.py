"""How long a transaction waits for a lock on PostgreSQL: never without bound, and others never wait behind it for long.

Whoever waits for a heavy lock makes everybody wait who comes after, readers included. SQLite has one writer at a time, which
the others wait for as long as their connection says (`open_engine`).
"""

from sqlalchemy import Connection, text

LOCK_WAIT_S = 30
"""Within any transaction that changes something; past it, it fails as StoreUnavailableError and may be tried again."""
DDL_LOCK_WAIT_S = 2
"""For locks that hold up batches or readers meanwhile: little enough that nobody notices, tried again by who asks."""

HUNG_AFTER_S = 15
"""A process that hangs amid a transaction that others wait for: the server ends its session after this, which is less than they
wait."""


def limit_lock_waits(connection: Connection, seconds: float = LOCK_WAIT_S) -> None:
    """From here on to its end, the transaction waits no longer for any lock. Nothing on SQLite."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(limit_statement(seconds)))


def limit_statement(seconds: float = LOCK_WAIT_S) -> str:
    """The same as a statement of PostgreSQL."""
    return f"SET LOCAL lock_timeout = {round(seconds * 1000)}"


def end_hung_statement(seconds: float = HUNG_AFTER_S) -> str:
    """A statement of PostgreSQL: from here on to its end, the transaction is over once its client has asked for nothing for
    so long."""
    return f"SET LOCAL idle_in_transaction_session_timeout = {round(seconds * 1000)}"


def wait_for_batches(connection: Connection) -> None:
    """Wait for the batches in flight; until the end of the transaction no other batch begins to write.

    Every batch begins with a ROW SHARE lock on this table and keeps it until it commits, so that none can be in a deadlock
    with whoever calls this before locking anything else. On SQLite every writing transaction is alone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE watched_user IN EXCLUSIVE MODE"))


def long_transactions(connection: Connection, seconds: float) -> str:
    """Who has held a table of this database for longer, as text: `pid 4711 (pg_dump, since 01:02:03)`; empty: nobody."""
    rows = connection.execute(
        text(
            "SELECT a.pid, COALESCE(NULLIF(a.application_name, ''), a.usename::text), to_char(a.xact_start, 'HH24:MI:SS')"
            " FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.datname = current_database()"
            " AND a.xact_start < now() - make_interval(secs => :seconds) AND EXISTS (SELECT 1 FROM pg_locks l"
            " JOIN pg_class c ON c.oid = l.relation WHERE l.pid = a.pid AND l.granted"
            " AND c.relnamespace = CAST(current_schema() AS regnamespace)) ORDER BY a.xact_start, a.pid"
        ),
        {"seconds": seconds},
    )
    return ", ".join(f"pid {pid} ({name}, since {start})" for pid, name, start in rows)
