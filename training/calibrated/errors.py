"""Intervals: what log(measured / predicted) was for models left out of the fit, per regime, and how often the bounds hold.

Bounds are made from the residuals of left-out groups and checked on groups that gave no residual to them (jackknife by
group), so the coverage stated is that of an unseen model. `inflation` widens both bounds until it is what it claims.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import ReferenceDataError
from rice_stream.quantities import Floats
from training.calibrated.rows import Row

NOMINAL = 0.80
REGIME_LEAST = 0.72
"""An 80 % interval that holds 70 % in a regime is the least accepted; a margin on top, because it is estimated."""

Bounds = dict[str, float]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of left-out rows inside the interval, over all rows and by regime."""

    overall: float
    by_regime: Mapping[str, float]
    inflation: float
    bounds: Mapping[str, Bounds]


def family(row: Row) -> str:
    total, active = row.context.params_total_b.mid, row.context.params_active_b.mid
    return "dense" if active >= 0.999 * total else "moe"


def calibrate(rows: Sequence[Row], residuals: Floats, regimes: Sequence[str]) -> Coverage:
    """Bounds per regime from residuals = log(measured / left-out prediction), and their jackknife coverage."""
    names, groups = np.array(regimes), np.array([row.group for row in rows])
    for inflation in np.arange(0.8, 2.01, 0.025):
        inside = np.zeros(len(rows), dtype=bool)
        for group in sorted(set(groups.tolist())):
            held = groups == group
            for regime in sorted(set(names[held].tolist())):
                own = held & (names == regime)
                bounds = _bounds(residuals[(names == regime) & ~held], float(inflation))
                inside[own] = (residuals[own] >= bounds["low"]) & (residuals[own] <= bounds["high"])
        by_regime = {name: float(inside[names == name].mean()) for name in sorted(set(regimes))}
        if inside.mean() >= NOMINAL and min(by_regime.values()) >= REGIME_LEAST:
            break
    else:
        raise ReferenceDataError(
            f"no interval up to twice the residuals holds {NOMINAL:.0%} of left-out rows: {by_regime}"
        )
    bounds_of = {name: _bounds(residuals[names == name], float(inflation)) for name in by_regime}
    return Coverage(float(inside.mean()), by_regime, float(inflation), bounds_of)


def _ends(residuals: Floats) -> tuple[float, float]:
    """The quantiles between which the nominal share lies."""
    low, high = np.quantile(residuals, [(1 - NOMINAL) / 2, (1 + NOMINAL) / 2])
    return float(low), float(high)


def _bounds(residuals: Floats, inflation: float) -> Bounds:
    low, high = _ends(residuals)
    return {"low": float(min(low, 0.0) * inflation), "high": float(max(high, 0.0) * inflation)}


def assumed(
    rows: Sequence[Row], predicted_low: Floats, predicted_high: Floats, known: Mapping[str, Bounds]
) -> tuple[dict[str, Bounds], NDArray[np.bool_]]:
    """Bounds where the batch is assumed, as a share of those at a known batch, and which rows they hold.

    `predicted_low` and `predicted_high` are left-out predictions at the largest and the smallest batch of the range.
    """
    measured = np.array([float(row.joules or np.nan) for row in rows])
    families = [family(row) for row in rows]
    for share in np.arange(0.0, 2.01, 0.05):
        low = np.array([known[f"{name}/known"]["low"] for name in families]) * share
        high = np.array([known[f"{name}/known"]["high"] for name in families]) * share
        inside: NDArray[np.bool_] = (measured >= predicted_low * np.exp(low)) & (
            measured <= predicted_high * np.exp(high)
        )
        if inside.mean() >= NOMINAL:
            break
    else:
        raise ReferenceDataError(
            f"no interval holds {NOMINAL:.0%} of rows whose batch is not given: {inside.mean():.0%}"
        )
    bounds = {
        f"{name}/assumed": {side: value * float(share) for side, value in known[f"{name}/known"].items()}
        for name in ("dense", "moe")
    }
    return bounds, inside


def at_batch(rows: Sequence[Row], batch_size: float) -> list[Row]:
    """The same rows at another batch size (their measured joules stay)."""
    return [replace(row, context=replace(row.context, batch_size=batch_size)) for row in rows]


def bare(rows: Sequence[Row]) -> list[Row]:
    """The same rows as if no more than the parameters of their models were known."""
    return [
        replace(row, context=replace(row.context, layers=None, kv_bytes_per_token=None, rotary=None)) for row in rows
    ]


def widening(residuals: Floats, against: Floats) -> Bounds:
    """What an interval needs on top of `against`'s residuals to hold these: never narrower."""
    low, high = _ends(residuals)
    own_low, own_high = _ends(against)
    return {"low": float(min(0.0, low - own_low)), "high": float(max(0.0, high - own_high))}


def small_errors(residuals: Mapping[str, Floats], bounds: Bounds) -> Bounds:
    """What `bounds` need on top to hold the residuals of every kind (decode, prefill), by their quantiles: never narrower."""
    ends = [_ends(values) for values in residuals.values()]
    return {
        "low": float(min(0.0, *(low - bounds["low"] for low, _ in ends))),
        "high": float(max(0.0, *(high - bounds["high"] for _, high in ends))),
    }
