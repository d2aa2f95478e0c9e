"""Floating bars: a range from low to high with a mark at its middle, each in percent of the widest of them."""

from collections.abc import Iterable, Mapping
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


def overlap(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two ranges `{"low", "high"}` have anything in common."""
    return one["low"] <= other["high"] and other["low"] <= one["high"]
