"""What the uses of factors behind a sum say of it besides its range: how well it is known, and the ends of its embodied carbon."""

from collections.abc import Mapping
from functools import lru_cache

from rice_stream.estimator.artefact_files import load_embodied
from rice_stream.estimator.embodied import embodied_ends
from rice_stream.quantities import MICRO
from rice_stream.reports.sums import PART_MEASURES, Parts
from rice_stream.reports.tier_words import MISSING, TIERS, tier_of
from rice_stream.store.factor_spreads import FactorSpread

_CARBON, _EMBODIED = PART_MEASURES.index("carbon_mid_ugco2e"), PART_MEASURES.index("embodied_ugco2e")
_tier_of = lru_cache(maxsize=50_000)(tier_of)
_NOBODYS: Parts = {}


@lru_cache(maxsize=1024)
def _ends_of(hardware: str) -> tuple[float, float]:
    return embodied_ends(hardware, load_embodied())


class KindsBehind:
    """Of the uses of factors in the parts of a report's sums."""

    def __init__(self, spreads: Mapping[int, FactorSpread]) -> None:
        self._spreads = spreads
        self._tiers = {key: _tier_of(spread.rests_on) for key, spread in spreads.items() if spread.rests_on is not None}

    def tier_shares(self, parts: Parts, nobodys: Parts = _NOBODYS) -> dict[str, float | None]:
        """The share of the carbon by each of TIERS; None of all of them where there is none. `nobodys` are those of the parts
        that are of no known tenant. What rests on factors that are gone is in none."""
        carbon = dict.fromkeys(TIERS, 0)
        for key, sums in parts.items():
            tier = self._tiers.get(key)
            if tier is not None:
                carbon[tier] += sums[_CARBON]
        for key, sums in nobodys.items():
            tier = self._tiers.get(key)
            if tier is not None:
                carbon[tier] -= sums[_CARBON]
                carbon[MISSING] += sums[_CARBON]
        whole = sum(carbon.values())
        return {tier: each / whole if whole else None for tier, each in carbon.items()}

    def embodied(self, ugco2e: int, parts: Parts) -> dict[str, float]:
        """Embodied carbon in grams, of exactly so much; its ends are those of the rate of the hardware, each added up."""
        low = high = whole = 0.0
        for key, sums in parts.items():
            amount = sums[_EMBODIED]
            if amount:
                spread = self._spreads.get(key)
                ends = _ends_of("" if spread is None else spread.hardware)
                low, high, whole = low + amount * ends[0], high + amount * ends[1], whole + amount
        grams = ugco2e / MICRO
        if whole <= 0.0:
            return {"low": grams, "mid": grams, "high": grams}
        return {"low": grams * low / whole, "mid": grams, "high": grams * high / whole}
