"""Opening the database of the settings."""

from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, open_engine, store_errors
from rice_stream.store.revisions import current_revision, head_revision


def open_store(settings: Settings, *, migrated: bool = True) -> Engine:
    """The database of the settings. UsageError when its schema is not this version's (unless not asked to care)."""
    engine = open_engine(settings.database_url.get_secret_value())
    if migrated:
        with store_errors("answer"):
            current = current_revision(engine)
        head = head_revision()
        if current != head:
            raise UsageError(
                f"the database is at schema {current or 'none'}, this version works with {head}: run `rice-stream migrate`"
            )
    return engine
