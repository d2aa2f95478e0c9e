"""A database that is opened with the first question to it, and again with later ones while that fails.

One question at a time tries; those that waited for it meanwhile share its failure: a database that says nothing costs each of
them as long as one try takes, however many they are.
"""

import threading
import time
from collections.abc import Callable

from rice_stream.errors import ServiceUnavailableError
from rice_stream.store.engine import Engine

FAILURE_HOLDS_S = 1.0
"""For how long nobody tries again."""


class OpenedOnce:
    """For several threads."""

    def __init__(self, open_it: Callable[[], Engine], seconds: Callable[[], float] = time.monotonic) -> None:
        """`open_it` blocks, and raises ServiceUnavailableError where the database does not answer."""
        self._open = open_it
        self._seconds = seconds
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._failure: tuple[float, ServiceUnavailableError] | None = None

    def engine(self) -> Engine:
        """The database. ServiceUnavailableError: it does not answer, or did not a moment ago; other errors as from opening it."""
        with self._lock:
            if self._engine is not None:
                return self._engine
            if self._failure is not None and self._seconds() - self._failure[0] < FAILURE_HOLDS_S:
                raise ServiceUnavailableError(str(self._failure[1])) from self._failure[1]
            try:
                self._engine = self._open()
            except ServiceUnavailableError as error:
                self._failure = self._seconds(), error
                raise
            return self._engine

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
