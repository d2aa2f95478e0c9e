"""Which answers would be the same if they were worked out again: those about time that is over, in which nothing has changed since.

The tag of an answer is made of the answer itself, and so is true of it whatever this remembers. What is remembered spares the
work: in which state of the ledger an answer was given. Late events, corrections and changed time zones change the state.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

_KEPT_MAX = 10_000


class StretchState(NamedTuple):
    """What the totals of a stretch depend on."""

    prompts: int
    """On the days of the stretch, of whom the question is about."""
    last_change: int
    """The last entry of the audit trail."""


class KnownAnswers:
    """Tags of answers by their questions, each with the state in which it was given; those asked for last. For several threads."""

    def __init__(self, most: int = _KEPT_MAX) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[StretchState, str]] = OrderedDict()
        self._lock = threading.Lock()

    def tag(self, question: Hashable, state: StretchState) -> str | None:
        """The tag of the answer, where it was given in this state; None: it has to be worked out."""
        with self._lock:
            kept = self._kept.get(question)
            if kept is None or kept[0] != state:
                return None
            self._kept.move_to_end(question)
            return kept[1]

    def keep(self, question: Hashable, state: StretchState, tag: str) -> None:
        """An answer was given; the state was looked at before it was worked out."""
        with self._lock:
            self._kept[question] = state, tag
            self._kept.move_to_end(question)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
