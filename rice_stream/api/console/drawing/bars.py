"""Floating bars: a range from low to high with a mark at its middle, each in percent of the widest of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Bar(NamedTuple):
    """Where a range begins, has its middle, and ends: percent of the axis from its left end."""

    low: float
    mid: float
    high: float

    @property
    def width(self) -> float:
        """Of the range; never so thin that it is not seen."""
        return max(self.high - self.low, 0.4)


def axis_end(measures: Iterable[Mapping[str, float]]) -> float:
    """What 100 % of the axis is: the highest end of all."""
    return max((measure["high"] for measure in measures), default=0.0)


def bar_of(measure: Mapping[str, float], end: float) -> Bar:
    """The bar of a `{"low", "mid", "high"}` on an axis from zero to `end`."""
    if end <= 0:
        return Bar(0.0, 0.0, 0.0)
    return Bar(*(round(max(0.0, min(100.0, measure[name] / end * 100)), 3) for name in ("low", "mid", "high")))


def told_apart(ranges: Sequence[Mapping[str, float]]) -> list[tuple[int, int]]:
    """Brackets over neighbours in a ranking that cannot be told apart: (first, last) places, of two at least, from the top.

    A bracket begins with the first that no bracket before it holds, and has all that follow whose range overlaps its range.
    """
    brackets: list[tuple[int, int]] = []
    first = 0
    while first < len(ranges):
        last = first
        while last + 1 < len(ranges) and _overlap(ranges[first], ranges[last + 1]):
            last += 1
        if last > first:
            brackets.append((first, last))
        first = last + 1
    return brackets


def _overlap(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one["low"] <= other["high"] and other["low"] <= one["high"]
