"""Rows of words that come again and again, each with a number: a dictionary that is asked for thousands at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.together.octets import WINDOW_BYTES_MAX, WORD_BYTES, Words
from rice_stream.quantities import Ints

NEW = -1
"""The number of a row that has none."""
_FIRST_SIZE = 256
_SLOTS_PER_ROW = 4
_PROBES_MAX = 32
"""Slots that a row may stand in. Whoever writes events could write rows that all want the same one: these get no number."""
_WORDS_MAX = WINDOW_BYTES_MAX // WORD_BYTES + 1
_MASK = 2**64 - 1


def _scattered(place: int) -> int:
    """An odd number whose bits say nothing about those of the next place's (the steps of SplitMix64)."""
    mixed = (place + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return (mixed ^ mixed >> 31) | 1


_MULTIPLIERS: Words = np.array([_scattered(place) for place in range(_WORDS_MAX)], dtype=np.uint64)


class InternedRows:
    """Rows of the same number of words; numbers count up from 0."""

    def __init__(self, words: int) -> None:
        self._multipliers = _MULTIPLIERS[:words]
        self._rows: Words = np.zeros((_FIRST_SIZE, words), dtype=np.uint64)
        self._count = 0
        self._empty_slots()

    def __len__(self) -> int:
        return self._count

    def find(self, rows: Words) -> Ints:
        """The number of each row, NEW where it has none; shapes (n, words) and (n,)."""
        slots = self._slots_of(rows)
        found = self._slots[slots]
        same = self._are(found, rows)
        if same.all():
            return found
        numbers = np.where(same, found, NEW)
        # Others may have taken a row's slot before it: it stands in one of the next, up to the first that is empty.
        left = np.flatnonzero(~same & (found != NEW))
        for _ in range(1, _PROBES_MAX):
            if not left.size:
                break
            slots[left] = (slots[left] + 1) % len(self._slots)
            found = self._slots[slots[left]]
            same = self._are(found, rows[left])
            numbers[left[same]] = found[same]
            left = left[~same & (found != NEW)]
        return numbers

    def add(self, rows: Words) -> Ints:
        """The number of each row, the next ones for those that have none, in order; NEW where there is no room for it."""
        numbers = self.find(rows)
        places = np.flatnonzero(numbers == NEW)
        if not places.size:
            return numbers
        unknown = rows[places]
        # As bytes in a dictionary, filled from the end, so that the first of equal rows stays.
        whole = np.dtype((np.void, unknown.shape[1] * WORD_BYTES))
        written: list[Any] = np.ascontiguousarray(unknown).view(whole).ravel().tolist()
        first = dict(zip(reversed(written), range(len(written) - 1, -1, -1), strict=True))
        firsts = np.fromiter(map(first.__getitem__, written), dtype=np.int64, count=len(written))
        distinct = np.flatnonzero(firsts == np.arange(len(firsts)))
        numbers[places] = self._append(unknown[distinct])[np.searchsorted(distinct, firsts)]
        return numbers

    def _are(self, numbers: Ints, rows: Words) -> NDArray[np.bool_]:
        """Whether the rows have these numbers; NEW is nobody's (and takes the last row, to have something to compare)."""
        alike = np.take(self._rows, numbers, axis=0) == rows
        numbered: NDArray[np.bool_] = numbers != NEW
        # Nearly always all are, which is found out much faster of all together than of each.
        if not alike.all():
            numbered &= alike.all(axis=1)
        return numbered

    def _append(self, rows: Words) -> Ints:
        """The numbers of rows that are all new; NEW for one that no slot is left for."""
        size = len(self._rows)
        while self._count + len(rows) > size:
            size *= 2
        if size > len(self._rows):
            more = np.zeros((size - len(self._rows), self._rows.shape[1]), dtype=np.uint64)
            self._rows = np.concatenate([self._rows, more])
            self._empty_slots()
            self._put(np.arange(self._count), self._slots_of(self._rows[: self._count]))
        numbers = self._count + np.arange(len(rows))
        placed = self._put(numbers, self._slots_of(rows))
        kept = placed != NEW
        if not kept.all():
            numbers = np.where(kept, self._count + np.cumsum(kept) - 1, NEW)
            self._slots[placed[kept]] = numbers[kept]
        added = int(np.count_nonzero(kept))
        self._rows[self._count : self._count + added] = rows[kept]
        self._count += added
        return numbers

    def _put(self, numbers: Ints, slots: Ints) -> Ints:
        """Put each number into its slot or one of the next, the first ones first; the slots, NEW where all were taken."""
        placed = np.full(len(numbers), NEW, dtype=np.int64)
        left = np.arange(len(numbers))
        for _ in range(_PROBES_MAX):
            free = left[self._slots[slots[left]] == NEW]
            # Of several that want a slot the last one written stays: the first of them.
            backwards = free[::-1]
            self._slots[slots[backwards]] = numbers[backwards]
            there = self._slots[slots[left]] == numbers[left]
            placed[left[there]] = slots[left[there]]
            left = left[~there]
            if not left.size:
                break
            slots[left] = (slots[left] + 1) % len(self._slots)
        return placed

    def _empty_slots(self) -> None:
        self._slots: Ints = np.full(_SLOTS_PER_ROW * len(self._rows), NEW, dtype=np.int64)
        self._shift = np.uint64(64 - (len(self._slots).bit_length() - 1))

    def _slots_of(self, rows: Words) -> Ints:
        hashes: Words = rows @ self._multipliers
        hashes ^= hashes >> np.uint64(32)
        hashes *= _MULTIPLIERS[0]
        return (hashes >> self._shift).astype(np.int64)
