"""Recomputes a stored record's amounts from the factors stored with it. Pure.

Today's tables and settings are not used: `factor_use` holds everything an estimate rests on besides its tokens.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.method import Context, Estimates, Method
from rice_stream.meter.amounts import Amounts, SiteFactors, amounts
from rice_stream.meter.carbon_ends import Site, site_of
from rice_stream.meter.factor_detail import context_from_detail, spread_from_detail
from rice_stream.meter.metered import it_per_metered, measured_site, metered_it_wh, with_metered
from rice_stream.meter.requests import RecordedCounts, TokenDefaults, requests_of
from rice_stream.quantities import UNKNOWN, Range


class Recomputed(NamedTuple):
    """What `recompute` gives, shape (n,) throughout."""

    estimates: Estimates
    amounts: Amounts


def context_of(factor: Mapping[str, Any]) -> Context:
    """The context of a row of `factor_use`."""
    return context_from_detail(json.loads(factor["detail"]))


def rci_of(factor: Mapping[str, Any]) -> Range:
    """The carbon intensity (gCO2e/kWh) of a row of `factor_use`."""
    return Range(*(factor[f"rci_{end}_gco2e_per_kwh"] for end in ("low", "mid", "high")))


def stored_site(factor: Mapping[str, Any]) -> Site:
    """Where the requests of a row of `factor_use` ran, with what that adds to their ranges."""
    detail = json.loads(factor["detail"])
    spread = spread_from_detail(detail)
    if "measured" in detail and spread is not None:
        return measured_site(factor["pue"], rci_of(factor), spread)
    return site_of(factor["pue"], rci_of(factor), spread)


def recompute(
    method: Method,
    factors: Sequence[Mapping[str, Any]],
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """Estimates and integer amounts of n records; `factors[use[i]]` is the `factor_use` row of record i."""
    sites = SiteFactors.of([stored_site(factor) for factor in factors])
    again = estimate_recorded(method, [context_of(factor) for factor in factors], sites, use, counts, defaults)
    if counts.metered_energy_uj is None:
        return again
    rows = np.flatnonzero(counts.metered_energy_uj != UNKNOWN)
    ratios = np.array([it_per_metered(json.loads(factor["detail"])) for factor in factors])[use[rows]]
    estimates = with_metered(again.estimates, rows, metered_it_wh(counts.metered_energy_uj[rows], ratios))
    return Recomputed(estimates, amounts(estimates, sites.rows(use), counts.flags))


def estimate_recorded(
    method: Method,
    contexts: Sequence[Context],
    sites: SiteFactors,
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """Estimates and integer amounts of n records, as if record i had been served in `contexts[use[i]]` at `sites` row `use[i]`."""
    coefficients = method.coefficients(list(contexts))
    estimates = method.estimate(coefficients, requests_of(counts, use, defaults))
    return Recomputed(estimates, amounts(estimates, sites.rows(use), counts.flags))
