"""RFC 3339 text -> integer microseconds, a whole column at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.instants import DAY_US, SECOND_US, YEAR_MAX, YEAR_MIN


class _Shape(NamedTuple):
    """One spelling of UTC: what must be subtracted from each character, and what may be left of it at most."""

    zero: NDArray[np.uint8]
    most: NDArray[np.uint8]
    fraction_digits: int


def _shape(fraction_digits: int, zone: str) -> _Shape:
    fraction = "." + "9" * fraction_digits if fraction_digits else ""
    template = np.frombuffer(f"9999-99-99T99:99:99{fraction}{zone}".replace("+00:00", "+oo:oo").encode(), np.uint8)
    digit = template == ord("9")
    zero = np.where(digit | (template == ord("o")), ord("0"), template)[:, None].astype(np.uint8)
    return _Shape(zero, np.where(digit, 9, 0)[:, None].astype(np.uint8), fraction_digits)


_SHAPES = {len(s.zero): s for zone in ("Z", "+00:00") for digits in (0, 3, 6) for s in [_shape(digits, zone)]}
"""Length of the text -> how it must be written; no two of these spellings are equally long."""


def parse_times(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(epoch microseconds, understood), both shape (n,).

    Understood are the usual spellings of UTC; any other text (offsets, lower case, nanoseconds, nonsense) is marked
    False and is for the caller to parse one by one.
    """
    lengths = list(map(len, texts))
    distinct = set(lengths)
    if len(distinct) == 1 and lengths[0] in _SHAPES:
        return _parse_column(texts, _SHAPES[lengths[0]])
    times_us = np.zeros(len(texts), dtype=np.int64)
    understood = np.zeros(len(texts), dtype=np.bool_)
    for length in distinct & _SHAPES.keys():
        rows = np.flatnonzero(np.array(lengths) == length)
        times_us[rows], understood[rows] = _parse_column([texts[i] for i in rows.tolist()], _SHAPES[length])
    return times_us, understood


def _parse_column(texts: Sequence[str], shape: _Shape) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Texts of one length. Each row of `digits` holds one character place of all of them."""
    # "replace" keeps the width: a character outside ASCII becomes "?" and is no digit.
    flat = np.frombuffer("".join(texts).encode("ascii", "replace"), dtype=np.uint8)
    digits = np.ascontiguousarray(flat.reshape(len(texts), -1).T) - shape.zero
    good: NDArray[np.bool_] = np.logical_and.reduce(digits <= shape.most, axis=0)

    def pair(first: int) -> NDArray[np.uint8]:
        two: NDArray[np.uint8] = digits[first] * np.uint8(10) + digits[first + 1]
        return two

    month, day, hour, minute, second = map(pair, (5, 8, 11, 14, 17))
    year = pair(0).astype(np.int64) * 100 + pair(2)
    good &= (year >= YEAR_MIN) & (year <= YEAR_MAX) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    month_index = np.where(good, (year - YEAR_MIN) * 12 + month - 1, 0)
    first_day = _MONTH_FIRST_DAY[month_index]
    good &= day <= _MONTH_FIRST_DAY[month_index + 1] - first_day
    seconds = hour * np.int64(3600) + minute * np.int64(60) + second
    times_us = (first_day + day - 1) * DAY_US + seconds * SECOND_US
    for place in range(shape.fraction_digits):
        times_us += digits[20 + place] * np.int64(10 ** (5 - place))
    return times_us, good


_MONTH_FIRST_DAY = np.arange(f"{YEAR_MIN}-01", f"{YEAR_MAX + 1}-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
"""Day number (since 1970-01-01) of the first of every month that an event may lie in, and of the month after."""
