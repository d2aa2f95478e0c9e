"""Figures that take long, worked out once for all who ask for the same while nothing has changed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from rice_stream.api.console.kept import Figures

_KEPT_MAX = 64


class Once:
    """For all threads of a server. A key has to say whose figures they are, and all that they depend on."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Figures] = OrderedDict()
        self._working: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, key: Hashable, work_out: Callable[[], Figures]) -> Figures:
        """What is known, or what `work_out` finds: one thread works it out, others that ask for the same wait for it.

        An error is everybody's own: whoever waited tries again.
        """
        with self._lock:
            if key in self._known:
                return self._known[key]
            own = self._working.setdefault(key, threading.Lock())
        with own:
            with self._lock:
                if key in self._known:
                    return self._known[key]
            try:
                found = work_out()
                with self._lock:
                    self._known[key] = found
                    while len(self._known) > _KEPT_MAX:
                        self._known.popitem(last=False)
            finally:
                with self._lock:
                    self._working.pop(key, None)
            return found
