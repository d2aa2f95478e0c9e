"""The last figures of each page, for the time in which the database does not answer: old numbers with their age, and no blank."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, NamedTuple

from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.revisions import SchemaChangedError

Figures = dict[str, Any]
_PAGES_MAX = 256


class Shown(NamedTuple):
    """Figures, and since when they are old; None: they are of now."""

    figures: Figures
    old_since: datetime | None


class KeptFigures:
    """For all threads of a server; of so many pages at most, those that were asked for last."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._pages: OrderedDict[Hashable, tuple[datetime, Figures]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, page: Hashable, look_up: Callable[[], Figures]) -> Shown:
        """What is looked up, or what was found last time where the database does not answer.

        `page` has to say whose view it is as well: what somebody else was shown is never taken. RiceError: as from the look-up,
        where there are no figures of before.
        """
        try:
            found = look_up()
        except (ServiceUnavailableError, SchemaChangedError) as error:
            return self._before(page, error)
        with self._lock:
            self._pages[page] = self._now(), found
            self._pages.move_to_end(page)
            while len(self._pages) > _PAGES_MAX:
                self._pages.popitem(last=False)
        return Shown(found, None)

    def _before(self, page: Hashable, error: RiceError) -> Shown:
        with self._lock:
            kept = self._pages.get(page)
        if kept is None:
            raise error
        return Shown(kept[1], kept[0])
