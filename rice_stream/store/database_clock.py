"""What time it is by the database's clock: the one clock that all workers have in common."""

from sqlalchemy import Connection, text

from rice_stream.instants import SECOND_US

_POSTGRESQL = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)"
_SQLITE = f"SELECT CAST(strftime('%s', 'now') AS INTEGER) * {SECOND_US}"


def database_now_us(connection: Connection) -> int:
    """Epoch microseconds; on SQLite, which has its machine's clock, to the second."""
    now_us: int = connection.execute(
        text(_POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE)
    ).scalar_one()
    return now_us
