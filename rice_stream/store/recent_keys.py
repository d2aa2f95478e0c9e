"""Keys that a writer has written lately: which of a batch's are likely to be known already, without asking the database."""

import numpy as np
from numpy.typing import NDArray

KEYS_MIN = 100_000
"""So many of the last keys are remembered, and at most twice as many and a batch: what a client sends again comes soon."""
_SLOTS = 1 << 19
"""Of a table, which more than half fill it only where a batch is that large."""
_EMPTY = np.uint64(0)
_SHIFT = np.uint64(64 - (_SLOTS.bit_length() - 1))

Digests = NDArray[np.uint64]


class RecentKeys:
    """Remembers a part of each key, as random as a digest. What it says is a guess: the database knows."""

    def __init__(self) -> None:
        self._now, self._before = _Table(), _Table()

    def rows_of(self, event_keys: NDArray[np.uint8]) -> NDArray[np.intp]:
        """The rows of keys that were added lately; shapes (n, 16) and (k,)."""
        digests = _digests(event_keys)
        return np.flatnonzero(self._now.has(digests) | self._before.has(digests))

    def add(self, event_keys: NDArray[np.uint8]) -> None:
        """Remember keys, shape (n, 16); those before the last KEYS_MIN may be forgotten for them."""
        if self._now.count >= KEYS_MIN:
            self._now, self._before = self._before, self._now
            self._now.clear()
        # Of a batch that no table holds a part is as good as none.
        self._now.add(_digests(event_keys[: _SLOTS // 2 - self._now.count]))


class _Table:
    """Numbers in the slots that their first bits name, or the next ones that are empty."""

    def __init__(self) -> None:
        self._slots: Digests = np.zeros(_SLOTS, dtype=np.uint64)
        self.count = 0

    def clear(self) -> None:
        self._slots.fill(_EMPTY)
        self.count = 0

    def has(self, digests: Digests) -> NDArray[np.bool_]:
        found = np.zeros(len(digests), dtype=np.bool_)
        left, slots = np.arange(len(digests)), _first_slots(digests)
        while left.size and self.count:
            there = self._slots[slots]
            same = there == digests[left]
            found[left[same]] = True
            further = ~same & (there != _EMPTY)
            left, slots = left[further], _next(slots[further])
        return found

    def add(self, digests: Digests) -> None:
        left, slots = digests, _first_slots(digests)
        while left.size:
            free = self._slots[slots] == _EMPTY
            # Of several that take one slot the last has it, and the others go on.
            self._slots[slots[free]] = left[free]
            further = self._slots[slots] != left
            left, slots = left[further], _next(slots[further])
        self.count += len(digests)


def _digests(event_keys: NDArray[np.uint8]) -> Digests:
    """The last eight bytes of each key, which are a digest's; none is 0."""
    return np.ascontiguousarray(event_keys[:, 8:]).view(np.uint64).ravel() | np.uint64(1)


def _first_slots(digests: Digests) -> NDArray[np.intp]:
    return (digests >> _SHIFT).astype(np.intp)


def _next(slots: NDArray[np.intp]) -> NDArray[np.intp]:
    return (slots + 1) % _SLOTS
