"""What the login of a server may do beyond what its API needs, and the database with these rights."""

from rice_stream.runtime.database_role import may_write_records
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine


class OwnRights:
    """The rights of the login that the settings name, looked up once: another login is another server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._may_write_records: bool | None = None
        self._engine: Engine | None = None

    def engine(self) -> Engine | None:
        """The database by the login itself and not by the API's role, opened where it is needed; None: the login may not write
        records and totals. StoreUnavailableError: the database does not answer."""
        if self._engine is None and self._may_write_records is not False:
            engine = open_store(self._settings)
            try:
                self._may_write_records = may_write_records(engine)
            finally:
                if not self._may_write_records:
                    engine.dispose()
            self._engine = engine if self._may_write_records else None
        return self._engine

    def let_go(self) -> None:
        """Close it until it is needed again."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
