"""Opening the database for the HTTP server: every transaction needs a scope, which PostgreSQL holds it to."""

from contextlib import suppress

from rice_stream.errors import ServiceUnavailableError
from rice_stream.runtime.database_role import check_role
from rice_stream.runtime.loopback import is_loopback
from rice_stream.runtime.opening import database_exists, open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, store_errors
from rice_stream.store.prepared import prepare_statements
from rice_stream.store.revisions import current_revision
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import READ_TIMEOUT_S, confined, within

ANSWERS_WITHIN_S = 5
"""How long PostgreSQL may take to be connected to, or be silent."""


def open_api_store(
    settings: Settings,
    *,
    connections: int = 4,
    statement_timeout_s: float | None = READ_TIMEOUT_S,
    prepared: bool = False,
) -> Engine:
    """The database of the settings, confined. The errors of `open_store`, and DatabaseRoleError.

    `prepared`: it is asked short questions (`store.prepared`).
    """
    engine = open_store(settings, answers_within_s=ANSWERS_WITHIN_S, connections=connections, asks_first=not prepared)
    if prepared:
        prepare_statements(engine)
    try:
        role = check_role(engine, on_loopback=is_loopback(settings.http_host))
    except BaseException:
        engine.dispose()
        raise
    return confined(engine, role=role, statement_timeout_s=statement_timeout_s)


def open_own_store(settings: Settings) -> Engine | None:
    """The same for what the server reads and notes for itself, such as tokens: it sees everything.

    None: there is no database, or nothing is in it.
    """
    if not database_exists(settings):
        return None
    engine = open_store(settings, migrated=False, answers_within_s=ANSWERS_WITHIN_S)
    with store_errors("answer"):
        revision = current_revision(engine)
    engine.dispose()
    if revision is None:
        return None
    return within(open_api_store(settings, statement_timeout_s=None), EVERYTHING)


def check_login(settings: Settings) -> None:
    """DatabaseRoleError where `serve` must not start with this database; nothing is known while the database is away."""
    with suppress(ServiceUnavailableError):
        engine = open_own_store(settings)
        if engine is not None:
            engine.dispose()
