"""Recomputes a stored record's amounts from the factors stored with it, or by other factors. Pure.

`recompute` uses no tables and settings of today: `factor_use` holds everything an estimate rests on besides its tokens.
`recompute_by` is for restating: the same records by the tables, sets and settings of estimators that the caller chooses.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.method import Context, Estimates, Method
from rice_stream.estimator.spread import Spread
from rice_stream.meter.amounts import Amounts, SiteFactors, amounts, market_column
from rice_stream.meter.carbon_ends import Place, Site, site_of
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factor_detail import context_from_detail, intensity_flags, spread_from_detail
from rice_stream.meter.factors import FactorUse
from rice_stream.meter.live_intensity import no_live_feed
from rice_stream.meter.metered import it_per_metered, measured_site, metered_it_wh, with_metered
from rice_stream.meter.requests import RecordedCounts, TokenDefaults, requests_of
from rice_stream.meter.stored_service import said_by_events
from rice_stream.quantities import UNKNOWN, Floats, Ints, Range


class Recomputed(NamedTuple):
    """What `recompute` gives, shape (n,) throughout."""

    estimates: Estimates
    amounts: Amounts
    carbon_market_ugco2e: Ints | None = None
    """UNKNOWN (-1) where nothing is known of the market; None: of none is."""

    @property
    def market_or_unknown(self) -> Ints:
        """The same, UNKNOWN throughout where nothing is known of any."""
        found = self.carbon_market_ugco2e
        return np.full_like(self.amounts.carbon_mid_ugco2e, UNKNOWN) if found is None else found


class RecomputedBy(NamedTuple):
    """What `recompute_by` gives."""

    uses: list[FactorUse]
    """The factors of each kind now, in the order of the kinds: `columns` is a row of `factor_use`."""
    recomputed: Recomputed


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
    market: Mapping[str, Any] | None = None
    """What is known of the market (`factor_detail.market_detail`)."""

    @property
    def basis_flags(self) -> int:
        """Flags of all records of the kind."""
        return intensity_flags({"sources": self.sources})

    @property
    def site(self) -> Site:
        """Where the requests ran, with what that adds to their ranges."""
        pue, rci = self.place.pue, self.place.rci_gco2e_per_kwh
        if self.measured is not None and self.spread is not None:
            site = measured_site(pue, rci, self.spread)
        else:
            site = site_of(pue, rci, self.spread)
        return site if self.market is None else site._replace(market_gco2e_per_kwh=self.market["rci_gco2e_per_kwh"])


def stored_kind(factor: Mapping[str, Any]) -> StoredKind:
    """What a row of `factor_use` says."""
    detail: dict[str, Any] = json.loads(factor["detail"])
    context, spread = context_from_detail(detail), spread_from_detail(detail)
    rci = Range(*(factor[f"rci_{end}_gco2e_per_kwh"] for end in ("low", "mid", "high")))
    place = Place(factor["pue"], rci, 0.0, context.provider or factor["region_resolved"], factor["region_resolved"])
    if spread is not None:
        place = place.as_shared_by(spread)
    return StoredKind(
        context,
        place,
        spread,
        detail.get("measured"),
        detail.get("sources", {}),
        hosts_told_apart="hosting" in detail,
        market=detail.get("market"),
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
    return recompute_with(method, kinds, method.coefficients([kind.context for kind in kinds]), use, counts, defaults)


def recompute_with(
    method: Method,
    kinds: Sequence[StoredKind],
    coefficients: Floats,
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> Recomputed:
    """As `recompute_kinds`, with the method's coefficients of each kind, worked out before: shape (kinds, columns)."""
    sites = SiteFactors.of([kind.site for kind in kinds])
    again = estimate_recorded(method, coefficients, sites, use, counts, defaults)
    if counts.metered_energy_uj is None:
        return again
    rows = np.flatnonzero(counts.metered_energy_uj != UNKNOWN)
    ratios = np.array([it_per_metered(kind.measured) for kind in kinds])[use[rows]]
    estimates = with_metered(again.estimates, rows, metered_it_wh(counts.metered_energy_uj[rows], ratios))
    return _at_sites(estimates, sites.rows(use), counts)


def recompute_by(
    estimators: Sequence[EstimatorAt],
    factors: Sequence[Mapping[str, Any]],
    use: NDArray[np.intp],
    counts: RecordedCounts,
    defaults: TokenDefaults,
) -> RecomputedBy:
    """Estimates and integer amounts of n records by other factors than theirs: record i has the row `factors[use[i]]` of
    `factor_use`, and is estimated by `estimators[use[i]]`, all of one method.

    What the event said and was taken stays (names, factors, metered energy), as do names that were mapped and values of a live
    feed; all else is the estimator's. An estimator is as of one instant, so kinds are told apart by `Estimator.stretch_start_us`
    of the records' ends as well: `estimator.at(stretch)` is the same for all records of a stretch. Of the version that a record
    has, `uses` are its own factors again. Which factors:

    - built-in ones of this release: `estimator` without sets;
    - a set by digest, whatever its instant: `estimator.with_factors([parse_content(content)])`;
    - as they hold by the database: `estimator.with_sets(stored)`.
    """
    if not factors:
        raise ValueError("no kinds to recompute")
    uses = [use_by(estimator, factor) for estimator, factor in zip(estimators, factors, strict=True)]
    kinds = [stored_kind(one.columns) for one in uses]
    return RecomputedBy(uses, recompute_kinds(estimators[0].method, kinds, use, counts, defaults))


def use_by(estimator: EstimatorAt, factor: Mapping[str, Any], *, keeps_live: bool = True) -> FactorUse:
    """What a kind of recorded requests (a row of `factor_use`) rests on by an estimator, of another method or tables maybe.

    `keeps_live` False: a value of a live feed gives way to the estimator's tables.
    """
    said = said_by_events(factor)
    live = said.live if keeps_live else no_live_feed
    return estimator.finished([estimator.draft(said.key, live=live, mapped=said.mapped)])[0]


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
    return _at_sites(estimates, sites.rows(use), counts)


def _at_sites(estimates: Estimates, sites: SiteFactors, counts: RecordedCounts) -> Recomputed:
    return Recomputed(estimates, amounts(estimates, sites, counts.flags), market_column(estimates, sites))
