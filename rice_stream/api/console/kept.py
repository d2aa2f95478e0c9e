"""The last figures of each page: shown while the database does not answer, and while figures that take long are worked out."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.revisions import SchemaChangedError

log = logging.getLogger(__name__)

Figures = dict[str, Any]
SLOW_S = 0.5
"""Figures that took longer are shown as they were while they are worked out again."""
SHOWN_FOR = timedelta(minutes=1)
_PAGES_MAX = 256
_Away = (ServiceUnavailableError, SchemaChangedError)


class Shown(NamedTuple):
    """Figures, and as of when they are."""

    figures: Figures
    as_of: datetime
    old_since: datetime | None = None
    """Since when they are old because the database is away; None: it is not."""
    is_renewed: bool = False
    """Whether newer ones are being worked out: a page that looks again by itself has to, for nothing will tell it of them."""


@dataclass(frozen=True, slots=True)
class _Kept:
    figures: Figures
    at: datetime
    took_s: float

    def is_of(self, live: str, now: datetime) -> bool:
        """Whether nothing has changed since: windows move by the minute."""
        return self.figures.get("live") == live and _minute(self.at) == _minute(now)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


class KeptFigures:
    """For all threads of a server; of so many pages at most, those that were asked for last."""

    def __init__(self, now: Callable[[], datetime], seconds: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._seconds = seconds
        self._pages: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._renewed: set[Hashable] = set()
        self._lock = threading.Lock()

    def of(self, page: Hashable, look_up: Callable[[], Figures]) -> Shown:
        """What is looked up, or what was found last time where the database does not answer.

        `page` has to say whose view it is as well: what somebody else was shown is never taken. RiceError: as from the look-up,
        where there are no figures of before.
        """
        try:
            kept = self._looked_up(page, look_up)
        except _Away as error:
            return self._before(page, error)
        return Shown(kept.figures, kept.at)

    def of_live(self, page: Hashable, sign: Callable[[], str], look_up: Callable[[str], Figures]) -> Shown:
        """The same of a page that looks again by itself; figures that took long are shown for up to a minute while a thread works
        them out again. `sign` says the same as long as nothing has changed; it is asked first, and goes with the figures as `live`.
        """
        try:
            live = sign()
        except _Away as error:
            return self._before(page, error)

        def signed() -> Figures:
            return {"live": live, **look_up(live)}

        return self._at_once(page, live, signed) or self.of(page, signed)

    def _looked_up(self, page: Hashable, look_up: Callable[[], Figures]) -> _Kept:
        at, began_s = self._now(), self._seconds()
        found = look_up()
        kept = _Kept(found, at, self._seconds() - began_s)
        with self._lock:
            self._pages[page] = kept
            self._pages.move_to_end(page)
            while len(self._pages) > _PAGES_MAX:
                self._pages.popitem(last=False)
        return kept

    def _at_once(self, page: Hashable, live: str, look_up: Callable[[], Figures]) -> Shown | None:
        with self._lock:
            kept = self._pages.get(page)
        if kept is None or kept.took_s < SLOW_S:
            return None
        now = self._now()
        if kept.is_of(live, now):
            return Shown(kept.figures, kept.at)
        if now - kept.at > SHOWN_FOR:
            return None
        self._renew(page, look_up)
        return Shown(kept.figures, kept.at, is_renewed=True)

    def _renew(self, page: Hashable, look_up: Callable[[], Figures]) -> None:
        """In a thread that ends with the process, unless one is at it."""
        with self._lock:
            if page in self._renewed:
                return
            self._renewed.add(page)

        def work() -> None:
            try:
                self._looked_up(page, look_up)
            except RiceError as error:
                log.warning("figures of a page could not be worked out again: %s", error)
            finally:
                with self._lock:
                    self._renewed.discard(page)

        threading.Thread(target=work, name="rice-figures", daemon=True).start()

    def _before(self, page: Hashable, error: RiceError) -> Shown:
        with self._lock:
            kept = self._pages.get(page)
        if kept is None:
            raise error
        return Shown(kept.figures, kept.at, kept.at)
