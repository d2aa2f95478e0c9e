"""Which rows of totals a writer knows to be there: of these it says what is added, and none has to be looked for first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rice_stream.meter.amounts import Totals
from rice_stream.quantities import Ints
from rice_stream.store.totals_tables import TotalsTable

ROWS_MIN = 100
"""Of fewer rows of a table it is not kept in mind: they take as long either way."""
READ_MAX = 3
"""All rows of the tenants in a bucket are read for those that are changed: so many times as many at most."""
BUCKETS_KEPT = 3
"""Of a table: the one that is, the one before, and one for what comes late."""
KEYS_MAX = 200_000
"""Of a bucket; of one with more nothing is known."""
LOOKED_AT_EVERY = 32
"""So many batches later it is asked again how many rows a bucket has: others write them too."""

_MIXER = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class _Bucket:
    """What is known of one of a table."""

    numbers: NDArray[np.uint64]
    """Of keys, in order."""
    too_many: bool = False
    """Whether it has so many rows that it is not worth it."""
    trusted: int = 0
    """For so many batches more nobody is asked how many there are."""


class KnownTotals:
    """Remembers a number for each key that batches have written. What it says is a guess: rows may have gone meanwhile."""

    def __init__(self) -> None:
        self._buckets: dict[TotalsTable, dict[int, _Bucket]] = {}

    def known(
        self, added: Mapping[TotalsTable, Totals], are_most: Callable[[TotalsTable, Totals], bool]
    ) -> frozenset[TotalsTable]:
        """The tables all of whose rows are there, in one bucket, where they are not a few of many: `are_most` tells that of those
        that may have been written before, or by others."""
        return frozenset(table for table, totals in added.items() if self._knows(table, totals, are_most))

    def learn(self, added: Mapping[TotalsTable, Totals]) -> None:
        """What a batch has written is there."""
        for table, totals in added.items():
            start_s = _only_start_s(totals)
            if start_s is None:
                continue
            buckets = self._buckets.setdefault(table, {})
            numbers = _numbers(totals.keys)
            bucket = buckets.pop(start_s, None)
            if bucket is None:
                bucket = _Bucket(np.unique(numbers))
            elif not bucket.too_many:
                new = numbers[~_are_among(numbers, bucket.numbers)]
                bucket.numbers = np.union1d(bucket.numbers, new) if new.size else bucket.numbers
            if len(bucket.numbers) > KEYS_MAX:
                bucket.numbers, bucket.too_many = bucket.numbers[:0], True
            # As the last one of them, so that it stays longest.
            buckets[start_s] = bucket
            while len(buckets) > BUCKETS_KEPT:
                del buckets[next(iter(buckets))]

    def forget(self) -> None:
        """Nothing is known to be there."""
        self._buckets.clear()

    def _knows(self, table: TotalsTable, totals: Totals, are_most: Callable[[TotalsTable, Totals], bool]) -> bool:
        start_s = _only_start_s(totals)
        bucket = None if start_s is None else self._buckets.get(table, {}).get(start_s)
        if bucket is None or not len(totals) <= len(bucket.numbers) <= READ_MAX * len(totals):
            return False
        if not _are_among(_numbers(totals.keys), bucket.numbers).all():
            return False
        if not bucket.trusted:
            if not are_most(table, totals):
                bucket.numbers, bucket.too_many = bucket.numbers[:0], True
                return False
            bucket.trusted = LOOKED_AT_EVERY
        bucket.trusted -= 1
        return True


def _only_start_s(totals: Totals) -> int | None:
    """The bucket that all rows are of; None: there are several, or too few rows."""
    if len(totals) < ROWS_MIN:
        return None
    starts_s = totals.keys[:, 1]
    return int(starts_s[0]) if (starts_s == starts_s[0]).all() else None


def _numbers(keys: Ints) -> NDArray[np.uint64]:
    """One for each row, by tenant and dimensions; two rows hardly ever share one."""
    numbers = keys[:, 0].astype(np.uint64)
    for column in keys[:, 2:].T:
        numbers = numbers * _MIXER + column.astype(np.uint64)
    return numbers


def _are_among(numbers: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    places = np.searchsorted(ordered, numbers)
    found: NDArray[np.bool_] = ordered[np.minimum(places, len(ordered) - 1)] == numbers
    return found
