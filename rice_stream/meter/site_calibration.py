"""Measured rows of one's own against `rice-calibrated`: the factor per hardware that brings the two together. Pure.

What was metered at the accelerators is compared with their joules, what was metered at the machine with its IT energy.
Logarithms throughout: 10 % too much weighs alike at 0.05 J and at 20 J. Every model counts once, however many rows it has
(their median), and few models count carefully: with k models the factor goes k / (k + 1) of the way.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rice_stream.errors import UsageError
from rice_stream.estimator.site import SiteCorrection
from rice_stream.meter.estimating import RequestEstimate, estimate_all
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.measured_rows import GPU, Measured

RATIO_MAX = 20.0
"""Measured over predicted, either way, beyond which a row says more about its units than about the hardware."""
NOMINAL = 0.80
DRAW_MAX = 1.3
"""Mean draw over the power limit beyond which more devices drew than the row says."""
J_PER_WH = 3600.0


@dataclass(frozen=True, slots=True)
class HardwareCalibration:
    """One hardware's factor and the mean absolute error (share) before it, with it, and with it from other models' rows.

    `boundaries` says what its rows were metered at. `error_left_out` is None where one model alone was measured.
    """

    hardware: str
    boundaries: tuple[str, ...]
    factor: SiteCorrection
    error_before: float
    error_after: float
    error_left_out: float | None


def calibrate(rows: Sequence[Measured], estimator: EstimatorAt) -> list[HardwareCalibration]:
    """One answer per hardware, by name; `estimator` has the method that is to be corrected.

    UsageError names the row that cannot be used, and why.
    """
    if not rows:
        raise UsageError("no measured rows: the table has a header only")
    for row in rows:
        if row.request.hardware is None or not estimator.reference.resolve_hardware(row.request.hardware).known:
            raise UsageError(
                f"{row.where}, column hardware: {row.request.hardware!r} is not known; docs/reference-data.md lists the names"
            )
        if row.request.batch_size is None:
            raise UsageError(f"{row.where}, column batch_size: is needed; without it the energy says nothing new")
    estimates = estimate_all([row.request for row in rows], estimator)
    residuals: dict[str, dict[str, list[float]]] = {}
    boundaries: dict[str, set[str]] = {}
    for row, estimated in zip(rows, estimates, strict=True):
        hardware: str = estimated.values["hardware"]
        model = row.request.model or f"{row.request.params_total_b:g}B"
        residuals.setdefault(hardware, {}).setdefault(model, []).append(_log_ratio(row, estimated, estimator))
        boundaries.setdefault(hardware, set()).add(row.boundary)
    return [
        _calibrated(hardware, tuple(sorted(boundaries[hardware])), by_model)
        for hardware, by_model in sorted(residuals.items())
    ]


def _log_ratio(row: Measured, estimated: RequestEstimate, estimator: EstimatorAt) -> float:
    """log(measured / predicted) within the row's boundary. UsageError where the row cannot be what it says."""
    if row.boundary == GPU:
        of, predicted = "the GPUs", estimated.values["gpu_energy_j"]
    else:
        of, predicted = "the machine", estimated.values["it_energy_wh"] * J_PER_WH
    ratio = row.joules / predicted if predicted > 0 else math.inf
    if not 1 / RATIO_MAX <= ratio <= RATIO_MAX:
        raise UsageError(
            f"{row.where}: {row.joules:.4g} J measured a request, {predicted:.4g} J expected: check units,"
            f" batch_size and that the energy is of {of} for one request"
        )
    limit_w = estimator.reference.resolve_hardware(row.request.hardware).tdp_w * estimated.values["devices"]
    if row.mean_w is not None and row.mean_w > DRAW_MAX * limit_w:
        raise UsageError(
            f"{row.where}: the GPUs drew {row.mean_w:.0f} W, and {estimated.values['devices']:g} of them may draw {limit_w:.0f} W:"
            " check devices and the units of energy and duration"
        )
    return math.log(ratio)


def _calibrated(hardware: str, boundaries: tuple[str, ...], by_model: dict[str, list[float]]) -> HardwareCalibration:
    shift = _shift(list(by_model.values()))
    every = [value for values in by_model.values() for value in values]
    low, high = np.quantile([value - shift for value in every], [(1 - NOMINAL) / 2, (1 + NOMINAL) / 2]).tolist()
    left_out = scatter = None
    if len(by_model) > 1:
        apart = {
            model: [value - _shift([rows for name, rows in by_model.items() if name != model]) for value in values]
            for model, values in by_model.items()
        }
        left_out = _error([value for values in apart.values() for value in values])
        scatter = math.sqrt(statistics.fmean(statistics.median(values) ** 2 for values in apart.values()))
    factor = SiteCorrection(math.exp(shift), min(low, 0.0), max(high, 0.0), len(every), len(by_model), scatter)
    return HardwareCalibration(
        hardware, boundaries, factor, _error(every), _error([value - shift for value in every]), left_out
    )


def _shift(models: Sequence[Sequence[float]]) -> float:
    middle = statistics.fmean(statistics.median(values) for values in models)
    return middle * len(models) / (len(models) + 1)


def _error(residuals: Sequence[float]) -> float:
    """Mean of |predicted / measured - 1|."""
    return statistics.fmean(abs(math.exp(-value) - 1) for value in residuals)
