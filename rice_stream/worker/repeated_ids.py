"""Ids that this worker has recorded lately under another time: how a sender that repeats its ids is noticed."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.keys import digests_of_keys, times_of_keys_us

SLOTS = 2**19
"""Ids kept at hand, 16 bytes each (8 MB in all). A new id takes the place of one that shares its slot, so of the latest
50,000 records nine in ten are remembered, of the latest 500,000 a third or more."""


class RecentIds:
    """A table of slots: the last id of each, and the time under which it was recorded. For one thread at a time."""

    def __init__(self, slots: int = SLOTS) -> None:
        self._mask = np.uint64(slots - 1)
        self._ids = np.zeros(slots, dtype=np.uint64)
        self._times_us = np.zeros(slots, dtype=np.int64)

    def count_repeated(self, event_keys: NDArray[np.uint8]) -> int:
        """How many of the newly recorded keys, shape (n, 16), have an id that was recorded before at another time.

        An id is told by 64 bits of its digest: in a century of a thousand records a second one would be taken for another
        that is remembered less than once.
        """
        _, ids = digests_of_keys(event_keys)
        times_us = times_of_keys_us(event_keys)
        slots = (ids & self._mask).astype(np.intp)
        before = self._is_repeated(slots, ids, times_us)
        self._ids[slots] = ids
        self._times_us[slots] = times_us
        # Where an id is twice among the keys, its slot holds one of them now, and the other one is told by it.
        return int((before | self._is_repeated(slots, ids, times_us)).sum())

    def _is_repeated(
        self, slots: NDArray[np.intp], ids: NDArray[np.uint64], times_us: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = (self._ids[slots] == ids) & (self._times_us[slots] != times_us)
        return same
