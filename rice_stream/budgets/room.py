"""How much a budget leaves before something has to be announced: what is surely less needs no hurry. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rice_stream.budgets.definition import Budget, exact
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed

BOUNDLESS = 1 << 80
"""More than any amount that is stored."""


class Room(NamedTuple):
    """What may be added to a tenant's totals: as long as it is less than each of these, no threshold is reached by it."""

    carbon_mid_ugco2e: int
    facility_energy_uwh: int
    until: datetime | None
    """When another period begins, of which nothing is known here; None: never."""


def room_of(budget: Budget, judged: Sequence[tuple[Period, Consumed]]) -> Room:
    """By what was consumed in the periods that are due, the present one last.

    Whatever part of its tenant a budget is on, no more is added to it than to the tenant. A threshold that is reached is announced
    already, or at once. There is no room where more than the amount matters: ends of a range, and early warnings.
    """
    if budget.judged_by_range or budget.early_warning:
        return Room(0, 0, None)
    room = min((_next_ones(budget, consumed.amount(budget)) for _, consumed in judged), default=BOUNDLESS)
    present = judged[-1][0] if judged else None
    until = present.end if present is not None and present.calendar else None
    return Room(BOUNDLESS, room, until) if budget.unit == "kwh" else Room(room, BOUNDLESS, until)


def _next_ones(budget: Budget, amount: int) -> int:
    """How far the next threshold above the amount is away."""
    for threshold in budget.thresholds:
        if not budget.reached(threshold, amount):
            ratio = exact(threshold)
            return -(-ratio.numerator * budget.limit // ratio.denominator) - amount
    return BOUNDLESS


def narrowest(rooms: Iterable[Room]) -> Room:
    """What all of them leave."""
    carbon, energy, until = BOUNDLESS, BOUNDLESS, None
    for room in rooms:
        carbon, energy = min(carbon, room.carbon_mid_ugco2e), min(energy, room.facility_energy_uwh)
        until = min((each for each in (until, room.until) if each is not None), default=None)
    return Room(carbon, energy, until)
