"""Stacked bars over time: whole ones as a path for each series, in a square of 1,000 by 1,000 that the page stretches; bars of time
that is not over, which are hatched, as rectangles in percent."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from operator import add
from typing import NamedTuple

from rice_stream.api.console.drawing.plots import SIDE, Tick, nice_top, value_ticks
from rice_stream.wording.amounts import Kind, Scale, scale_for

_FILLED = 0.74
"""What a bar takes of its place."""
_CAP = 0.18
"""Half of what the ends of a range take of it."""


class Rectangle(NamedTuple):
    """In percent from the left and from the top."""

    x: float
    y: float
    width: float
    height: float


class Series(NamedTuple):
    """A series of a stack, ready to be drawn. `style` is a class of the style sheet: `s1` to `s7`, `other`."""

    style: str
    name: str
    bars: str
    hatched: list[Rectangle]


class Stacks(NamedTuple):
    """A whole chart."""

    series: list[Series]
    ranges: str
    """From the low to the high end of each whole stack."""
    across: list[Tick]
    up: list[Tick]
    scale: Scale


def stacks_of(
    series: Sequence[tuple[str, str, Sequence[float]]],
    kind: Kind,
    across: Sequence[tuple[int, str]],
    *,
    incomplete: Collection[int] = (),
    ranges: Sequence[tuple[float, float] | None] = (),
) -> Stacks:
    """A chart of (style, name, values) series, lowest first, all of one length. `across`: (place, text) of ticks at bars;
    `incomplete`: places of bars whose time is not over; `ranges`: (low, high) of each whole stack."""
    count = max((len(values) for _, _, values in series), default=0)
    whole = [sum(values[place] for _, _, values in series) for place in range(count)]
    largest = max([*whole, *(each[1] for each in ranges if each)], default=0.0)
    scale = scale_for(kind, [largest])
    top = nice_top(largest / scale.size) * scale.size
    drawn, below = [], [0.0] * count
    begins, wide = _sides(count)
    for style, name, values in series:
        placed = [(place, below[place] / top, value / top) for place, value in enumerate(values) if value > 0]
        bars = "".join([_bar(begins[place], wide, *each) for place, *each in placed if place not in incomplete])
        hatched = [_rectangle(place, count, *each) for place, *each in placed if place in incomplete]
        drawn.append(Series(style, name, bars, hatched))
        below = list(map(add, below, values))
    ticks = [Tick(round((place + 0.5) / count * 100, 2), text) for place, text in across]
    spans = "".join(_range(place, count, each, top) for place, each in enumerate(ranges) if each and each[1] > 0)
    return Stacks(drawn, spans, ticks, value_ticks(top, scale), scale)


def _across(place: int, count: int) -> tuple[float, float]:
    """Where a bar begins and how wide it is, of 1."""
    return (place + (1 - _FILLED) / 2) / count, _FILLED / count


@lru_cache(maxsize=64)
def _sides(count: int) -> tuple[list[str], str]:
    """How the path of each bar begins, and how it goes across: the same in every chart of so many."""
    sides = [_across(place, count) for place in range(count)]
    return [f"M{x * SIDE:.1f} " for x, _ in sides], f"h{sides[0][1] * SIDE:.1f}v" if sides else ""


def _bar(begins: str, wide: str, low: float, height: float) -> str:
    high = height * SIDE
    return f"{begins}{(1 - low) * SIDE:.1f}v{-high:.1f}{wide}{high:.1f}z"


def _rectangle(place: int, count: int, low: float, height: float) -> Rectangle:
    x, width = _across(place, count)
    return Rectangle(*(round(each * 100, 2) for each in (x, 1 - low - height, width, height)))


def _range(place: int, count: int, ends: tuple[float, float], top: float) -> str:
    """An upright line with a cap at each end."""
    middle = (place + 0.5) / count * SIDE
    half = _CAP / count * SIDE
    low, high = ((1 - end / top) * SIDE for end in ends)
    cap = f"h{2 * half:.1f}"
    return f"M{middle:.1f} {low:.1f}V{high:.1f}M{middle - half:.1f} {low:.1f}{cap}M{middle - half:.1f} {high:.1f}{cap}"
