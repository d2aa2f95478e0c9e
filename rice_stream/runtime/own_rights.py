"""What the login of a server may do beyond what its API needs."""

from rice_stream.runtime.database_role import may_write_records
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.settings.settings import Settings


class OwnRights:
    """The rights of the login that the settings name, each looked up once: another login is another server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._may_write_records: bool | None = None

    def may_write_records(self) -> bool:
        """Whether it may write records and totals. StoreUnavailableError: the database does not answer."""
        if self._may_write_records is None:
            engine = open_store(self._settings)
            try:
                self._may_write_records = may_write_records(engine)
            finally:
                engine.dispose()
        return self._may_write_records
