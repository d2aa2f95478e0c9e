"""Energy that somebody metered for a request and the event states: at which boundary, and what can be true. Pure.

It is the request's own amount, not a factor of its kind, so it is kept to the microjoule and never rounded like
`stated_factors`. Whether it is near enough to the estimate to be believed is decided where there is one
(`rice_stream.meter.metered`).
"""

from typing import NamedTuple

from rice_stream.quantities import MICRO, Limits

ENERGY_FIELDS = ("energy_joules", "energy_boundary")
"""What was metered, and at which boundary; nearly always absent."""

GPU, SERVER, FACILITY = "gpu", "server", "facility"
BOUNDARIES = (GPU, SERVER, FACILITY)
"""What the meter sees: the request's accelerators, the servers that they are in, or all of the data centre's share."""
_NUMBERS = {name: number for number, name in enumerate(BOUNDARIES)}

ENERGY_JOULES_LIMITS = Limits(at_least=1 / MICRO, up_to=3.6e9)
"""What one request can have taken: a microjoule to 1 MWh. A million tokens on a dense model of 1,800 billion parameters,
alone on its machines, come to 1.4 MWh at the worst site (see `rice_stream.meter.amounts.AMOUNT_MAX`)."""


class Metered(NamedTuple):
    """What an event says was metered, as it is taken: whole microjoules, and the position of the boundary in BOUNDARIES."""

    energy_uj: int
    boundary: int


def plausible_energy(joules: float, boundary: str | None) -> Metered | None:
    """The energy as it is taken; None where it cannot be true, or its boundary is no known one (none said: `gpu`)."""
    number = _NUMBERS.get((boundary or GPU).strip().lower())
    if number is None or not ENERGY_JOULES_LIMITS.allow(joules):
        return None
    return Metered(round(joules * MICRO), number)
