"""Following the database's rules where nothing else speaks to the database: at the HTTP door."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.instants import SECOND_US
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.opening_rules import open_rules
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.identity_rules import StoredRules
from rice_stream.store.mapping_store import REFRESH_US

log = logging.getLogger(__name__)

_PAUSE_S = REFRESH_US / SECOND_US / 2


@contextmanager
def following_formats(settings: Settings) -> Iterator[Callable[[], FormatOptions]]:
    """How records are read, as the database of the settings says by now; as the settings say where there is no database.

    The settings may propose a new version. StoreUnavailableError: the database does not answer, so nothing is known.
    """
    engine = open_own_store(settings)
    if engine is None:
        formats = settings.format_options()
        yield lambda: formats
        return
    followed = FollowedFormats(open_rules(settings, engine))
    try:
        yield followed
    finally:
        followed.close()
        engine.dispose()


class FollowedFormats:
    """How records are read, looked up again in a thread of its own: events are taken also while the database is away.

    What was known last stands then. Nobody can change it meanwhile, except for a process that still reaches the database.
    """

    def __init__(self, rules: StoredRules) -> None:
        """StoreUnavailableError: the database does not answer, so nothing is known yet."""
        self._rules = rules
        self._formats = rules(time.time_ns() // 1000).formats
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._follow, name="rice-rules", daemon=True)
        self._thread.start()

    def __call__(self) -> FormatOptions:
        """The formats as of a few seconds ago."""
        return self._formats

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            try:
                self._formats = self._rules.look().formats
            except StoreUnavailableError as error:
                if not self._failing:
                    log.warning("the rules of who is charged are read as they were known last: %s", error)
                self._failing = True
            else:
                self._failing = False
