"""Which share of what was reported a correction changes, by location and by the market, and whether that has to be told. Pure."""

from typing import Any, NamedTuple

THRESHOLD_PERCENT = 5.0
"""From which change on a restatement is taken for material, where nothing else is set."""


class RestatedCarbon(NamedTuple):
    """Carbon in micrograms (middle): what was reported, and what it is with corrections."""

    reported_ugco2e: int
    restated_ugco2e: int

    @property
    def percent(self) -> float | None:
        """The change as a share of what was reported; None: nothing was reported."""
        if not self.reported_ugco2e:
            return None
        return 100 * abs(self.restated_ugco2e - self.reported_ugco2e) / self.reported_ugco2e

    def is_material(self, threshold_percent: float) -> bool:
        """Whether it reaches the threshold; where nothing was reported, whether there is anything."""
        if self.reported_ugco2e == self.restated_ugco2e:
            return False
        return self.percent is None or self.percent >= threshold_percent


def materiality(location: RestatedCarbon, market: RestatedCarbon | None, threshold_percent: float) -> dict[str, Any]:
    """`{"materiality_percent", "materiality_market_percent", "threshold_percent", "material"}`: both ways of accounting are
    reported, so a change that is material by either is. `market` None: it is not known."""
    return {
        "materiality_percent": location.percent,
        "materiality_market_percent": None if market is None else market.percent,
        "threshold_percent": threshold_percent,
        "material": any(each is not None and each.is_material(threshold_percent) for each in (location, market)),
    }
