"""The tokens of the settings' database, where there is one: `serve` needs none as long as nobody makes a token."""

import time

from rice_stream.runtime.opening import database_exists, open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, store_errors
from rice_stream.store.http_tokens import LiveTokens, live_tokens, mark_used
from rice_stream.store.revisions import current_revision

ANSWERS_WITHIN_S = 5
"""How long PostgreSQL may take to be connected to, or be silent."""


class StoredTokens:
    """A `TokenSource`; opens the database with the first look, and again while that fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None

    def read(self) -> LiveTokens:
        """The tokens that may be used; none where there is no database. RiceError: it does not answer, or has another schema."""
        if self._engine is None and not database_exists(self._settings):
            return LiveTokens((), time.time_ns() // 1000)
        if self._engine is None:
            engine = open_store(self._settings, migrated=False, answers_within_s=ANSWERS_WITHIN_S)
            with store_errors("answer"):
                revision = current_revision(engine)
            engine.dispose()
            if revision is None:
                return LiveTokens((), time.time_ns() // 1000)
            self._engine = open_store(self._settings, answers_within_s=ANSWERS_WITHIN_S)
        return live_tokens(self._engine)

    def mark_used(self, ids: frozenset[int]) -> None:
        """Note that they were used. RiceError: the database does not take it."""
        if self._engine is not None:
            mark_used(self._engine, ids, time.time_ns() // 1000)
