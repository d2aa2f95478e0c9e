"""How uncertain an estimate is: independent causes that add in quadrature of logarithms, and with whom they are shared.

An amount is log-normal about its middle: low and high end of its 80 % range are `mid * exp(-Z80 * s)` and
`mid * exp(Z80 * s)`, where s^2 is the sum of the squares of its causes' standard deviations of the logarithm.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

Z80 = 1.2815515655446004
"""Standard deviations from the median to the 90th percentile of a normal distribution: both sides hold 80 %."""
_DIGITS = 6
"""Standard deviations are kept to so many decimals: the same on every machine, and readable where they are stored."""

ENERGY_CAUSES = ("size", "batch", "hardware", "law", "price", "metered")
"""Causes of the accelerators' energy; `host` and `idle` are of the machines around them, `pue` and `grid` of the place."""
PLACE_CAUSES = ("pue", "grid")
_OF_PROVIDER = ("batch", "hardware", "host", "idle")
"""Of a serving that was stated: how a service batches and on what is its own affair, for all its models."""
_PUE, _REGION, _PLACEMENT = "pue:", "region:", "placement:"
"""Prefixes of the keys under which the causes of a place are shared."""

HOSTED_SHARES = MappingProxyType({"global": 0.20, "provider": 0.30, "family": 0.35, "model": 0.20})
"""Standard deviations of the logarithm by whom they are shared, for hosted models: the law at scale, the ratio of price to
energy and the host's share err for all of them alike; batch, utilisation, hardware mix and margin for all models of a
provider; parameters for a family. Judged, not fitted (docs/methodology.md, "Totals"): no per-model energy is public."""
STATED_SHARES = MappingProxyType({"global": 0.10, "provider": 0.05, "family": 0.05})
"""The same where the serving is known: what is left is the law's own error for the model."""


class Placed(NamedTuple):
    """How uncertain a carbon intensity is because it is not known where in a country, or in which, something runs.

    `key` says whose placement it is: that of one provider tells nothing of another's, and the same region is the same place.
    """

    key: str
    log_sd: float


NOWHERE_ELSE = Placed("", 0.0)
"""The place is known."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of the logarithm of an amount, twice: by cause, and by whom each part is shared.

    Both have the same sum of squares. Two amounts err together as far as they share keys of `shared`: the covariance of
    their logarithms is the sum over common keys of the products of their standard deviations.
    """

    causes: Mapping[str, float]
    shared: Mapping[str, float]

    @property
    def log_sd(self) -> float:
        """The standard deviation of the logarithm of the whole."""
        return quadrature(self.causes.values())

    @property
    def energy_log_sd(self) -> float:
        """That of the IT energy: without the place's causes."""
        return quadrature(value for name, value in self.causes.items() if name not in PLACE_CAUSES)

    def contributions(self) -> list[tuple[str, float, float]]:
        """(cause, log_sd, its share of the variance), largest first; causes of nothing are left out."""
        whole = math.fsum(value * value for value in self.causes.values())
        found = [(name, value, value * value / whole) for name, value in self.causes.items() if value > 0.0]
        return sorted(found, key=lambda one: (-one[1], one[0]))

    def at_place(
        self, pue_log_sd: float, grid_log_sd: float, pue_key: str, region_key: str, placed: Placed = NOWHERE_ELSE
    ) -> "Spread":
        """The spread of the carbon of an energy: PUE and carbon intensity err independently of it.

        What `placed` has of the carbon intensity's error is shared with whatever is placed alike, the rest with the region.
        """
        causes = {**self.causes, "pue": rounded(pue_log_sd), "grid": rounded(grid_log_sd)}
        grid = causes["grid"]
        elsewhere = min(rounded(placed.log_sd), grid)
        # From what is rounded, so that both sides have the same sum of squares.
        there = math.sqrt(max(grid * grid - elsewhere * elsewhere, 0.0)) if elsewhere else grid
        shared = {
            **self.shared,
            f"{_PUE}{pue_key}": causes["pue"],
            f"{_REGION}{region_key}": there,
            f"{_PLACEMENT}{placed.key}": elsewhere,
        }
        return Spread(_without_zeros(causes), _without_zeros(shared))

    def place_keys(self) -> tuple[str | None, str | None]:
        """Whose PUE and which region's carbon intensity `at_place` was given; None for one that is certain."""
        found = [[key.removeprefix(kind) for key in self.shared if key.startswith(kind)] for kind in (_PUE, _REGION)]
        host, region = (keys[0] if keys else None for keys in found)
        return host, region

    def placed(self) -> Placed:
        """The placement that `at_place` was given; NOWHERE_ELSE where the place was known."""
        keys = [key for key in self.shared if key.startswith(_PLACEMENT)]
        return Placed(keys[0].removeprefix(_PLACEMENT), self.shared[keys[0]]) if keys else NOWHERE_ELSE

    def detail(self) -> dict[str, dict[str, float]]:
        """JSON-ready, as it is stored with the factors of a kind of request."""
        return {"causes": dict(self.causes), "shared": dict(self.shared)}

    @classmethod
    def of_detail(cls, detail: Mapping[str, Mapping[str, float]]) -> "Spread":
        """From what `detail` gave."""
        return cls(dict(detail["causes"]), dict(detail["shared"]))


