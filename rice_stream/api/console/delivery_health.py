"""What every page says of deliveries that do not arrive: looked at once in a few seconds for each scope, however many pages ask."""

import logging
import threading
from collections.abc import Callable
from time import monotonic

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.kept import Figures
from rice_stream.api.product import Product
from rice_stream.errors import RiceError
from rice_stream.reports.deliveries import delivery_health
from rice_stream.store.scope import Scope

log = logging.getLogger(__name__)

HOLDS_S = 3.0
_SCOPES_MAX = 1_000


class KeptHealth:
    """For all threads of a server."""

    def __init__(self, product: Product, seconds: Callable[[], float] = monotonic) -> None:
        self._product = product
        self._seconds = seconds
        self._known: dict[Scope, tuple[float, Figures | None]] = {}
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Figures | None:
        """As `delivery_health` answers; None: all is well, or the database does not say (the page itself says that it is away)."""
        scope, now_s = caller.scope(Right.READ), self._seconds()
        with self._lock:
            kept = self._known.get(scope)
        if kept is not None and now_s - kept[0] <= HOLDS_S:
            return kept[1]
        found = self._look(scope)
        with self._lock:
            if len(self._known) >= _SCOPES_MAX:
                self._known.clear()
            self._known[scope] = now_s, found
        return found

    def forget(self) -> None:
        """What was changed on a page is seen on the next one."""
        with self._lock:
            self._known.clear()

    def _look(self, scope: Scope) -> Figures | None:
        try:
            found = delivery_health(self._product.engine(), scope, self._product.now())
        except RiceError as error:
            log.warning("a page does not say whether deliveries arrive: %s", error)
            return None
        return found if found["failing"] or found["disabled"] or found["overdue"] else None
