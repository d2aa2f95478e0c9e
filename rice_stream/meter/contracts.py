"""Which kilowatt-hours of a month contracts cover: exact whole micro-watt-hours, never more than were contracted or used. Pure.

A contract covers what was used in the time it is matched over: an hourly one the kilowatt-hours of the same hour alone, a monthly
one those of its month, an annual one what is left of its year. What matches more closely goes first; within a contract's reach
every kind of request gets the same share, so that nothing depends on the order of records.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rice_stream.instants import SECOND_US
from rice_stream.reference.lookup import Reference
from rice_stream.reference.regions.regions import WORLD
from rice_stream.reference.sets.contracts import ContractTerms
from rice_stream.reference.types import GRANULARITIES, HOURLY

Cell = tuple[int, int]
"""Start of an hour (epoch seconds), and the factors (`factor_key`) that prompts rest on."""


class Supply(NamedTuple):
    """One contract, as far as it may cover a month of a tenant."""

    contract: str
    instrument: str
    granularity: str
    rci_gco2e_per_kwh: float
    covers: Callable[[Cell], bool]
    """Whether the contract is of what was used there and then."""
    left_uwh: Callable[[int], int]
    """What is left of it for an hour (its start in epoch seconds; hourly contracts), or for the whole month (0)."""


class Covered(NamedTuple):
    """What one contract covers of one cell."""

    supply: Supply
    cell: Cell
    energy_uwh: int


class Shares(NamedTuple):
    """What contracts do to the carbon by the market of a cell: the share that keeps its own intensity, and micrograms that each
    micro-watt-hour of the whole cell gets from contracts."""

    kept: float
    ugco2e_per_uwh: float


def covered_by(used_uwh: Mapping[Cell, int], supplies: Iterable[Supply]) -> list[Covered]:
    """What each contract covers of what was used, in the order in which they are taken: closest match first, then by name."""
    left = {cell: energy for cell, energy in used_uwh.items() if energy > 0}
    found: list[Covered] = []
    for supply in sorted(supplies, key=lambda each: (GRANULARITIES.index(each.granularity), each.contract)):
        for period, cells in _periods(supply, left).items():
            wanted = sum(left[cell] for cell in cells)
            given = min(supply.left_uwh(period), wanted)
            if given <= 0:
                continue
            for cell in cells:
                # Rounded down: together never more than there is.
                energy = left[cell] if given == wanted else given * left[cell] // wanted
                if energy:
                    found.append(Covered(supply, cell, energy))
                    left[cell] -= energy
    return found


def _periods(supply: Supply, left: Mapping[Cell, int]) -> dict[int, list[Cell]]:
    periods: dict[int, list[Cell]] = defaultdict(list)
    for cell in sorted(left):
        if left[cell] and supply.covers(cell):
            periods[cell[0] if supply.granularity == HOURLY else 0].append(cell)
    return periods


def shares_of(used_uwh: Mapping[Cell, int], covered: Iterable[Covered]) -> dict[Cell, Shares]:
    """By cell, where anything is covered."""
    energy: dict[Cell, int] = defaultdict(int)
    carbon: dict[Cell, list[tuple[int, float]]] = defaultdict(list)
    for each in covered:
        energy[each.cell] += each.energy_uwh
        carbon[each.cell].append((each.energy_uwh, each.supply.rci_gco2e_per_kwh))
    return {
        cell: Shares(
            (used_uwh[cell] - taken) / used_uwh[cell],
            sum(amount * rci for amount, rci in carbon[cell]) / used_uwh[cell] / 1000,
        )
        for cell, taken in energy.items()
    }


def covers(
    terms: ContractTerms, factors: Mapping[int, Mapping[str, Any]], reference: Reference
) -> Callable[[Cell], bool]:
    """Whether a contract is of what rests on some factors in some hour: of its provider, in its market, in its time, and of
    intensities of its scope."""
    matching = {key for key, factor in factors.items() if _is_of(terms, factor, reference)}

    def is_of(cell: Cell) -> bool:
        hour_start_s, factor_key = cell
        return factor_key in matching and terms.from_us <= hour_start_s * SECOND_US < terms.to_us

    return is_of


def _is_of(terms: ContractTerms, factor: Mapping[str, Any], reference: Reference) -> bool:
    if factor["rci_scope"] != terms.scope:
        return False
    providers = reference.providers
    if terms.provider and providers.canonical(factor["provider"]) != providers.canonical(terms.provider):
        return False
    if not terms.region:
        return True
    place = factor["region_resolved"]
    if factor["region_rung"] == "vendor" or place == WORLD:
        return False
    found = reference.regions.places.get(place)
    wanted = terms.region.lower()
    return wanted in {step.lower() for step in (place, *(() if found is None else found.ladder))}
