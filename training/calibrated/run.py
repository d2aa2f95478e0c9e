"""One run of the whole fit: the rows, the parameters, what fits predict of rows left out of them, the bounds, the artefact."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.interval import SMALL_B
from rice_stream.estimator.loading import CALIBRATED_ARTEFACT
from rice_stream.quantities import Floats
from training.calibrated.artefact import BATCH_HIGH, BATCH_LOW, BATCH_MIDDLE, fields, rounded, scaffold, serialise
from training.calibrated.errors import Coverage, assumed, at_batch, bare, calibrate, family, small_errors, widening
from training.calibrated.fit import LeftOutFits, fit, initial, leave_out, predict_j, problem
from training.calibrated.model import BOARD_J, BOARD_S, ENERGY, TIME, Theta
from training.calibrated.perf import PERF24_FILE, PERF26_FILE, perf24_rows, perf26_rows, quantised_extra
from training.calibrated.rows import DATA, GPU_FILE, V3_FILE, Row, gpu_rows, v3_rows

REGRESSORS = Path(__file__).parent.parent.parent / "rice_stream" / "estimator" / "regressors"
FITTED_HARDWARE = ("B200", "H200")


@dataclass(frozen=True, slots=True)
class Data:
    """All rows that are fitted to or tested on."""

    gpu: list[Row]
    v3: list[Row]
    perf26: list[Row]
    perf24: list[Row]

    @property
    def energy(self) -> list[Row]:
        return [*self.gpu, *self.v3]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Predictions of every row by fits that saw no row of its group; the `_fits` predict variants of the rows."""

    energy_fits: LeftOutFits
    eager_fits: LeftOutFits
    energy_j: Floats
    perf26_j: Floats
    perf24_j: Floats
    perf24_s: Floats
    v3_at_low_batch: Floats
    v3_at_middle_batch: Floats
    v3_at_high_batch: Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a run of the fit gives: parameters, left-out predictions, bounds, the artefact's bytes."""

    data: Data
    theta: Theta
    left_out: LeftOut
    known: Coverage
    assumed_inside: Floats
    errors: Mapping[str, Any]
    artefact: bytes


def read(folder: Path) -> Data:
    return Data(gpu_rows(), v3_rows(folder), perf26_rows(folder), perf24_rows(folder))


def run(folder: Path) -> Fitted:
    """The whole fit. Raises UsageError or ReferenceDataError for a missing or damaged file."""
    data, empty = read(folder), scaffold()
    theta = fit_all(data, empty)
    extra_j, extra_s = quantised_extra(folder)
    theta |= {"eager_narrow": math.log(extra_j), "eager_narrow_s": math.log(extra_s)}
    left_out = predict_left_out(data, theta, empty)
    known, errors, inside = intervals(data, left_out, theta, empty)
    described = describe(folder, data)
    return Fitted(data, theta, left_out, known, inside, errors, serialise(fields(theta, errors, described)))


def fit_all(data: Data, empty: Artefact) -> Theta:
    theta = initial()
    theta |= fit(ENERGY, theta, problem(data.energy, empty), time=False)
    theta |= fit(TIME, theta, problem(data.energy, empty), time=True)
    theta |= fit(BOARD_J, theta, problem(data.perf26, empty), time=False)
    return theta | fit(BOARD_S, theta, problem([*data.perf26, *data.perf24], empty), time=True)


def predict_left_out(data: Data, theta: Theta, empty: Artefact) -> LeftOut:
    energy = leave_out(data.energy, ENERGY, initial(), empty, time=False)
    eager = leave_out(data.perf26, BOARD_J, theta, empty, time=False)
    board_s = leave_out([*data.perf26, *data.perf24], BOARD_S, theta, empty, time=True)
    return LeftOut(
        energy_fits=energy,
        eager_fits=eager,
        energy_j=energy.predict(data.energy),
        perf26_j=eager.predict(data.perf26),
        perf24_j=leave_out_mixed(data, theta, empty),
        perf24_s=board_s.predict(data.perf24),
        v3_at_low_batch=energy.predict(at_batch(data.v3, BATCH_LOW)),
        v3_at_middle_batch=energy.predict(at_batch(data.v3, BATCH_MIDDLE)),
        v3_at_high_batch=energy.predict(at_batch(data.v3, BATCH_HIGH)),
    )


def leave_out_mixed(data: Data, theta: Theta, empty: Artefact) -> Floats:
    """GPU joules of the 2024 runs: their energy is never fitted to, and a model that both files hold is left out of the fit."""
    predicted = np.full(len(data.perf24), np.nan)
    for group in sorted({row.group for row in data.perf24}):
        own = [index for index, row in enumerate(data.perf24) if row.group == group]
        models = {data.perf24[index].model for index in own}
        kept = [row for row in data.perf26 if row.group != group and row.model not in models]
        own_theta = (
            theta | fit(BOARD_J, theta, problem(kept, empty), time=False) if len(kept) < len(data.perf26) else theta
        )
        predicted[own] = predict_j(own_theta, problem([data.perf24[index] for index in own], empty))
    return predicted


