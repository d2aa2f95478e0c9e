"""Estimates -> integer amounts, and integer amounts -> totals. Pure: values in, values out.

Integers are exact: a total is the same whatever the order in which its records came, which is what lets
`rice-stream verify` compare with `==`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Estimates, Method, Requests
from rice_stream.instants import SECOND_US
from rice_stream.meter.carbon_ends import Site
from rice_stream.meter.distinct_rows import row_codes
from rice_stream.quantities import AMOUNT_COLUMNS, IMPACT_COLUMNS, MEASURES, MICRO, UNKNOWN, Floats, Ints

GRAMS_PER_KWH_TO_PER_WH = 1e-3

AMOUNT_MAX = 10**13
"""Largest amount of one prompt (10 MWh, 10 tCO2e). A million tokens on a dense model of 1,800 billion parameters, alone on its
machines, at the worst PUE and carbon intensity that are allowed, come to 1.4 MWh and 2.9 t (high end: 12 t): only counts
that are nonsense reach it (2^31 - 1 where a gateway had none). Such prompts carry the flag `amount_capped`.

No number of them makes a total wrong. Within a batch sums have 64 bits: 922,337 prompts at the cap fit (`ROWS_MAX`), and
`roll_up` refuses more rather than wrap around. In the database a row of totals has 64 bits, too: what would overflow it is
refused, and held. A month of one tenant and one use of factors, which is the largest row there is, has room for 48 g of each
of 72,000 prompts a second."""
INT64_MAX = 2**63 - 1
ROWS_MAX = INT64_MAX // AMOUNT_MAX
"""So many prompts' sums fit 64 bits whatever they are: token counts, at most 2^31 - 1, are far smaller than amounts."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Integer columns of n requests, shape (n,): microwatt-hours and micrograms CO2e."""

    it_energy_uwh: Ints
    facility_energy_uwh: Ints
    carbon_low_ugco2e: Ints
    carbon_mid_ugco2e: Ints
    carbon_high_ugco2e: Ints


