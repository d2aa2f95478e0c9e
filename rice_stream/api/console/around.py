"""What pages show besides their own figures, of all that their caller sees: kept for as long as nothing is committed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.product import Product
from rice_stream.reports.deliveries import delivery_health
from rice_stream.reports.mappings import mappings
from rice_stream.reports.tenants import tenants
from rice_stream.store.scope import Scope

_SCOPES_MAX = 256
_FOUND_MAX = 64
T = TypeVar("T")


class Around:
    """Of one scope as of one marker (`reports.progress`): whatever is asked a second time is known.

    To be asked within a moment of the scope: who holds a connection for something else must not wait for a second one.
    """

    def __init__(self, product: Product, scope: Scope, marker: str | None) -> None:
        self.scope, self.marker = scope, marker
        self._product = product
        self._found: dict[Hashable, Any] = {}

    def once(self, question: Hashable, look: Callable[[], T]) -> T:
        """What `look` finds, or found before: `question` has to say all that it depends on besides scope and marker."""
        if question not in self._found:
            found = look()
            if len(self._found) < _FOUND_MAX:
                self._found[question] = found
            return found
        known: T = self._found[question]
        return known

    def tenants(self) -> list[dict[str, str]]:
        """As `reports.tenants` answers."""
        return self.once("tenants", lambda: tenants(self._product.engine(), self.scope))

    def mappings(self) -> list[dict[str, Any]]:
        """As `reports.mappings` answers."""
        return self.once("mappings", lambda: mappings(self._product.engine(), self.scope))

    def health(self) -> dict[str, Any]:
        """As `delivery_health` answers: where there are channels, it changes by itself as time goes by."""
        known: dict[str, Any] | None = self._found.get("health")
        if known is None or known["channels"]:
            known = self._found["health"] = delivery_health(self._product.engine(), self.scope, self._product.now())
        return known


class Surroundings:
    """For all threads of a server; of so many scopes at most, those that were asked for last."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._kept: OrderedDict[Scope, Around] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Around:
        """What is around the pages of a caller now; within a moment of the caller's scope."""
        scope = caller.scope(Right.READ)
        marker, _ = self._product.moment(scope)
        with self._lock:
            kept = self._kept.get(scope)
            if kept is None or marker is None or kept.marker != marker:
                kept = self._kept[scope] = Around(self._product, scope, marker)
            self._kept.move_to_end(scope)
            while len(self._kept) > _SCOPES_MAX:
                self._kept.popitem(last=False)
        return kept
