"""What tells whether anything was committed since: two equal markers, and whatever was read in between is what it was."""

from sqlalchemy import text

from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import found_once, scoped_reading

_SNAPSHOT = text("SELECT CAST(pg_current_snapshot() AS text)")


def progress_marker(engine: Engine, scope: Scope) -> str | None:
    """The snapshot of a transaction, as text; None where the database has none to compare (SQLite).

    PostgreSQL decides by it alone what a transaction sees. It covers the whole server: a commit elsewhere changes it as well.
    """
    with scoped_reading(engine, scope) as connection:
        if connection.dialect.name != "postgresql":
            return None
        return found_once(connection, "marker", lambda: str(connection.scalar(_SNAPSHOT)))
