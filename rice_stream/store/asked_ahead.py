"""Questions that are asked before their answers are needed: PostgreSQL works on them while others are worked out in Python."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from rice_stream.store.engine import Connection
from rice_stream.store.pipelines import await_answer, send_ahead
from rice_stream.store.prepared import Statement, as_of_sqlalchemy, column_names, named_rows_of, rows_of, sends_itself
from rice_stream.store.scoped import is_held_open

Rows = Sequence[Sequence[Any]]
T = TypeVar("T")


def rows_later(connection: Connection, asked: Statement, parameters: Mapping[str, Any]) -> Callable[[], Rows]:
    """Gives all rows of the answer, once.

    In a transaction that is held open (`reports.one_moment`) the statement is sent now, and waited for when that is called, which
    has to be in the same one; on an engine whose statements SQLAlchemy sends it is asked only then. In any other it is asked now.
    """
    answer = _answer_later(connection, asked, parameters)
    return answer if answer is not None else _asked_as_ever(connection, partial(rows_of, connection, asked, parameters))


def named_rows_later(
    connection: Connection, asked: Statement, parameters: Mapping[str, Any]
) -> Callable[[], tuple[list[str], Rows]]:
    """The same with the names of the columns before the rows."""
    answer = _answer_later(connection, asked, parameters)
    if answer is None:
        return _asked_as_ever(connection, partial(named_rows_of, connection, asked, parameters))
    sent = answer

    def named() -> tuple[list[str], Rows]:
        rows = sent()
        return sent.names, rows

    return named


class _Answer:
    """The answer to a statement that was sent."""

    def __init__(self, connection: Connection, cursor: Any) -> None:
        self._connection, self._cursor = connection, cursor

    def __call__(self) -> Rows:
        """Its rows, once."""
        with as_of_sqlalchemy(self._connection):
            await_answer(self._connection, self._cursor)
            rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    @property
    def names(self) -> list[str]:
        """Of its columns, once it has come."""
        return column_names(self._cursor)


def _answer_later(connection: Connection, asked: Statement, parameters: Mapping[str, Any]) -> _Answer | None:
    """None: it cannot be sent ahead."""
    if not is_held_open(connection) or not sends_itself(connection):
        return None
    with as_of_sqlalchemy(connection):
        return _Answer(connection, send_ahead(connection, asked.numbered, [parameters[name] for name in asked.names]))


def _asked_as_ever(connection: Connection, ask: Callable[[], T]) -> Callable[[], T]:
    if is_held_open(connection):
        return ask
    found = ask()
    return lambda: found
