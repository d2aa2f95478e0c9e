"""A worker without events commits no batch, and would judge budgets on another version's schema for ever: it looks by itself."""

import asyncio
from contextlib import suppress

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine, reading
from rice_stream.store.revisions import require_revision


class SchemaWatch:
    """Asks the database every `interval_s` whether its schema is still the `revision`."""

    def __init__(self, engine: Engine, revision: str, *, interval_s: float) -> None:
        self._engine = engine
        self._revision = revision
        self._interval_s = interval_s

    async def run(self) -> None:
        """Until cancelled. SchemaChangedError: another version has migrated the database."""
        while True:
            await asyncio.sleep(self._interval_s)
            with suppress(ServiceUnavailableError):  # whoever needs the database says so
                await asyncio.to_thread(self._look)

    def _look(self) -> None:
        with reading(self._engine) as connection:
            require_revision(connection, self._revision)
