"""Energy that a host metered for a request, as replies and gateways carry it.

Two shapes: `energy_joules` (and `energy_boundary`) beside the other fields, and an object `energy` with `energy_joules` or
`energy_kwh` in it, as Neuralwatt's replies have it. A value that is no number is passed over: it is not what the item is for.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.values import Find, text
from rice_stream.events.metered_energy import BOUNDARIES

JOULES_PER_KWH = 3.6e6
_DIGITS_MAX = 40
JOULES, KWH, BOUNDARY, OBJECT = "energy_joules", "energy_kwh", "energy_boundary", "energy"


OTHER_BOUNDARY = "other"
"""Stands for a boundary that is none of BOUNDARIES: what a payload calls it is not carried on."""


class SaidEnergy(NamedTuple):
    """Joules, and the boundary where one is named: of BOUNDARIES, or OTHER_BOUNDARY."""

    joules: float
    boundary: str | None


def of_objects(objects: Iterable[JsonObject]) -> SaidEnergy | None:
    """What the first of the objects says that says any: by itself or in its object `energy`."""
    for obj in objects:
        for holder in (obj, obj.child(OBJECT)):
            said = _said(holder.scalar, (JOULES,), (KWH,) if holder is not obj else (), (BOUNDARY,))
            if said is not None:
                return said if said.boundary else said._replace(boundary=_boundary(text(obj.scalar(BOUNDARY))))
    return None


def of_attributes(find: Find, joules: tuple[str, ...], boundary: tuple[str, ...]) -> SaidEnergy | None:
    """What the attributes of these names say; of each the first that says anything."""
    return _said(find, joules, (), boundary)


def _said(
    find: Callable[[str], object], joules: tuple[str, ...], kwh: tuple[str, ...], boundary: tuple[str, ...]
) -> SaidEnergy | None:
    for names, unit in ((joules, 1.0), (kwh, JOULES_PER_KWH)):
        for name in names:
            number = _number(find(name))
            if number is not None:
                named = next((found for each in boundary if (found := text(find(each))) is not None), None)
                return SaidEnergy(number * unit, _boundary(named))
    return None


def _boundary(named: str | None) -> str | None:
    word = named and named.lower()
    return word if word is None or word in BOUNDARIES else OTHER_BOUNDARY


def _number(value: object) -> float | None:
    """The finite number that the value is or spells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > _DIGITS_MAX:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and math.isfinite(number * JOULES_PER_KWH) else None
