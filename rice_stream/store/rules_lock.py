"""The lock under which what events' keys depend on is changed."""

from sqlalchemy import Connection, text


def lock_rules(connection: Connection) -> None:
    """Until the end of the transaction no batch is stored, and nobody else changes what events' keys depend on.

    On SQLite every writing transaction is alone. On PostgreSQL it waits for two seconds at most, for the batches that
    begin meanwhile queue behind it; reading goes on.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        connection.execute(text("LOCK TABLE attribution_version IN EXCLUSIVE MODE"))
