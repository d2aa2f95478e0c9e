"""Rows of words that come again and again, each with a number: a dictionary that is asked for thousands at once."""

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
        seen: dict[bytes, int] = {}
        distinct: list[int] = []
        of_distinct: list[int] = []
        for place, row in enumerate(map(bytes, unknown)):
            number = seen.get(row)
            if number is None:
                number = seen[row] = len(distinct)
                distinct.append(place)
            of_distinct.append(number)
        numbers[places] = self._append(unknown[distinct])[of_distinct]
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
        while self._count + len(rows) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._empty_slots()
            for number, slot in enumerate(self._slots_of(self._rows[: self._count]).tolist()):
                self._put(number, slot)
        numbers = []
        for slot in self._slots_of(rows).tolist():
            kept = self._put(self._count, slot)
            numbers.append(self._count if kept else NEW)
            self._count += kept
        found = np.array(numbers, dtype=np.int64)
        self._rows[found[found != NEW]] = rows[found != NEW]
        return found

    def _put(self, number: int, slot: int) -> bool:
        slots, last = self._slots, len(self._slots)
        for step in range(slot, slot + _PROBES_MAX):
            if slots.item(step % last) == NEW:
                slots[step % last] = number
                return True
        return False

    def _empty_slots(self) -> None:
        self._slots: Ints = np.full(_SLOTS_PER_ROW * len(self._rows), NEW, dtype=np.int64)
        self._shift = np.uint64(64 - (len(self._slots).bit_length() - 1))

    def _slots_of(self, rows: Words) -> Ints:
        hashes: Words = rows @ self._multipliers
        hashes ^= hashes >> np.uint64(32)
        hashes *= _MULTIPLIERS[0]
        return (hashes >> self._shift).astype(np.int64)