@dataclass(frozen=True, slots=True)
class SiteFactors:
    """Columns of k contexts, or of n requests: what turns IT energy into facility energy and carbon. Shape (k,) each."""

    pue: Floats
    rci_low_gco2e_per_kwh: Floats
    rci_mid_gco2e_per_kwh: Floats
    rci_high_gco2e_per_kwh: Floats
    missing_tokens_low: Floats
    missing_tokens_high: Floats
    market_gco2e_per_kwh: Floats
    """NaN where nothing is known of the market."""

    @classmethod
    def of(cls, sites: Sequence[Site]) -> "SiteFactors":
        """The columns of k sites."""
        columns = [
            (site.pue, rci.low, rci.mid, rci.high, *site.missing_tokens, site.market_gco2e_per_kwh)
            for site in sites
            for rci in (site.rci_gco2e_per_kwh,)
        ]
        return cls(*np.array(columns, dtype=np.float64).reshape(-1, 7).T)

    def rows(self, chosen: NDArray[np.intp]) -> "SiteFactors":
        """The given rows, in the given order."""
        return SiteFactors(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def followed_by(self, others: "SiteFactors") -> "SiteFactors":
        """These rows and, after them, the others."""
        return SiteFactors(
            *(np.append(getattr(self, field.name), getattr(others, field.name)) for field in fields(self))
        )


def amounts(estimates: Estimates, sites: SiteFactors, flags: NDArray[np.int32]) -> Amounts:
    """facility energy = IT energy x PUE, carbon = facility energy x RCI; PUE is applied here and nowhere else.

    All arrays have shape (n,). Low and high ends are those of each request (`carbon_ends.Site`); what a total of many may
    be is worked out from what their errors share (rice_stream/meter/shared_ranges.py), never divided by sqrt(n).
    """
    missing = (flags & (Basis.INPUT_TOKENS_MISSING | Basis.OUTPUT_TOKENS_MISSING)) != 0
    narrow = np.where(missing, sites.missing_tokens_low, 1.0)
    widen = np.where(missing, sites.missing_tokens_high, 1.0)
    facility_wh = estimates.it_energy_wh * sites.pue
    to_grams = GRAMS_PER_KWH_TO_PER_WH * sites.pue
    return Amounts(
        it_energy_uwh=_micro(estimates.it_energy_wh),
        facility_energy_uwh=_micro(facility_wh),
        carbon_low_ugco2e=_micro(estimates.it_energy_wh_low * narrow * to_grams * sites.rci_low_gco2e_per_kwh),
        carbon_mid_ugco2e=_micro(estimates.it_energy_wh * to_grams * sites.rci_mid_gco2e_per_kwh),
        carbon_high_ugco2e=_micro(estimates.it_energy_wh_high * widen * to_grams * sites.rci_high_gco2e_per_kwh),
    )


def market_column(estimates: Estimates, sites: SiteFactors) -> Ints | None:
    """Carbon by the market (micrograms) of n requests at n sites, UNKNOWN where nothing is known of it; None: nowhere is."""
    known = ~np.isnan(sites.market_gco2e_per_kwh)
    if not known.any():
        return None
    to_grams = GRAMS_PER_KWH_TO_PER_WH * sites.pue
    column = np.full(len(known), UNKNOWN, dtype=np.int64)
    column[known] = _micro((estimates.it_energy_wh * to_grams * sites.market_gco2e_per_kwh)[known])
    return column


def impact_columns(
    method: Method, coefficients: Floats, requests: Requests, estimates: Estimates, pue: Floats
) -> dict[str, Ints]:
    """Middle values of embodied carbon (micrograms CO2e) and water (microlitres) as integers, by the names of their columns.

    They are no part of `Amounts`: nothing adds them to operational carbon. Null where the method does not give them.
    """
    impacts = method.impacts(coefficients, requests, estimates, pue)
    if impacts is None:
        return dict.fromkeys(IMPACT_COLUMNS, np.full(len(requests.context), UNKNOWN, dtype=np.int64))
    middles = (impacts.embodied_gco2e.mid, impacts.water_l.mid)
    return dict(zip(IMPACT_COLUMNS, map(_micro, middles), strict=True))


def cap_flags(amounts: Amounts) -> NDArray[np.int32]:
    """The flag of the rows in which an amount is at the cap, shape (n,)."""
    capped = np.maximum.reduce([getattr(amounts, name) for name in AMOUNT_COLUMNS]) >= AMOUNT_MAX
    return np.where(capped, Basis.AMOUNT_CAPPED, 0).astype(np.int32)


def _micro(values: Floats) -> Ints:
    return np.rint(np.minimum(values * MICRO, AMOUNT_MAX)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums per key. `keys` has shape (groups, key columns), `sums` (groups, len(MEASURES)); rows are in key order."""

    keys: Ints
    sums: Ints

    def __len__(self) -> int:
        return len(self.keys)


def roll_up(keys: list[Ints], measures: Ints) -> Totals:
    """Exact integer sums of `measures` (n, m) for each distinct row of `keys` (a list of (n,) columns).

    Rows come out sorted by key, so that writers touch them in one order and two of them cannot deadlock.
    """
    if measures.shape[0] > ROWS_MAX and max(exact_sums(measures)) > INT64_MAX:
        raise OverflowError(f"{measures.shape[0]:,} rows at once: their sums do not fit 64 bits; take fewer")
    if measures.shape[0] == 0:
        return Totals(np.empty((0, len(keys)), np.int64), np.empty((0, measures.shape[1]), np.int64))
    code = row_codes(keys)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sums = np.add.reduceat(measures.take(order, axis=0), starts, axis=0)
    first = order[starts]
    return Totals(np.stack([column[first] for column in keys], axis=1), sums)


def exact_sums(measures: Ints) -> list[int]:
    """The sum of each column of (n, m) integers from 0 on, exact beyond 64 bits."""
    low = (measures & 0xFFFF_FFFF).sum(axis=0).tolist()
    high = (measures >> 32).sum(axis=0).tolist()
    return [(a << 32) + b for a, b in zip(high, low, strict=True)]


def measure_matrix(
    *,
    input_tokens: Ints,
    cache_read_input_tokens: Ints,
    cache_write_input_tokens: Ints,
    output_tokens: Ints,
    reasoning_output_tokens: Ints,
    amounts: Amounts,
    impacts: Mapping[str, Ints],
    carbon_market_ugco2e: Ints | None = None,
) -> Ints:
    """The (n, len(MEASURES)) matrix that `roll_up` sums. What is unknown (-1) adds nothing: token counts, and `impacts` (by the
    names of IMPACT_COLUMNS). Where nothing is known of the market, carbon by it is the middle by location."""
    embodied_ugco2e, water_ul = (impacts[name] for name in IMPACT_COLUMNS)
    market = amounts.carbon_mid_ugco2e
    if carbon_market_ugco2e is not None:
        market = np.where(carbon_market_ugco2e == UNKNOWN, market, carbon_market_ugco2e)
    columns = (
        np.ones_like(input_tokens),
        np.maximum(input_tokens, 0),
        np.maximum(cache_read_input_tokens, 0),
        np.maximum(cache_write_input_tokens, 0),
        np.maximum(output_tokens, 0),
        np.maximum(reasoning_output_tokens, 0),
        *(getattr(amounts, name) for name in AMOUNT_COLUMNS),
        (embodied_ugco2e != UNKNOWN).astype(np.int64),
        np.maximum(embodied_ugco2e, 0),
        np.maximum(water_ul, 0),
        market,
    )
    if len(columns) != len(MEASURES):
        raise AssertionError("a measure was added to the tables and not to the totals")
    return np.stack(columns, axis=1)


def floor_to(times_us: Ints, bucket_s: int) -> Ints:
    """Start (epoch seconds) of the bucket that each time (epoch microseconds) lies in."""
    seconds = times_us // SECOND_US
    return seconds - seconds % bucket_s
