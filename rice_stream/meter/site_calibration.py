"""Measured rows of one's own against `rice-calibrated`: the factor per hardware that brings the two together. Pure.

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
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.measured_rows import Measured

RATIO_MAX = 20.0
"""Measured over predicted, either way, beyond which a row says more about its units than about the hardware."""
NOMINAL = 0.80


@dataclass(frozen=True, slots=True)
class HardwareCalibration:
    """One hardware's factor and the mean absolute error (share) before it, with it, and with it from other models' rows.

    `error_left_out` is None where one model alone was measured.
    """

    hardware: str
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
    for row, estimated in zip(rows, estimates, strict=True):
        predicted: float = estimated.values["gpu_energy_j"]
        ratio = row.gpu_j / predicted if predicted > 0 else math.inf
        if not 1 / RATIO_MAX <= ratio <= RATIO_MAX:
            raise UsageError(
                f"{row.where}: {row.gpu_j:.4g} J measured a request, {predicted:.4g} J expected: check units,"
                " batch_size and that the energy is of the GPUs for one request"
            )
        hardware: str = estimated.values["hardware"]
        model = row.request.model or f"{row.request.params_total_b:g}B"
        residuals.setdefault(hardware, {}).setdefault(model, []).append(math.log(ratio))
    return [_calibrated(hardware, by_model) for hardware, by_model in sorted(residuals.items())]


def _calibrated(hardware: str, by_model: dict[str, list[float]]) -> HardwareCalibration:
    shift = _shift(list(by_model.values()))
    every = [value for values in by_model.values() for value in values]
    low, high = np.quantile([value - shift for value in every], [(1 - NOMINAL) / 2, (1 + NOMINAL) / 2]).tolist()
    left_out = None
    if len(by_model) > 1:
        apart = [
            value - _shift([others for name, others in by_model.items() if name != model])
            for model, values in by_model.items()
            for value in values
        ]
        left_out = _error(apart)
    factor = SiteCorrection(math.exp(shift), min(low, 0.0), max(high, 0.0), len(every), len(by_model))
    return HardwareCalibration(hardware, factor, _error(every), _error([value - shift for value in every]), left_out)


def _shift(models: Sequence[Sequence[float]]) -> float:
    middle = statistics.fmean(statistics.median(values) for values in models)
    return middle * len(models) / (len(models) + 1)


def _error(residuals: Sequence[float]) -> float:
    """Mean of |predicted / measured - 1|."""
    return statistics.fmean(abs(math.exp(-value) - 1) for value in residuals)
