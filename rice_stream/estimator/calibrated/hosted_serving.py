"""Hosted models: which evidence gives a context's energy where nobody states how it is served.

From the best to the weakest: a row of the posterior that was fitted offline (training/hosted), the list price alone, the
law under the host's serving profile. A list price moves what the law or a row says within its weight, and bounds it.
"""

import math
from dataclasses import dataclass

from rice_stream.estimator.hosted.artefact import HostedRow
from rice_stream.estimator.method import Context, Disclosed
from rice_stream.estimator.spread import quadrature
from rice_stream.quantities import ListPrice

USD_PER_KWH = 11.0
"""List price of a request over its facility energy, median: 14 services whose energy is metered or follows from exact
counts have a median of 12.2 (docs/validation-hosted.md)."""
USD_PER_KWH_LOG_SD = 0.80
"""Standard deviation of its logarithm."""
USD_PER_KWH_LEAST = 1.0
"""No hosted request's energy costs more than this: owning the cheapest hardware costs about as much for each kWh drawn."""
J_PER_KWH = 3.6e6
REFERENCE_INPUT_TOKENS, REFERENCE_OUTPUT_TOKENS = 500, 250
"""The request at which prices are compared and spreads are worked out."""
HOST_SHARE, IDLE_SHARE = 0.43, 0.10
"""Server around the accelerators, and machines that stand idle, as shares of the accelerators' energy and of the active
machines': 0.06 of 0.14 Wh and 0.02 of 0.20 Wh (Elsworth et al. 2025, Google; CC BY 4.0)."""


@dataclass(frozen=True, slots=True)
class Given:
    """Energy of a context that does not come from the law: seven GPU-joule coefficients, shares and causes."""

    cost: tuple[float, ...]
    host_share: float
    idle_share: float
    causes: dict[str, float]
    source: str
    priced: bool
    """Whether what it says knows a list price already."""


def price_usd(price: ListPrice, uncached: float, cached: float, outputs: float) -> float:
    """What a request costs."""
    return (price.input * uncached + price.cache_read * cached + price.output * outputs) / 1e6


def reference_price_usd(price: ListPrice) -> float:
    """What the reference request costs."""
    return price_usd(price, REFERENCE_INPUT_TOKENS, 0, REFERENCE_OUTPUT_TOKENS)


def from_row(row: HostedRow, context: Context) -> Given:
    """The energy of a fitted row; another price than it was fitted with moves the middle within the price's weight."""
    shift = 0.0
    if context.list_price is not None and row.price is not None:
        shift = row.price_weight * math.log(reference_price_usd(context.list_price) / reference_price_usd(row.price))
    cost = tuple(value * math.exp(shift) for value in row.cost)
    evidence = ", ".join(row.evidence)
    source = f"hosted.csv of {row.date}: {evidence}"
    return Given(cost, row.host_share, row.idle_share, dict(row.causes), source, priced=row.price is not None)


def from_price(price: ListPrice, pue: float) -> Given:
    """The energy that a list price alone says, for a facility of that PUE."""
    j_per_usd_per_mtok = J_PER_KWH / 1e6 / USD_PER_KWH / (pue * (1.0 + HOST_SHARE) * (1.0 + IDLE_SHARE))
    per_input, per_cached, per_output = (
        value * j_per_usd_per_mtok for value in (price.input, price.cache_read, price.output)
    )
    # Prefill gives the first output token, and decode has one step less: every output token is paid for alike.
    cost = (per_output, per_input, 0.0, per_cached, per_output, 0.0, 0.0)
    source = f"list price / {USD_PER_KWH:g} USD per kWh of the facility (log-sd {USD_PER_KWH_LOG_SD:g})"
    return Given(cost, HOST_SHARE, IDLE_SHARE, {"price": USD_PER_KWH_LOG_SD}, source, priced=True)


def with_price(causes: dict[str, float], facility_wh: float, price: ListPrice) -> tuple[float, dict[str, float]]:
    """(factor, causes): what a price makes of an energy of the reference request that knew none."""
    by_price_wh = reference_price_usd(price) / USD_PER_KWH * 1000.0
    return _with_evidence(causes, facility_wh, by_price_wh, USD_PER_KWH_LOG_SD)


def with_disclosure(
    causes: dict[str, float], facility_wh: float, disclosed: Disclosed
) -> tuple[float, dict[str, float]]:
    """(factor, causes): what a disclosure makes of an energy; `facility_wh` is that energy for the disclosed tokens."""
    return _with_evidence(causes, facility_wh, disclosed.facility_energy_wh, disclosed.log_sd)


def _with_evidence(
    causes: dict[str, float], facility_wh: float, evidence_wh: float, evidence_log_sd: float
) -> tuple[float, dict[str, float]]:
    """(factor, causes): what evidence of the same request's energy makes of an energy.

    Both are log-normal, so the middle is their mean in logarithms, weighted with their precisions, and the causes shrink
    alike, by what the evidence adds to what is known.
    """
    log_sd = quadrature(causes.values())
    if log_sd == 0.0:
        return 1.0, causes
    weight = log_sd**2 / (log_sd**2 + evidence_log_sd**2)
    shrunk = math.sqrt(1.0 - weight)
    return (evidence_wh / facility_wh) ** weight, {name: value * shrunk for name, value in causes.items()}


def ceiling_j(price: ListPrice, pue: float) -> tuple[float, float, float]:
    """Most joules of IT energy that the middle may have per uncached input, cached input and output token."""
    j_per_usd_per_mtok = J_PER_KWH / 1e6 / USD_PER_KWH_LEAST / pue
    return price.input * j_per_usd_per_mtok, price.cache_read * j_per_usd_per_mtok, price.output * j_per_usd_per_mtok
