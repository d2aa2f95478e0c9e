"""The last figures of each page: shown while nothing is committed, while the database does not answer, and while figures that take
long are worked out."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple, Protocol, TypeVar

from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.store.engine import StoreSlowError
from rice_stream.store.revisions import SchemaChangedError

log = logging.getLogger(__name__)

Figures = dict[str, Any]
T = TypeVar("T")
AFTERWARDS = "afterwards"
"""Among figures: what finds the rest of them, once their moment is over. It may ask for what others see."""
MARKER = "marker"
"""Among figures that are of one moment: its marker, by which is told what around the page is still true."""
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


class LivePage(Protocol):
    """A page that looks at its figures again by itself. All of it blocks, and raises RiceError as from the database."""

    def looked(self, *, anew: bool) -> AbstractContextManager[tuple[str | None, bool]]:
        """What its caller sees around it, while that is held: the marker of what is committed, None where there is none; and
        whether it is the moment that the figures are of. `anew`: they will be worked out, for there are none of before."""

    def sign(self) -> str | None:
        """Another one whenever figures have changed; None: that is to be asked within `held`."""

    def held(self) -> AbstractContextManager[str | None]:
        """The moment that the figures are of, and its marker."""

    def marker(self) -> str | None:
        """The marker of now."""

    def sign_held(self) -> str:
        """As `sign`, within `held`."""

    def figures(self, live: str) -> Figures:
        """Worked out, within `held`; they go with the sign as `live`."""


class PartOf(NamedTuple):
    """A page of which a part is asked for: what is known of the page holds it as well."""

    page: Hashable
    part: str


@dataclass(frozen=True, slots=True)
class _Kept:
    figures: Figures
    at: datetime
    took_s: float
    marker: str | None = None

    def is_of(self, live: str, now: datetime) -> bool:
        """Whether nothing has changed since: windows move by the minute."""
        return self.figures.get("live") == live and _minute(self.at) == _minute(now)

    def is_true(self, marker: str | None, now: datetime) -> bool:
        """Whether nothing at all was committed since."""
        return marker is not None and self.marker == marker and _minute(self.at) == _minute(now)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


class _Found(NamedTuple):
    """Figures as they were found; when that was begun; and the markers of all moments that they are of."""

    figures: Figures
    at: datetime
    began_s: float
    markers: set[str | None]


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
            kept = self._once_more(page, lambda: self._looked_up(page, look_up))
        except _Away as error:
            return self._before(page, error)
        return Shown(kept.figures, kept.at)

    def of_live(self, page: Hashable, view: LivePage) -> Shown:
        """The same of a page that looks again by itself. Figures are shown again within the minute that they are of for as long as
        nothing is committed; those that took long for up to a minute, while a thread works them out again.
        """
        try:
            return self._once_more(page, lambda: self._of_live(page, view))
        except _Away as error:
            return self._before(page, error)

    def _once_more(self, page: Hashable, look: Callable[[], T]) -> T:
        """A page of which there are no figures yet is asked for twice, where that takes the database too long: what it had to read
        for the first time, and to plan, it need not again."""
        try:
            return look()
        except StoreSlowError as error:
            if self._last(page) is not None:
                raise
            log.info("a page without earlier figures is asked for once more: %s", error)
        return look()

    def _of_live(self, page: Hashable, view: LivePage) -> Shown:
        with ExitStack() as moments:
            kept = self._last(page)
            marker, is_of_figures = moments.enter_context(view.looked(anew=kept is None))
            if kept is not None and kept.is_true(marker, self._now()):
                return Shown(kept.figures, kept.at)
            live = view.sign()
            if not is_of_figures:
                moments.close()
            at_once = None if live is None else self._at_once(page, live, view)
            found = at_once or self._found(page, view, marker, live, moments)
        return found if isinstance(found, Shown) else self._finished(page, view, found)

    def _found(
        self, page: Hashable, view: LivePage, marker: str | None, live: str | None, moments: ExitStack
    ) -> "_Found | Shown":
        """The figures of now but for what is found afterwards; or those of before where it turns out that they may be shown."""
        at, began_s = self._now(), self._seconds()
        # What is around the page is of a moment before: if anything was committed since, all of it is not of one.
        markers = {marker, moments.enter_context(view.held())}
        if live is None:
            live = view.sign_held()
            at_once = self._at_once(page, live, view)
            if at_once is not None:
                return at_once
        return _Found({"live": live, **view.figures(live)}, at, began_s, markers)

    def _finished(self, page: Hashable, view: LivePage, found: "_Found") -> Shown:
        afterwards = found.figures.pop(AFTERWARDS, None)
        if afterwards is not None:
            found.figures.update(afterwards())
            found.markers.add(view.marker())
        marker = found.markers.pop() if len(found.markers) == 1 else None
        kept = self._keep(page, found.figures, found.at, found.began_s, marker)
        return Shown(kept.figures, kept.at)

    def _looked_up(self, page: Hashable, look_up: Callable[[], Figures]) -> _Kept:
        at, began_s = self._now(), self._seconds()
        return self._keep(page, look_up(), at, began_s, None)

    def _keep(self, page: Hashable, found: Figures, at: datetime, began_s: float, marker: str | None) -> _Kept:
        kept = _Kept(found, at, self._seconds() - began_s, marker)
        with self._lock:
            self._pages[page] = kept
            self._pages.move_to_end(page)
            while len(self._pages) > _PAGES_MAX:
                self._pages.popitem(last=False)
        return kept

    def _last(self, page: Hashable) -> _Kept | None:
        with self._lock:
            kept = self._pages.get(page)
            return self._pages.get(page.page) if kept is None and isinstance(page, PartOf) else kept

    def _at_once(self, page: Hashable, live: str, view: LivePage) -> Shown | None:
        kept = self._last(page)
        if kept is None or kept.took_s < SLOW_S:
            return None
        now = self._now()
        if kept.is_of(live, now):
            return Shown(kept.figures, kept.at)
        if now - kept.at > SHOWN_FOR:
            return None
        self._renew(page, live, view)
        return Shown(kept.figures, kept.at, is_renewed=True)

    def _renew(self, page: Hashable, live: str, view: LivePage) -> None:
        """In a thread that ends with the process, unless one is at it."""
        with self._lock:
            if page in self._renewed:
                return
            self._renewed.add(page)

        def work() -> None:
            try:
                with ExitStack() as moments:
                    found = self._found(page, view, None, live, moments)
                if isinstance(found, _Found):
                    self._finished(page, view, found)
            except RiceError as error:
                log.warning("figures of a page could not be worked out again: %s", error)
            finally:
                with self._lock:
                    self._renewed.discard(page)

        threading.Thread(target=work, name="rice-figures", daemon=True).start()

    def _before(self, page: Hashable, error: RiceError) -> Shown:
        kept = self._last(page)
        if kept is None:
            raise error
        return Shown(kept.figures, kept.at, kept.at)
