"""What is taken of the metered energy that events state: what is believed and can be true."""

from collections.abc import Callable
from dataclasses import replace

from rice_stream.basis import Basis
from rice_stream.events.columns import EventColumns
from rice_stream.events.metered_energy import Metered, plausible_energy

Believes = Callable[[int], bool]
"""Whether the word of the event in a row is believed."""


def taken_energy(events: EventColumns, believes: Believes) -> tuple[EventColumns, dict[int, list[int]]]:
    """The events with one sequence of `Metered` in the place of what they state, and flag -> rows in which it is not taken.

    An event that a gateway answered from its own cache ran no inference: nothing metered is taken of it, whatever it says.
    """
    taken: list[Metered | None] = [None] * len(events)
    flagged: dict[int, list[int]] = {}
    inference = events.inference.tolist()
    for row, (joules, boundary) in enumerate(zip(*events.energy, strict=True)):
        if joules is None or not inference[row]:
            continue
        if not believes(row):
            flagged.setdefault(Basis.EVENT_FACTORS_NOT_TRUSTED, []).append(row)
            continue
        taken[row] = plausible_energy(joules, boundary)
        if taken[row] is None:
            flagged.setdefault(Basis.EVENT_FACTOR_IMPLAUSIBLE, []).append(row)
    return replace(events, energy=(taken,) if any(taken) else ()), flagged
