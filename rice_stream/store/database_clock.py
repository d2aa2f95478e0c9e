"""What time it is by the database's clock: the one clock that all workers have in common."""

import time

from sqlalchemy import Connection, text

POSTGRESQL_NOW_US = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
"""Epoch microseconds as an expression: that of the statement, not of the transaction, which may have waited."""


def database_now_us(connection: Connection) -> int:
    """Epoch microseconds. SQLite runs in this process: its clock is this machine's."""
    if connection.dialect.name == "sqlite":
        return time.time_ns() // 1000
    now_us: int = connection.execute(text(f"SELECT {POSTGRESQL_NOW_US}")).scalar_one()
    return now_us
