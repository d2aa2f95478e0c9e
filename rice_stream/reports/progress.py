"""What tells whether anything was committed since: two equal markers, and whatever was read in between is what it was."""

from rice_stream.store.engine import Connection, Engine
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import found_once, scoped_reading

MARKER = {"postgresql": "CAST(pg_current_snapshot() AS text)", "sqlite": "NULL"}
"""The marker in SQL."""
MARKER_QUESTION = "marker"
"""As `found_once` knows it."""


def progress_marker(engine: Engine, scope: Scope) -> str | None:
    """The snapshot of a transaction, as text; None where the database has none to compare (SQLite).

    PostgreSQL decides by it alone what a transaction sees. It covers the whole server: a commit elsewhere changes it as well.
    """
    with scoped_reading(engine, scope) as connection:
        return found_once(connection, MARKER_QUESTION, lambda: _look(connection))


def _look(connection: Connection) -> str | None:
    ((marker,),) = rows_of(connection, statement(f"SELECT {MARKER[connection.dialect.name]}"), {})
    found: str | None = marker
    return found
