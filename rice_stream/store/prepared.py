"""Statements that PostgreSQL plans once: for an engine that is asked the same short questions all the time.

What SQLAlchemy adds to a short question takes as long as the question. Such an engine's are sent by the driver itself, as
they stand; its transactions, connections and errors are SQLAlchemy's as ever.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, TextClause, event, text

from rice_stream.store.pipelines import is_within, leave

_SENT_BEFORE = 0
"""Times that a connection has to have sent a statement, until it is prepared: a plan is made without a look at parameters, so the
first one is as good as any, and with many connections each would plan the same statement several times until then."""
_CURSOR = "rice_cursor"
"""Where a connection that sends by itself has its cursor."""
_PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")


class Statement(NamedTuple):
    """SQL with parameters such as `:name`, made ready once."""

    of_sqlalchemy: TextClause
    numbered: bytes
    """For the driver: parameters are `$1`, `$2`."""
    names: tuple[str, ...]


@lru_cache(maxsize=1024)
def statement(sql: str) -> Statement:
    """The statement; it is kept."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(sql)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
    return Statement(text(sql), numbered.encode(), names)


def rows_of(connection: Connection, asked: Statement, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """All rows of the answer."""
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        return connection.execute(asked.of_sqlalchemy, parameters).all()
    with as_of_sqlalchemy(connection):
        values = [parameters[name] for name in asked.names]
        cursor.execute(asked.numbered, values, prepare=None if values else False)
        rows: list[tuple[Any, ...]] = cursor.fetchall()  # within a pipeline the answer, or the error, comes only here
    return rows


def named_rows_of(
    connection: Connection, asked: Statement, parameters: Mapping[str, Any]
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """The names of the columns, and all rows."""
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        found = connection.execute(asked.of_sqlalchemy, parameters)
        return list(found.keys()), found.all()
    rows = rows_of(connection, asked, parameters)
    return column_names(cursor), rows


def column_names(cursor: Any) -> list[str]:
    """Those of the answer that a cursor of the driver has; `description` makes an object of each."""
    answer = cursor.pgresult
    return [answer.fname(place).decode() for place in range(answer.nfields)]


def sends_itself(connection: Connection) -> bool:
    """Whether its statements are sent by the driver itself."""
    return _CURSOR in connection.info


def run_plain(connection: Connection, statements: str) -> None:
    """Several statements without parameters, on one way to PostgreSQL; what they answer is left."""
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        connection.exec_driver_sql(statements).close()
    else:
        all_answered(connection)  # a pipeline takes one statement at a time
        with as_of_sqlalchemy(connection):
            cursor.execute(statements.encode(), prepare=False)


@contextmanager
def as_of_sqlalchemy(connection: Connection) -> Iterator[None]:
    """Errors of the driver as those of statements that SQLAlchemy sends."""
    from psycopg import Error

    try:
        yield
    except Error as error:
        # As it does where it sends by itself: a connection that is gone leaves the pool, and the error is of its kinds. Without the
        # cursor, which it would close.
        connection._handle_dbapi_exception(error, None, None, None, None)


def all_answered(connection: Connection) -> None:
    """Wait for all that `asked_ahead` has sent."""
    if is_within(connection):
        with as_of_sqlalchemy(connection):
            leave(connection)


def prepare_statements(engine: Engine) -> None:
    """Have statements prepared that come again and again, and planned without a look at their parameters.

    For questions about one tenant, one record or one page, which are answered by an index whatever they ask for; to plan them
    takes longer than to answer them. Not behind a pooler.
    """
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "before_cursor_execute", _leave_pipeline)
        engine.dispose()  # connections from before do not do it


def _leave_pipeline(connection: Connection, *_: Any) -> None:
    """SQLAlchemy expects an answer to what it sends before it sends anything else."""
    all_answered(connection)


def _prepare(connection: Any, record: Any) -> None:
    """A pooler such as PgBouncer gives every transaction another session: the process that it names is not the session's."""
    from psycopg import RawCursor

    with connection.cursor() as cursor:
        session = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
        if connection.info.backend_pid == session:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            connection.prepare_threshold = _SENT_BEFORE
            record.info[_CURSOR] = RawCursor(connection)
    connection.commit()
