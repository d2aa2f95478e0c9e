"""What pages show besides their own figures, of all that their caller sees: kept for as long as nothing is committed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import timedelta
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


class NotKnownError(Exception):
    """It was not asked before, and this is not the moment for it."""


class Around:
    """Of one scope as of one marker (`reports.progress`): whatever is asked a second time is known.

    To be asked within a moment of the scope: who holds a connection for something else must not wait for a second one. Outside of
    one there is `known`.
    """

    def __init__(self, product: Product, scope: Scope, marker: str | None) -> None:
        self.scope, self.marker = scope, marker
        self.is_quiet = False
        """Whether nothing was committed between two looks."""
        self._product = product
        self._looks = True
        self._found: dict[Hashable, Any] = {}

    def known(self) -> "Around":
        """The same, which looks at nothing: NotKnownError for what was not asked before."""
        only_known = Around(self._product, self.scope, self.marker)
        only_known._looks, only_known._found = False, self._found
        return only_known

    def once(self, question: Hashable, look: Callable[[], T]) -> T:
        """What `look` finds, or found before: `question` has to say all that it depends on besides scope and marker."""
        if question not in self._found:
            self._check_looks()
            found = look()
            if len(self._found) < _FOUND_MAX:
                self._found[question] = found
            return found
        known: T = self._found[question]
        return known

    def this_minute(self, question: Hashable, look: Callable[[], T]) -> T:
        """The same of what changes as time goes by without anything that is committed: as of the running minute.

        Where it must not look, as of the one before does as well: a minute may end while a page is worked out.
        """
        minute = self._product.now().replace(second=0, microsecond=0)
        if not self._looks and (question, minute) not in self._found:
            minute -= timedelta(minutes=1)
        return self.once((question, minute), look)

    def tenants(self) -> list[dict[str, str]]:
        """As `reports.tenants` answers."""
        return self.once("tenants", lambda: tenants(self._product.engine(), self.scope))

    def time_zone_of(self, tenant: str) -> str | None:
        """None: no such tenant is seen."""
        return next((each["time_zone"] for each in self.tenants() if each["tenant_id"] == tenant), None)

    def mappings(self) -> list[dict[str, Any]]:
        """As `reports.mappings` answers."""
        return self.once("mappings", lambda: mappings(self._product.engine(), self.scope))

    def health(self) -> dict[str, Any]:
        """As `delivery_health` answers: where there are channels, it changes by itself as time goes by."""
        known: dict[str, Any] | None = self._found.get("health")
        if known is None or known["channels"]:
            self._check_looks()
            known = self._found["health"] = delivery_health(self._product.engine(), self.scope, self._product.now())
        return known

    def _check_looks(self) -> None:
        if not self._looks:
            raise NotKnownError


class Surroundings:
    """For all threads of a server; of so many scopes at most, those that were asked for last."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._kept: OrderedDict[Scope, Around] = OrderedDict()
        self._lock = threading.Lock()

    def quiet(self, scope: Scope) -> Around | None:
        """What is known of a scope, where nothing was committed between two looks; its marker says whether it is still true."""
        with self._lock:
            kept = self._kept.get(scope)
        return kept.known() if kept is not None and kept.is_quiet else None

    def of(self, caller: Caller) -> Around:
        """What is around the pages of a caller now; within a moment of the caller's scope."""
        scope = caller.scope(Right.READ)
        marker, _ = self._product.moment(scope)
        with self._lock:
            kept = self._kept.get(scope)
            if kept is not None and marker is not None and kept.marker == marker:
                kept.is_quiet = True
            else:
                kept = self._kept[scope] = Around(self._product, scope, marker)
            self._kept.move_to_end(scope)
            while len(self._kept) > _SCOPES_MAX:
                self._kept.popitem(last=False)
        return kept
