"""RFC 3339 text -> integer microseconds, a whole column at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rice_stream.events import YEAR_MAX, YEAR_MIN

_SHAPES = {20: (0, b"Z"), 24: (3, b"Z"), 27: (6, b"Z"), 25: (0, b"+00:00"), 29: (3, b"+00:00"), 32: (6, b"+00:00")}
"""Length of the text -> (digits of the second's fraction, how UTC is written)."""
_PUNCTUATION = {4: ord("-"), 7: ord("-"), 10: ord("T"), 13: ord(":"), 16: ord(":")}
_DAY_US = 86_400_000_000


def parse_times(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(epoch microseconds, understood), both shape (n,).

    Understood are the usual spellings of UTC; any other text (offsets, lower case, nanoseconds, nonsense) is marked
    False and is for the caller to parse one by one.
    """
    n = len(texts)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    times_us = np.zeros(n, dtype=np.int64)
    understood = np.zeros(n, dtype=np.bool_)
    for length, (fraction_digits, zone) in _SHAPES.items():
        rows = np.flatnonzero(lengths == length)
        if rows.size == 0:
            continue
        chosen = texts if rows.size == n else [texts[i] for i in rows.tolist()]
        # "replace" keeps the width: a character outside ASCII becomes "?" and fails the digit check.
        flat = np.frombuffer("".join(chosen).encode("ascii", "replace"), dtype=np.uint8)
        columns = np.ascontiguousarray(flat.reshape(rows.size, length).T)
        times_us[rows], understood[rows] = _parse_columns(columns, fraction_digits, zone)
    return times_us, understood


def _parse_columns(
    columns: NDArray[np.uint8], fraction_digits: int, zone: bytes
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`columns[p]` holds character p of every text."""
    good = np.ones(columns.shape[1], dtype=np.bool_)
    marks = {**_PUNCTUATION, **({19: ord(".")} if fraction_digits else {})}
    marks |= {columns.shape[0] - len(zone) + k: mark for k, mark in enumerate(zone)}
    for position, mark in marks.items():
        good &= columns[position] == mark

    def number(first: int, count: int) -> NDArray[np.int32]:
        value = np.zeros(columns.shape[1], dtype=np.int32)
        for position in range(first, first + count):
            digit = columns[position] - np.uint8(ord("0"))
            np.logical_and(good, digit <= 9, out=good)
            value = value * 10 + digit
        return value

    year, month, day = number(0, 4), number(5, 2), number(8, 2)
    hour, minute, second = number(11, 2), number(14, 2), number(17, 2)
    fraction = number(20, fraction_digits)
    good &= (year >= YEAR_MIN) & (year <= YEAR_MAX) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    month_index = np.where(good, (year - YEAR_MIN) * 12 + month - 1, 0)
    first_day = _MONTH_FIRST_DAY[month_index]
    good &= day <= _MONTH_FIRST_DAY[month_index + 1] - first_day
    seconds = (hour * 60 + minute) * 60 + second
    times_us = (first_day + day - 1) * _DAY_US + seconds * np.int64(1_000_000)
    return times_us + fraction * np.int64(10 ** (6 - fraction_digits)), good


_MONTH_FIRST_DAY = np.arange(f"{YEAR_MIN}-01", f"{YEAR_MAX + 1}-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
"""Day number (since 1970-01-01) of the first of every month that an event may lie in, and of the month after."""
