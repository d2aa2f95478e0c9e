"""Intervals: what log(measured / predicted) was for models left out of the fit, per regime, and how often the bounds hold.

Bounds are made from the residuals of left-out groups and checked on groups that gave no residual to them (jackknife by
group), so the coverage stated is that of an unseen model. `inflation` widens both bounds until it is what it claims.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.method import Context
from rice_stream.quantities import Floats
from training.calibrated.rows import Row

NOMINAL = 0.80
REGIME_LEAST = 0.72
"""An 80 % interval that holds 70 % in a regime is the least accepted; a margin on top, because it is estimated."""

ASSUMED_LEAST = 0.75
"""The least share of a family's rows to be held where the batch is not given: how wide that is follows from what is believed of
the batch, which the sweeps' batches are no sample of."""

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


def half_width(residuals: Floats) -> float:
    """Half an interval about the middle that holds the nominal share of residuals."""
    return float(np.quantile(np.abs(residuals), NOMINAL))


def _bounds(residuals: Floats, inflation: float) -> Bounds:
    return _symmetric(half_width(residuals) * inflation)


def _symmetric(half: float) -> Bounds:
    return {"low": -half, "high": half}


def assumed(
    rows: Sequence[Row],
    predicted: tuple[Floats, Floats, Floats],
    known: Mapping[str, Bounds],
) -> tuple[dict[str, Bounds], NDArray[np.bool_]]:
    """Bounds where the batch is assumed, as a multiple (1 or more) of those at a known batch, and which rows they hold.

    `predicted` are left-out predictions at the largest, the middle and the smallest batch of the range: the range of the
    batch and the error of the law are independent, so their half-widths add in squares, about the middle.
    """
    low, mid, high = predicted
    measured = np.array([float(row.joules or np.nan) for row in rows])
    off, of_batch = np.abs(np.log(measured / mid)), 0.5 * np.log(high / low)
    families = np.array([family(row) for row in rows])
    bounds, inside = {}, np.zeros(len(rows), dtype=np.bool_)
    for name in ("dense", "moe"):
        own, half = families == name, known[f"{name}/known"]["high"]
        for share in np.arange(1.0, 3.01, 0.05):
            inside[own] = off[own] <= np.hypot(of_batch[own], half * share)
            if inside[own].mean() >= ASSUMED_LEAST:
                break
        else:
            raise ReferenceDataError(
                f"no interval holds {ASSUMED_LEAST:.0%} of {name} rows whose batch is not given: {inside[own].mean():.0%}"
            )
        bounds[f"{name}/assumed"] = _symmetric(half * float(share))
    return bounds, inside


def at_batch(rows: Sequence[Row], batch_size: float) -> list[Row]:
    """The same rows at another batch size (their measured joules stay)."""
    return [replace(row, context=replace(row.context, batch_size=batch_size)) for row in rows]


def bare(rows: Sequence[Row]) -> list[Row]:
    """The same rows as if no more than the parameters of their models were known."""
    return [replace(row, context=_bare(row.context)) for row in rows]


def _bare(context: Context) -> Context:
    return replace(context, layers=None, kv_bytes_per_token=None, rotary=None, layer_operations=None)


def widening(residuals: Floats, against: Floats) -> Bounds:
    """What an interval needs on top of `against`'s residuals to hold these, in squares: never narrower."""
    return _symmetric(_on_top(half_width(residuals), half_width(against)))


def small_errors(residuals: Mapping[str, Floats], bounds: Bounds) -> Bounds:
    """What `bounds` need on top to hold the residuals of every kind (decode, prefill), in squares: never narrower."""
    return _symmetric(max(_on_top(half_width(values), bounds["high"]) for values in residuals.values()))


def _on_top(half: float, of: float) -> float:
    return float(np.sqrt(max(0.0, half**2 - of**2)))
