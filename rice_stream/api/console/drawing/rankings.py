"""Rankings: which neighbours cannot be told apart, and the axis that all their ranges stand on."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from rice_stream.api.console.drawing.plots import Tick, nice_top, value_ticks
from rice_stream.wording.amounts import Kind, Scale, scale_for

_PARTS = 4


class Run(NamedTuple):
    """Neighbours of which no two can be told apart, or one alone: first and last place, from 1."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def tied_runs(names: Sequence[str], uncertain: Sequence[Collection[str]]) -> list[Run]:
    """The whole ranking in runs, from the top; `uncertain` names for each place those that it cannot be told apart from.

    A run takes in the next one as long as that cannot be told apart from any of the run: so its words hold for every pair of it.
    What is in another run may still be near; `uncertain` has all of it.
    """
    runs: list[Run] = []
    first = 0
    for place in range(1, len(names) + 1):
        if place < len(names) and set(names[first:place]) <= set(uncertain[place]):
            continue
        runs.append(Run(first + 1, place))
        first = place
    return runs


class Axis(NamedTuple):
    """A horizontal axis from zero to `end`, in one unit."""

    end: float
    scale: Scale
    ticks: list[Tick]


def axis_to(largest: float, kind: Kind) -> Axis:
    """The axis with round ticks that the largest value stands on; the last tick has the unit."""
    in_unit = scale_for(kind, [largest]).size
    end = nice_top(largest / in_unit) * in_unit
    scale = scale_for(kind, [end])
    # From the left, what an upright axis has from the top.
    ticks = [Tick(100 - tick.place, tick.text) for tick in reversed(value_ticks(end, scale, _PARTS))]
    return Axis(end, scale, ticks)