def spread_of(causes: Mapping[str, float], *, hosted: bool, provider: str, family: str, model: str) -> Spread:
    """The spread of a model's energy with these causes, shared as the model's kind of serving has it.

    What the shares do not use up is the model's own; where they are more than the whole, all shrink alike.
    """
    kept = {name: kept for name, value in causes.items() if (kept := rounded(value)) > 0.0}
    shares = HOSTED_SHARES if hosted else STATED_SHARES
    of_all, of_provider, of_family = shares["global"], shares["provider"], shares["family"]
    if not hosted:
        # A size is a family's, how it is served the provider's.
        of_provider = quadrature([of_provider, *(kept.get(name, 0.0) for name in _OF_PROVIDER)])
        of_family = quadrature([of_family, kept.get("size", 0.0)])
    variance = math.fsum([value * value for value in kept.values()])
    used = math.fsum([of_all * of_all, of_provider * of_provider, of_family * of_family])
    scale = 1.0
    if used > variance:
        scale, used = math.sqrt(variance / used), variance
    shared = {
        "global:hosted" if hosted else "global:stated": rounded(of_all * scale),
        f"provider:{provider}": rounded(of_provider * scale),
        f"family:{family}": rounded(of_family * scale),
    }
    # From what is rounded, so that both sides have the same sum of squares.
    left = variance - math.fsum([value * value for value in shared.values()])
    shared[f"model:{model}"] = math.sqrt(max(left, 0.0))
    return Spread(kept, _without_zeros(shared))


def quadrature(values: Iterable[float]) -> float:
    """The root of the sum of squares, the same whatever the order."""
    return math.sqrt(math.fsum([value * value for value in values]))


def log_sd_between(low: float, high: float) -> float:
    """The standard deviation of the logarithm of something whose 80 % range is low to high; 0 where there is no range.

    A low end of 0 has no logarithm; the range is then taken to be as wide below its middle as a hundredth of the high end.
    """
    if high <= low or high <= 0.0:
        return 0.0
    return math.log(high / max(low, high / 100.0)) / (2.0 * Z80)


def ends(log_sd: float) -> tuple[float, float]:
    """What a middle is multiplied with for the low and the high end of its 80 % range."""
    factor = math.exp(Z80 * log_sd)
    return 1.0 / factor, factor


def rounded(log_sd: float) -> float:
    """A standard deviation as it is stored."""
    return round(log_sd, _DIGITS)


def _without_zeros(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value > 0.0}
