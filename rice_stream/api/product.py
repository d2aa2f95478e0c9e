"""What the API's routes share: the database, the clock, and threads for work that blocks."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from rice_stream.errors import ServiceUnavailableError
from rice_stream.runtime.opening import database_exists, open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine

AT_ONCE = 16
"""Requests that ask the database at a time; others wait for their turn."""
_ANSWERS_WITHIN_S = 5

P = ParamSpec("P")
T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Product:
    """For one server. The database is opened with the first question to it: events are taken without one as well."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = _utc_now) -> None:
        self.settings = settings
        self.now = now
        self._limiter: anyio.CapacityLimiter | None = None
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def engine(self) -> Engine:
        """The database. ServiceUnavailableError: it is not there, does not answer, or has another schema."""
        with self._lock:
            if self._engine is None:
                if not database_exists(self.settings):
                    raise ServiceUnavailableError(
                        "RICE_DATABASE_URL: there is no such database; run `rice-stream migrate`"
                    )
                self._engine = open_store(self.settings, answers_within_s=_ANSWERS_WITHIN_S, connections=AT_ONCE)
            return self._engine

    async def ask(self, question: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """The answer of a function that blocks, and so has a thread of its own for it."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        return await anyio.to_thread.run_sync(lambda: question(*args, **options), limiter=self._limiter)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
