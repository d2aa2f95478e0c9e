"""Points with their ranges over use, and names of the largest where there is room for them."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from rice_stream.api.console.drawing.plots import Tick
from rice_stream.api.console.drawing.rankings import Axis, axis_to

NAME_LENGTH = 28
"""Longer names are cut."""
_NAMES_MAX = 8
_CHARACTER, _LINE, _GAP = 1.35, 5.5, 2.2
"""About how much of the width a character takes, of the height a line, and of the width the distance from a point; percent."""

Side = Literal["right", "left", "above"]


class Dot(NamedTuple):
    """A point and the ends of its range, in percent from the left and from the top; `side` is where its name stands, if it does."""

    name: str
    x: float
    low: float
    mid: float
    high: float
    side: Side | None = None


class Scatter(NamedTuple):
    """A whole chart."""

    dots: list[Dot]
    across: Axis
    up: Axis

    @property
    def up_ticks(self) -> list[Tick]:
        """From the top."""
        return [Tick(100 - tick.place, tick.text) for tick in reversed(self.up.ticks)]


class _Box(NamedTuple):
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def scatter_of(rows: Sequence[tuple[str, float, Mapping[str, float]]]) -> Scatter:
    """Of (name, use, carbon `{"low", "mid", "high"}`), most carbon first: these are the first to have their names beside them."""
    across = axis_to(max((use for _, use, _ in rows), default=0.0), "count")
    up = axis_to(max((carbon["high"] for _, _, carbon in rows), default=0.0), "carbon")
    placed = [
        Dot(
            name,
            round(100 * use / across.end, 2),
            _down(each["low"], up),
            _down(each["mid"], up),
            _down(each["high"], up),
        )
        for name, use, each in rows
    ]
    taken = [_Box(dot.x - 1, dot.x + 1, dot.mid - 2, dot.mid + 2) for dot in placed]
    dots = [dot._replace(side=_side(dot, taken)) for dot in placed[:_NAMES_MAX]]
    return Scatter([*dots, *placed[_NAMES_MAX:]], across, up)


def _down(value: float, axis: Axis) -> float:
    return round(100 - 100 * value / axis.end, 2)


def _side(dot: Dot, taken: list[_Box]) -> Side | None:
    """Where the name lies over nothing that is there already; its place is taken then."""
    width = min(len(dot.name), NAME_LENGTH) * _CHARACTER
    x, top, bottom = dot.x, dot.mid - _LINE / 2, dot.mid + _LINE / 2
    boxes: dict[Side, _Box] = {
        "right": _Box(x + _GAP, x + _GAP + width, top, bottom),
        "left": _Box(x - _GAP - width, x - _GAP, top, bottom),
        "above": _Box(x - width / 2, x + width / 2, top - _LINE, bottom - _LINE),
    }
    for side, box in boxes.items():
        if box.left >= 0 and box.right <= 100 and not any(box.meets(other) for other in taken):
            taken.append(box)
            return side
    return None
