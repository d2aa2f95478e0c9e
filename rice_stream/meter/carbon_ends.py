"""From the ends of an IT energy to the ends of its carbon: what its place adds to the range. Pure.

A method that gives a spread has the causes of its place added in quadrature; the ends of one that does not are multiplied
with the ends of the carbon intensity.
"""

import math
from typing import NamedTuple

from rice_stream.estimator.spread import NOWHERE_ELSE, Z80, Placed, Spread, log_sd_between
from rice_stream.quantities import Range
from rice_stream.reference.regions.regions import WORLD
from rice_stream.reference.types import PueFactor, RegionFactor

MISSING_TOKENS_FACTOR_LOW = 0.1
MISSING_TOKENS_FACTOR_HIGH = 10.0
"""How wide an estimate is whose token counts are not known: in the Azure 2023 code trace (CC BY 4.0) nine prompts of
ten lie within a factor of ten of the middle one, on either side."""
_MISSING_TOKENS_LOG_SD = math.log(MISSING_TOKENS_FACTOR_HIGH) / Z80


class Site(NamedTuple):
    """Where one kind of request runs, as the amounts are worked out with.

    `rci_gco2e_per_kwh` turns facility energy into carbon: its middle is the carbon intensity; the low and the high end of
    an energy are multiplied with its ends, whatever of the range is not the energy's.
    """

    pue: float
    rci_gco2e_per_kwh: Range
    missing_tokens: tuple[float, float] = (MISSING_TOKENS_FACTOR_LOW, MISSING_TOKENS_FACTOR_HIGH)
    """What the ends are multiplied with besides where a token count is unknown."""
    market_gco2e_per_kwh: float | None = None
    """Carbon intensity by the market; None: nothing is known of it, and carbon by the market is that by location."""


class Place(NamedTuple):
    """Where a kind of request ran: PUE and carbon intensity, how sure the PUE is, and with whom the two are shared."""

    pue: float
    rci_gco2e_per_kwh: Range
    pue_log_sd: float = 0.0
    host: str = "unknown"
    """Whose PUE it is: requests at one host err together in it."""
    region: str = "unknown"
    """The place whose carbon intensity it is."""
    placed: Placed = NOWHERE_ELSE
    """What of the carbon intensity's range comes from not knowing where in a country, or in which, it is."""

    def spread(self, energy: Spread | None) -> Spread | None:
        """How uncertain the carbon of an energy is; None for an energy whose ends are bounds."""
        if energy is None:
            return None
        rci = self.rci_gco2e_per_kwh
        grid_log_sd = log_sd_between(rci.low, rci.high)
        return energy.at_place(self.pue_log_sd, grid_log_sd, self.host, self.region, self.placed)

    def as_shared_by(self, carbon: Spread) -> "Place":
        """The place with what the spread of a carbon of requests there says of it."""
        host, region = carbon.place_keys()
        return self._replace(
            pue_log_sd=carbon.causes.get("pue", 0.0),
            host=host or self.host,
            region=region or self.region,
            placed=carbon.placed(),
        )


def place_of(
    pue: PueFactor, rci_gco2e_per_kwh: Range, region: RegionFactor, provider: str | None, vendor: str | None = None
) -> Place:
    """The place of requests to `provider`, or to the model's `vendor` where nobody is named."""
    grid = region.factor_region_id or region.region_id
    # Where no place is stated, it is the host that is somewhere; a stated one is the same place for everybody.
    placed_by = (provider or vendor or "unknown") if region.rung in ("vendor", WORLD) else region.region_id
    placed = Placed(placed_by, region.placement_log_sd)
    return Place(pue.pue, rci_gco2e_per_kwh, pue.log_sd, pue.host or provider or grid, grid, placed)


def site_of(pue: float, rci_gco2e_per_kwh: Range, spread: Spread | None) -> Site:
    """The site of a kind of request; `spread` is that of its carbon, PUE and carbon intensity included."""
    if spread is None:
        return Site(pue, rci_gco2e_per_kwh)
    whole, middle = spread.log_sd, rci_gco2e_per_kwh.mid
    added = math.exp(Z80 * (whole - spread.energy_log_sd))
    missing = math.exp(Z80 * (math.hypot(whole, _MISSING_TOKENS_LOG_SD) - whole))
    return Site(pue, Range(middle / added, middle, middle * added), (1.0 / missing, missing))
