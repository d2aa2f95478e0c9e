"""Stacked bars of 100 %, one for each day, on a square that the page stretches; days without anything stay empty."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from rice_stream.api.console.drawing.plots import Tick

_FILLED = 0.82
"""Of a day's width."""
_TICKS = 7


class BarPiece(NamedTuple):
    """A part of a bar, in percent from the top; `style` is its class."""

    style: str
    top: float
    height: float


class DayBar(NamedTuple):
    """One day's bar, in percent from the left."""

    day: date
    left: float
    width: float
    pieces: list[BarPiece]


class DayBars(NamedTuple):
    """All of them, and the days that are named under them."""

    bars: list[DayBar]
    across: list[Tick]


def day_bars_of(first: date, last: date, shares: Mapping[date, Sequence[tuple[str, float]]]) -> DayBars:
    """A bar for every day from the first to the last, both included; each day's (style, share of 1) from the bottom up."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    step = 100 / len(days)
    bars = []
    for number, day in enumerate(days):
        pieces, height = [], 0.0
        for style, share in shares.get(day, ()):
            if share:
                pieces.append(BarPiece(style, round(100 - height - 100 * share, 3), round(100 * share, 3)))
            height += 100 * share
        bars.append(DayBar(day, round(number * step + step * (1 - _FILLED) / 2, 3), round(step * _FILLED, 3), pieces))
    every = max(1, -(-len(days) // _TICKS))
    named = list(range(len(days) - 1, -1, -every))
    across = [
        Tick(round((number + 0.5) * step, 3), f"{days[number].day} {days[number]:%b}") for number in sorted(named)
    ]
    return DayBars(bars, across)
