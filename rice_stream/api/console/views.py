"""One caller's view of a page that looks again by itself: which moments its figures are of, and how it hears of changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import addresses
from rice_stream.api.console.around import Around, Surroundings
from rice_stream.api.console.kept import Figures
from rice_stream.api.product import Product
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.progress import progress_marker

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
    ) -> None:
        """NotFoundError: the caller may see nothing of the tenant."""
        self.health: dict[str, Any] | None = None
        self._product, self._surroundings, self._caller, self._tenant = product, surroundings, caller, tenant
        self._look_up, self._prepare = look_up, prepare
        self._own, self._scope = caller.scope(Right.READ), product.scope(caller, Right.READ, tenant)
        self._around: Around | None = None

    @contextmanager
    def looked(self) -> Iterator[str | None]:
        """The caller's own moment."""
        with one_moment(self._product.engine(), self._own):
            self._around = self._surroundings.of(self._caller)
            self.health = self._around.health()
            yield self._marked(self._around.marker)

    def sign(self) -> str | None:
        """None where the page is of less than its caller sees: that is another moment."""
        if self._around is not None:
            self._prepare(self._around)
        return self.sign_held() if self._scope == self._own else None

    @contextmanager
    def held(self) -> Iterator[str | None]:
        """The moment of the figures."""
        engine = self._product.engine_for(self._scope)
        with one_moment(engine, self._scope):
            yield self._marked(progress_marker(engine, self._scope))

    def marker(self) -> str | None:
        """That of now."""
        return self._marked(self._product.moment(self._own)[0])

    def sign_held(self) -> str:
        """The address of the stream, with what is known already."""
        signs = self._product.signs(self._scope)
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
