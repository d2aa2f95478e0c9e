"""What tells whether anything was committed since: two equal markers, and whatever was read in between is what it was."""

from collections.abc import Sequence
from typing import Any

from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.prepared import Statement, rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import find_later, found_once, scoped_reading

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


def marker_later(engine: Engine, scope: Scope) -> None:
    """Ask for the marker of a moment ahead of what else is asked of it."""
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, _asked(connection), {})
        find_later(connection, MARKER_QUESTION, lambda: _marker(rows()))


def _look(connection: Connection) -> str | None:
    return _marker(rows_of(connection, _asked(connection), {}))


def _asked(connection: Connection) -> Statement:
    return statement(f"SELECT {MARKER[connection.dialect.name]}")


def _marker(rows: Sequence[Sequence[Any]]) -> str | None:
    ((marker,),) = rows
    found: str | None = marker
    return found
