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
    """Texts of one length."""
    # "replace" keeps the width: a character outside ASCII becomes "?" and is no digit.
    flat = np.frombuffer("".join(texts).encode("ascii", "replace"), dtype=np.uint8)
    return _parse(flat.reshape(len(texts), -1), shape)


def readable_lengths() -> tuple[int, ...]:
    """How long the usual spellings are, in characters."""
    return tuple(_SHAPES)


def parse_characters(characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`parse_times` of texts of one of the `readable_lengths`, given as their bytes, shape (n, length)."""
    return _parse(characters, _SHAPES[characters.shape[1]])


def _parse(characters: NDArray[np.uint8], shape: _Shape) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each row of `digits` holds one character place of all texts."""
    digits = np.ascontiguousarray(characters.T) - shape.zero
    within = digits <= shape.most
    good: NDArray[np.bool_] = np.ones(len(characters), dtype=np.bool_)
    if not within.all():
        good = np.logical_and.reduce(within, axis=0)
    # Events come in the order of time, so nearly all are of one day: then it is read once.
    dates = digits[:_DATE_CHARACTERS]
    days, of_calendar = _days(dates[:, :1] if (dates == dates[:, :1]).all() else dates)
    hour, minute, second = (_two_digits(digits, place) for place in (11, 14, 17))
    good &= of_calendar & (hour <= 23) & (minute <= 59) & (second <= 59)
    times_us = (hour * np.int64(3600) + minute * np.int64(60) + second) * SECOND_US + days * DAY_US
    if shape.fraction_digits:
        fraction = np.zeros(len(characters), dtype=np.int32)
        for place in range(shape.fraction_digits):
            fraction = fraction * np.int32(10) + digits[20 + place]
        times_us += fraction * np.int64(10 ** (6 - shape.fraction_digits))
    return times_us, good


def _two_digits(digits: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
    two: NDArray[np.uint8] = digits[place] * np.uint8(10) + digits[place + 1]
    return two


def _days(dates: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(days since 1970-01-01, whether the calendar has that day)."""
    year = _two_digits(dates, 0).astype(np.int64) * 100 + _two_digits(dates, 2)
    month, day = _two_digits(dates, 5), _two_digits(dates, 8)
    good = (year >= YEAR_MIN) & (year <= YEAR_MAX) & (month >= 1) & (month <= 12) & (day >= 1)
    month_index = np.where(good, (year - YEAR_MIN) * 12 + month - 1, 0)
    first_day = _MONTH_FIRST_DAY[month_index]
    return first_day + day - 1, good & (day <= _MONTH_FIRST_DAY[month_index + 1] - first_day)


_DATE_CHARACTERS = len("2026-11-22")
_MONTH_FIRST_DAY = np.arange(f"{YEAR_MIN}-01", f"{YEAR_MAX + 1}-02", dtype="M8[M]").astype("M8[D]").astype(np.int64)
"""Day number (since 1970-01-01) of the first of every month that an event may lie in, and of the month after."""
