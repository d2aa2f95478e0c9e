"""The tokens of the settings' database, where there is one: `serve` needs none as long as nobody makes a token."""

import time

from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine
from rice_stream.store.live_tokens import EndedToken, LiveTokens, live_tokens, mark_used, note_refused


class StoredTokens:
    """A `TokenSource`; opens the database with the first look, and again while that fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None

    def read(self) -> LiveTokens:
        """The tokens that may be used; none where there is no database. RiceError: it does not answer, or has another schema."""
        if self._engine is None:
            self._engine = open_own_store(self._settings)
        if self._engine is None:
            return LiveTokens((), time.time_ns() // 1000)
        return live_tokens(self._engine)

    def mark_used(self, ids: frozenset[int]) -> None:
        """Note that they were used. RiceError: the database does not take it."""
        if self._engine is not None:
            mark_used(self._engine, ids, time.time_ns() // 1000)

    def note_refused(self, token: EndedToken) -> None:
        """Keep it in the audit trail. RiceError: the database does not take it."""
        if self._engine is not None:
            note_refused(self._engine, token)
