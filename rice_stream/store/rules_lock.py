"""The lock under which what events' keys depend on is changed."""

from sqlalchemy import Connection, text

from rice_stream.store.lock_waits import DDL_LOCK_WAIT_S, limit_lock_waits


def lock_rules(connection: Connection) -> None:
    """Until the end of the transaction no batch is stored, and nobody else changes what events' keys depend on.

    On SQLite every writing transaction is alone. On PostgreSQL it waits for a short while at most, for the batches that
    begin meanwhile queue behind it; reading goes on.
    """
    if connection.dialect.name == "postgresql":
        limit_lock_waits(connection, DDL_LOCK_WAIT_S)
        connection.execute(text("LOCK TABLE attribution_version IN EXCLUSIVE MODE"))
