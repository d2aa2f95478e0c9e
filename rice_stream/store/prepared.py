"""Statements that PostgreSQL plans once: for an engine that is asked the same short questions all the time."""

from typing import Any

from sqlalchemy import Engine, event

_SENT_BEFORE = 3
"""Times that a connection has to have sent a statement, until it is prepared."""


def prepare_statements(engine: Engine) -> None:
    """Have statements prepared that come again and again, and planned without a look at their parameters.

    For questions about one tenant, one record or one page, which are answered by an index whatever they ask for; to plan them
    takes longer than to answer them. Not behind a pooler.
    """
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare)
        engine.dispose()  # connections from before do not do it


def _prepare(connection: Any, _record: Any) -> None:
    """A pooler such as PgBouncer gives every transaction another session: the process that it names is not the session's."""
    with connection.cursor() as cursor:
        session = cursor.execute("SELECT pg_backend_pid()").fetchone()[0]
        if connection.info.backend_pid == session:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            connection.prepare_threshold = _SENT_BEFORE
    connection.commit()
