"""Questions that are asked before their answers are needed: PostgreSQL works on them while others are worked out in Python."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rice_stream.store.engine import Connection
from rice_stream.store.pipelines import await_answer, send_ahead
from rice_stream.store.prepared import Statement, as_of_sqlalchemy, named_rows_of, sends_itself
from rice_stream.store.scoped import is_held_open

Rows = Sequence[Sequence[Any]]


def rows_later(connection: Connection, asked: Statement, parameters: Mapping[str, Any]) -> Callable[[], Rows]:
    """Gives all rows of the answer, once, as `named_rows_later`."""
    answer = named_rows_later(connection, asked, parameters)
    return lambda: answer()[1]


def named_rows_later(
    connection: Connection, asked: Statement, parameters: Mapping[str, Any]
) -> Callable[[], tuple[list[str], Rows]]:
    """Gives the names of the columns and all rows, once.

    In a transaction that is held open (`reports.one_moment`) the statement is sent now, and waited for when that is called, which
    has to be in the same one; on an engine whose statements SQLAlchemy sends it is asked only then. In any other it is asked now.
    """
    if not is_held_open(connection):
        found = named_rows_of(connection, asked, parameters)
        return lambda: found
    if not sends_itself(connection):
        return lambda: named_rows_of(connection, asked, parameters)
    with as_of_sqlalchemy(connection):
        cursor = send_ahead(connection, asked.numbered, [parameters[name] for name in asked.names])

    def awaited() -> tuple[list[str], Rows]:
        with as_of_sqlalchemy(connection):
            await_answer(connection, cursor)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return [column.name for column in cursor.description], rows

    return awaited
