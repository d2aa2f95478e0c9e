"""Lines with bands over time, as paths in a square of 1,000 by 1,000 that the page stretches, and ticks in percent of it."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rice_stream.wording.amounts import Kind, Scale, number, scale_for

SIDE = 1_000.0
_STEPS = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Point(NamedTuple):
    """A value with its range at a place on the horizontal axis (epoch seconds, say)."""

    at: float
    low: float
    mid: float
    high: float


class Tick(NamedTuple):
    """A place on an axis, in percent from the left or from the top, and its text."""

    place: float
    text: str


class Frame(NamedTuple):
    """What part of the plane is seen: `right > left`, and zero to `top`."""

    left: float
    right: float
    top: float

    def x(self, at: float) -> float:
        """Across, from 0 to SIDE."""
        return round((at - self.left) / (self.right - self.left) * SIDE, 2)

    def y(self, value: float) -> float:
        """Down, from 0 to SIDE: SVG counts from the top."""
        return round((1 - value / self.top) * SIDE, 2)


def nice_top(largest: float) -> float:
    """The end of an axis from zero that has the value on it and round ticks."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in _STEPS if step * power >= largest * (1 - 1e-9))


def value_ticks(top: float, scale: Scale, parts: int = 4) -> list[Tick]:
    """Ticks of an axis from zero, top first; the highest has the unit."""
    ticks = []
    for part in range(parts, -1, -1):
        value = top * part / parts
        unit = f" {scale.unit}" if part == parts and scale.unit else ""
        ticks.append(Tick(round(100 - 100 * part / parts, 2), f"{number(value / scale.size, 3)}{unit}"))
    return ticks


def line_path(frame: Frame, points: Iterable[tuple[float, float]]) -> str:
    """A line through (place, value)s."""
    drawn = [f"{frame.x(at):g} {frame.y(value):g}" for at, value in points]
    return f"M{' L'.join(drawn)}" if drawn else ""


def band_path(frame: Frame, points: Sequence[Point]) -> str:
    """The area between the lows and the highs."""
    if not points:
        return ""
    there = [(point.at, point.high) for point in points]
    back = [(point.at, point.low) for point in reversed(points)]
    return f"{line_path(frame, [*there, *back])} Z"


class Line(NamedTuple):
    """A line and its band, ready to be drawn. `style` is a class of the style sheet: `now`, `before`, `forecast`."""

    style: str
    name: str
    line: str
    band: str


class Plot(NamedTuple):
    """A whole chart; `unit_kind` and `scale` say what its ticks are in."""

    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    frame: Frame
    scale: Scale

    def place(self, at: float) -> float:
        """Where something stands on the horizontal axis, in percent from the left."""
        return self.frame.x(at) / SIDE * 100

    def height(self, value: float) -> float:
        """Where a value stands, in percent from the top."""
        return self.frame.y(value) / SIDE * 100


def plot_of(
    series: Sequence[tuple[str, str, Sequence[Point]]],
    kind: Kind,
    across: Sequence[tuple[float, str]],
    *,
    ends: tuple[float, float] | None = None,
    least_top: float = 0.0,
) -> Plot:
    """A chart of (style, name, points) series. `across`: (place, text) of the horizontal ticks; `ends`: of that axis, those of the
    points otherwise; `least_top`: a value that has to be seen, a limit say."""
    points = [point for _, _, each in series for point in each]
    places = [point.at for point in points]
    left, right = ends or (min(places, default=0.0), max(places, default=1.0))
    if right <= left:
        right = left + 1.0
    largest = max([least_top, *(point.high for point in points)])
    scale = scale_for(kind, [largest])
    frame = Frame(left, right, nice_top(largest / scale.size) * scale.size)
    lines = [
        Line(style, name, line_path(frame, [(p.at, p.mid) for p in each]), band_path(frame, each))
        for style, name, each in series
    ]
    ticks = [Tick(round(frame.x(at) / SIDE * 100, 2), text) for at, text in across if left <= at <= right]
    return Plot(lines, ticks, value_ticks(frame.top, scale), frame, scale)
