"""One caller's view of a page that looks again by itself: which moments its figures are of, and how it hears of changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import addresses
from rice_stream.api.console.around import Around, NotKnownError, Surroundings
from rice_stream.api.console.kept import Figures
from rice_stream.api.product import Product
from rice_stream.reports.begun_moment import begin_moment
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.progress import progress_marker
from rice_stream.reports.signs import Signs

LookUp = Callable[[Around, str], Figures]
"""Works out figures from what is around the page, and the address at which it hears that they have changed."""
Prepare = Callable[[Around], object]
"""Asks around what `LookUp` needs of it."""


class LiveView:
    """As `kept.LivePage`. The figures are of one moment, and so is what is around them; never two connections at a time, but for
    figures of several tenants, which have connections of their own."""

    def __init__(
        self,
        product: Product,
        surroundings: Surroundings,
        caller: Caller,
        tenant: str | None,
        look_up: LookUp,
        prepare: Prepare,
        *,
        adds_up: bool,
        is_piece: bool = False,
    ) -> None:
        """`adds_up`: the figures are totals, for the most part. `is_piece`: they are those of a piece of a page, which hears of
        changes for all of its pieces. NotFoundError: the caller may see nothing of the tenant."""
        self.health: dict[str, Any] | None = None
        self._product, self._surroundings, self._caller, self._tenant = product, surroundings, caller, tenant
        self._look_up, self._prepare = look_up, prepare
        self._own, self._scope = caller.scope(Right.READ), product.scope(caller, Right.READ, tenant)
        self._is_wide = product.is_wide(self._scope)
        self._around: Around | None = None
        self._adds_up, self._has_sign, self._is_begun = adds_up, False, False
        # Of several tenants figures take long: they are shown as long as theirs are the same, whatever else is committed.
        self._goes_by_marker = is_piece and not self._is_wide
        self._signs: Callable[[], Signs] | None = None

    @contextmanager
    def looked(self, *, anew: bool) -> Iterator[tuple[str | None, bool]]:
        """The caller's own moment; or already that of the figures, where all that is around them is known and still true."""
        quiet = None if self._is_wide else self._surroundings.quiet(self._own)
        if quiet is not None:
            with self._of_figures(anew=anew) as marker:
                if quiet.marker == marker and self._is_prepared(quiet):
                    self._around, self.health = quiet, quiet.health()
                    yield self._marked(marker), True
                    return
        with one_moment(self._product.engine(), self._own):
            self._around = self._surroundings.of(self._caller)
            self.health = self._around.health()
            yield self._marked(self._around.marker), False

    def sign(self) -> str | None:
        """None where the page is of less than its caller sees: that is another moment."""
        if self._around is not None:
            self._prepare(self._around)
        self._has_sign = self._scope == self._own
        return self.sign_held() if self._has_sign else None

    @contextmanager
    def held(self) -> Iterator[str | None]:
        """The moment of the figures."""
        with self._of_figures(anew=True, has_sign=self._has_sign) as marker:
            yield self._marked(marker)

    @contextmanager
    def _of_figures(self, *, anew: bool, has_sign: bool = False) -> Iterator[str | None]:
        engine = self._product.engine_for(self._scope)
        # Statements say the best order of their joins: to weigh all orders takes longer than the answer.
        with one_moment(engine, self._scope, keeps_join_order=not self._is_wide):
            if self._is_begun or self._is_wide or not anew:
                yield progress_marker(engine, self._scope)
                return
            now, adds_up = self._product.now(), self._adds_up
            signs = not has_sign and not self._goes_by_marker
            self._signs = begin_moment(engine, self._scope, now, signs=signs, adds_up=adds_up)
            self._is_begun = True
            try:
                yield progress_marker(engine, self._scope)
            finally:
                self._signs, self._is_begun = None, False

    def _is_prepared(self, known: Around) -> bool:
        try:
            known.health()
            self._prepare(known)
        except NotKnownError:
            return False
        return True

    def marker(self) -> str | None:
        """That of now."""
        return self._marked(self._product.moment(self._own)[0])

    def sign_held(self) -> str:
        """The address of the stream, with what is known already; of a piece of a page the marker, which no stream tells."""
        if self._goes_by_marker:
            marker = progress_marker(self._product.engine(), self._scope)
            if marker is not None:
                return marker
        signs = self._product.signs(self._scope) if self._signs is None else self._signs()
        self._signs = None
        return addresses.address("/v1/stream", [("tenant", self._tenant or ""), ("after", signs.id)])

    def figures(self, live: str) -> Figures:
        """As `LookUp`."""
        if self._around is None:
            raise RuntimeError("figures before it was looked what is around them")
        return self._look_up(self._around, live)

    def _marked(self, marker: str | None) -> str | None:
        """What waits to be sent changes signs as time goes by, without anything that is committed."""
        if marker is None or self.health is None:
            return None
        return f"{marker} {self.health['overdue']}"
