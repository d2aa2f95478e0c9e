"""Recomputes a stored record's amounts from the factors stored with it. Pure.

Today's tables and settings are not used: `factor_use` holds everything an estimate rests on besides its tokens.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.method import Context, Estimates, Method
from rice_stream.estimator.spread import Spread
from rice_stream.meter.amounts import Amounts, SiteFactors, amounts
from rice_stream.meter.carbon_ends import Place, Site, site_of
from rice_stream.meter.factor_detail import context_from_detail, spread_from_detail
from rice_stream.meter.metered import it_per_metered, measured_site, metered_it_wh, with_metered
from rice_stream.meter.requests import RecordedCounts, TokenDefaults, requests_of
from rice_stream.quantities import UNKNOWN, Floats, Range


class Recomputed(NamedTuple):
    """What `recompute` gives, shape (n,) throughout."""

    estimates: Estimates
    amounts: Amounts


class StoredKind(NamedTuple):
    """A row of `factor_use`, its detail parsed: everything that its records are worked out from besides their tokens."""

    context: Context
    place: Place
    spread: Spread | None
    """Of the carbon; None of a method that gives bounds, and of records from before there were any."""
    measured: Mapping[str, Any] | None
    """How metered joules become IT energy (`meter.metered`); None of a kind that was not metered."""
    sources: Mapping[str, Any]
    """Name of a factor -> where it is from."""
    hosts_told_apart: bool
    """False of a row from before hosted models were told from those on machines of one's own."""

    @property
    def site(self) -> Site:
        """Where the requests ran, with what that adds to their ranges."""
        pue, rci = self.place.pue, self.place.rci_gco2e_per_kwh
        if self.measured is not None and self.spread is not None:
            return measured_site(pue, rci, self.spread)
        return site_of(pue, rci, self.spread)


def stored_kind(factor: Mapping[str, Any]) -> StoredKind:
    """What a row of `factor_use` says."""
    detail: dict[str, Any] = json.loads(factor["detail"])
    context, spread = context_from_detail(detail), spread_from_detail(detail)
    rci = Range(*(factor[f"rci_{end}_gco2e_per_kwh"] for end in ("low", "mid", "high")))
    place = Place(factor["pue"], rci, 0.0, context.provider or factor["region_resolved"], factor["region_resolved"])
    if spread is not None:
        place = place.as_shared_by(spread)
    return StoredKind(
        context, place, spread, detail.get("measured"), detail.get("sources", {}), hosts_told_apart="hosting" in detail
    )


def recompute(
    method: Method,
    factors: Sequence[Mapping[str, Any]],
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """Estimates and integer amounts of n records; `factors[use[i]]` is the `factor_use` row of record i."""
    return recompute_kinds(method, [stored_kind(factor) for factor in factors], use, counts, defaults)


def recompute_kinds(
    method: Method,
    kinds: Sequence[StoredKind],
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """As `recompute`, of kinds that were read before."""
    sites = SiteFactors.of([kind.site for kind in kinds])
    coefficients = method.coefficients([kind.context for kind in kinds])
    again = estimate_recorded(method, coefficients, sites, use, counts, defaults)
    if counts.metered_energy_uj is None:
        return again
    rows = np.flatnonzero(counts.metered_energy_uj != UNKNOWN)
    ratios = np.array([it_per_metered(kind.measured) for kind in kinds])[use[rows]]
    estimates = with_metered(again.estimates, rows, metered_it_wh(counts.metered_energy_uj[rows], ratios))
    return Recomputed(estimates, amounts(estimates, sites.rows(use), counts.flags))


def estimate_recorded(
    method: Method,
    coefficients: Floats,
    sites: SiteFactors,
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """Estimates and integer amounts of n records, as if record i had been served by row `use[i]` of `coefficients` at that
    of `sites`."""
    estimates = method.estimate(coefficients, requests_of(counts, use, defaults))
    return Recomputed(estimates, amounts(estimates, sites.rows(use), counts.flags))