def intervals(data: Data, left_out: LeftOut, theta: Theta, empty: Artefact) -> tuple[Coverage, dict[str, Any], Floats]:
    """Bounds for every regime, the coverage at a known batch, and which ML.ENERGY rows the bounds hold without a batch."""
    residual = log_ratio(data.energy, left_out.energy_j)
    served = np.array([row.source == "ml_energy_v3" for row in data.energy])
    single = np.array([row.kind == "decode" and row.context.batch_size == 1 for row in data.energy])
    eager = [row.kind == "eager" for row in data.perf26]
    rows = [
        *data.v3,
        *(row for row, keep in zip(data.perf26, eager, strict=True) if keep),
        *(row for row, keep in zip(data.energy, single.tolist(), strict=True) if keep),
    ]
    residuals = np.concatenate([residual[served], log_ratio(data.perf26, left_out.perf26_j)[eager], residual[single]])
    regimes = [f"{family(row)}/{'known' if row.source == 'ml_energy_v3' else 'one'}" for row in rows]
    known = calibrate(rows, residuals, regimes)
    bounds = {name: dict(bound) for name, bound in known.bounds.items()}
    # No mixture of experts has been measured at batch 1: it gets the wider bounds of the served ones.
    bounds["moe/one"] = dict(bounds["moe/known"])
    unstated, inside = assumed(
        data.v3, (left_out.v3_at_high_batch, left_out.v3_at_middle_batch, left_out.v3_at_low_batch), bounds
    )
    errors = {
        "errors": {**bounds, **unstated},
        "hardware_errors": hardware_errors(data, residual[served], theta, empty),
        "architecture_errors": architecture_errors(data, left_out),
    }
    small = [
        row.kind if row.source == "gpu" and row.context.params_active_b.mid < SMALL_B else "" for row in data.energy
    ]
    widest = small_errors(
        {kind: residual[np.array(small) == kind] for kind in ("decode", "prefill")}, bounds["dense/one"]
    )
    errors_of_small = {"small_errors": {side: rounded(value) for side, value in widest.items()}}
    return known, rounded_deep(errors) | errors_of_small, inside.astype(np.float64)


def hardware_errors(data: Data, measured: Floats, full: Theta, empty: Artefact) -> dict[str, dict[str, float]]:
    """What intervals need on top for hardware that was never measured, and for hardware that is not even known.

    `scaled`: H200 and B200 predicted from their specification by a fit that saw neither. `unknown`: the reference's estimate
    where any accelerator of the table may have run the row, on top of the row's own error.
    """
    others = [row for row in data.energy if row.context.hardware not in ("B200", "H200-SXM")]
    without = initial() | fit(ENERGY, initial(), problem(others, empty), time=False)
    unfitted = {**without, **{name: 0.0 for name in ENERGY if name.split(".")[0] in FITTED_HARDWARE}}
    unfitted["B200.context_j"] = -50.0
    newer = [row for row in data.v3 if row.context.hardware == "B200"]
    scaled = log_ratio(newer, predict_j(unfitted, problem(newer, empty)))
    reference_j = predict_j(full, problem(_on_hardware(data.v3, empty.reference_hardware), empty))
    unknown = np.concatenate(
        [
            np.log(predict_j(full, problem(_on_hardware(data.v3, name), empty)) / reference_j) + measured
            for name in empty.hardware
        ]
    )
    scaled_wider, unknown_wider = widening(scaled, measured), widening(unknown, measured)
    widest = max(scaled_wider, unknown_wider, key=lambda one: one["high"])
    return {"measured": {"low": 0.0, "high": 0.0}, "scaled": scaled_wider, "unknown": widest}


def architecture_errors(data: Data, left_out: LeftOut) -> dict[str, dict[str, float]]:
    """What intervals need on top where only a model's parameters are known: left-out residuals without layers and KV size."""
    steps = [row for row in data.perf26 if row.kind == "eager"]
    kinds = {
        "dense/one": (steps, left_out.eager_fits),
        "dense/known": ([row for row in data.v3 if family(row) == "dense"], left_out.energy_fits),
        "moe/known": ([row for row in data.v3 if family(row) == "moe"], left_out.energy_fits),
    }
    wider = {
        name: widening(log_ratio(rows, fits.predict(bare(rows))), log_ratio(rows, fits.predict(rows)))
        for name, (rows, fits) in kinds.items()
    }
    # No mixture of experts was measured at batch 1; a guessed layer count is as wrong at a guessed batch as at a known one.
    wider["moe/one"] = wider["moe/known"]
    return wider | {f"{name}/assumed": wider[f"{name}/known"] for name in ("dense", "moe")}


def _on_hardware(rows: Sequence[Row], name: str) -> list[Row]:
    """The same rows as if they had run on another accelerator."""
    return [replace(row, context=replace(row.context, hardware=name)) for row in rows]


def log_ratio(rows: Sequence[Row], predicted: Floats) -> Floats:
    """log(measured / predicted) joules."""
    measured = np.array([float(row.joules or np.nan) for row in rows])
    ratio: Floats = np.log(measured / predicted)
    return ratio


def rounded_deep(errors: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: {name: {side: rounded(value) for side, value in bound.items()} for name, bound in table.items()}
        for kind, table in errors.items()
    }


def describe(folder: Path, data: Data) -> dict[str, Any]:
    """Rows and SHA-256 of every file the fit read: what the artefact rests on."""
    counts = {V3_FILE: len(data.v3), PERF26_FILE: len(data.perf26), PERF24_FILE: len(data.perf24)}
    files = {
        name: {"rows": count, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name, count in counts.items()
    }
    own = (DATA / GPU_FILE).read_bytes()
    return {**files, GPU_FILE: {"rows": len(data.gpu), "sha256": hashlib.sha256(own).hexdigest()}}


def shipped() -> bytes:
    """The artefact as it is in the package."""
    return (REGRESSORS / CALIBRATED_ARTEFACT).read_bytes()
