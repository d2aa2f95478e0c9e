"""Statements that are sent while answers of earlier ones are still to come: PostgreSQL works on them meanwhile.

A connection whose statements the driver sends itself (`prepared`) is in a pipeline from the first that is sent ahead until somebody
needs it otherwise: `leave` waits for all that was asked. An answer is waited for alone, with those that were asked before it.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

if TYPE_CHECKING:
    from psycopg import Pipeline

_PIPELINE = "rice_pipeline"
"""Where a connection has its pipeline, and what ends it."""


def send_ahead(connection: Connection, statement: bytes, parameters: list[Any]) -> Any:
    """The cursor that will have the answer, once `awaited`; raises what the driver does."""
    from psycopg import RawCursor

    driver: Any = connection.connection.driver_connection
    if _PIPELINE not in connection.info:
        context = driver.pipeline()
        connection.info[_PIPELINE] = context.__enter__(), context
    cursor = RawCursor(driver)
    cursor.execute(statement, parameters)
    # Or the server would keep what it has found until it is asked for the last of all answers.
    driver.pgconn.send_flush_request()
    driver.pgconn.flush()
    return cursor


def await_answer(connection: Connection, cursor: Any) -> None:
    """Wait until the cursor has its answer: those of statements after it may take longer."""
    pipeline: Pipeline | None = connection.info.get(_PIPELINE, (None,))[0]
    if pipeline is None:
        return  # it was left, with all answers
    driver: Any = connection.connection.driver_connection
    while cursor.pgresult is None:
        with driver.lock:
            driver.wait(_next_answer(pipeline))


def _next_answer(pipeline: "Pipeline") -> Generator[Any, Any, None]:
    """What the driver does for all answers at once."""
    from psycopg.generators import fetch_many

    results = yield from fetch_many(pipeline.pgconn)
    pipeline._process_results(pipeline.result_queue.popleft(), results)


def is_within(connection: Connection) -> bool:
    """Whether answers are still to come, or have not been asked for."""
    return not connection.closed and not connection.invalidated and _PIPELINE in connection.info


def leave(connection: Connection) -> None:
    """Have all answers come, so that the connection can be asked in any other way; raises what the driver does."""
    if is_within(connection):
        _, context = connection.info.pop(_PIPELINE)
        context.__exit__(None, None, None)


def abandon(connection: Connection) -> None:
    """The same where nobody waits for answers any more, because of an error that is on its way already."""
    if is_within(connection):
        from psycopg import Error

        with suppress(Error):
            leave(connection)
