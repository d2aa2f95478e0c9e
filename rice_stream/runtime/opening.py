"""Opening the database of the settings."""

from pathlib import Path

from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, database_file, open_engine, store_errors
from rice_stream.store.revisions import check_revision, current_revision, head_revision


def open_store(
    settings: Settings,
    *,
    migrated: bool = True,
    answers_within_s: int | None = None,
    connections: int = 4,
    asks_first: bool = True,
) -> Engine:
    """The database of the settings, with so many connections kept open at most; the options of `open_engine`.

    SchemaChangedError when its schema is not this version's (unless not asked to care).
    """
    url = settings.database_url.get_secret_value()
    engine = open_engine(url, answers_within_s=answers_within_s, connections=connections, asks_first=asks_first)
    if migrated:
        try:
            with store_errors("answer"):
                current = current_revision(engine)
            check_revision(current, head_revision())
        except BaseException:
            engine.dispose()
            raise
    return engine


def database_exists(settings: Settings) -> bool:
    """False where the settings name a file of SQLite that is not there: opening it would make it."""
    file = database_file(settings.database_url.get_secret_value())
    return not file or Path(file).exists()
