"""Fits `rice-paper` and writes its artefact: `python -m training.paper` (byte for byte the same on every run).

The paper's three regressions (Sikand et al., GREENS 2025, section IV-B) on HELM's figures, and the error of the energy
that they predict, taken from measurements that no regression has seen. The forest's generator is seeded; the same bytes
come out with the locked versions of scikit-learn and numpy on x86-64.
"""

import hashlib
import sys
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from rice_stream.estimator.loading import PAPER_ARTEFACT
from rice_stream.estimator.paper.fit import parse_paper_fit
from rice_stream.estimator.paper.method import PaperMethod
from rice_stream.estimator.paper.steptable import StepTable
from rice_stream.quantities import Floats
from training.artefact import REGRESSORS, artefact_bytes, rounded
from training.figures import DATA, PrefillFigures, prefill_points, table
from training.measured import batched_ratios, gpu_ratios, server_ratios

SEED = 0
FITTED_TO = ("helm_prefill.csv", "ten_models.csv")
ERROR_FROM = ("llm_perf_2024_02.csv", "llm_perf_2026_01.csv", "ml_energy_v3.csv")

TAIL_FROM_TOKENS = 1024
"""From here on HELM's curves are straight; the slope past the last prompt is taken from here to there.

The very last pair (1,792 and 1,920 tokens) is rounded to milliseconds and averaged by the forest: too noisy for one.
"""

CONTEXT_TOKENS_MAX = 10_000
"""The paper's own limit of eq. 1 (section IV-A1)."""


def fit_devices(params_b: Floats, devices: Floats) -> tuple[float, float]:
    """Regression 1: devices = slope x N + intercept. N in billions."""
    line = LinearRegression().fit(params_b[:, None], devices)
    return rounded(float(line.coef_[0])), rounded(float(line.intercept_))


def fit_beta(params_b: Floats, beta_s: Floats) -> tuple[float, float]:
    """Regression 3: beta = scale x N ^ exponent, a straight line in logarithms; seconds per token."""
    line = LinearRegression().fit(np.log(params_b)[:, None], np.log(beta_s))
    return rounded(float(np.exp(line.intercept_))), rounded(float(line.coef_[0]))


def fit_forest(points: PrefillFigures, seed: int = SEED) -> RandomForestRegressor:
    """Regression 2: scikit-learn's random forest as it comes (100 trees), on (N, prompt tokens)."""
    return RandomForestRegressor(n_estimators=100, random_state=seed).fit(points.features(), points.prefill_s)


def step_table(forest: RandomForestRegressor) -> StepTable:
    """The forest as its exact table of steps: its own prediction in every cell between its thresholds."""
    thresholds = []
    for feature in (0, 1):
        cuts = [tree.tree_.threshold[tree.tree_.feature == feature] for tree in forest.estimators_]
        thresholds.append(np.unique(np.concatenate(cuts)))
    inside = [_one_in_each_cell(cuts) for cuts in thresholds]
    pairs = np.array([(params_b, tokens) for params_b in inside[0] for tokens in inside[1]])
    cells = forest.predict(pairs).reshape(len(inside[0]), len(inside[1]))
    return StepTable(thresholds[0], thresholds[1], cells)


def _one_in_each_cell(thresholds: Floats) -> Floats:
    """One float32 value inside each cell: the largest one that is not above the cell's upper threshold."""
    below = thresholds.astype(np.float32)
    below = np.where(below > thresholds, np.nextafter(below, np.float32(0)), below)
    return np.append(below, np.float32(thresholds[-1] * 2)).astype(np.float64)


def build() -> bytes:
    """The artefact's bytes."""
    ten, points = table("ten_models.csv"), prefill_points()
    per_b, at_zero = fit_devices(ten.numbers("params_b"), ten.numbers("devices"))
    scale_s, exponent = fit_beta(ten.numbers("params_b"), ten.numbers("beta_s_per_token"))
    steps = step_table(fit_forest(points))
    fields: dict[str, Any] = {
        "method": "rice-paper",
        "devices": {"per_b": per_b, "at_zero": at_zero},
        "beta": {"scale_s": scale_s, "exponent": exponent},
        "prefill": {
            "params_thresholds_b": steps.params_thresholds_b.tolist(),
            "prompt_thresholds": steps.prompt_thresholds.tolist(),
            "cells_s": steps.cells_s.tolist(),
        },
        "range": {
            "params_b_min": float(ten.numbers("params_b").min()),
            "params_b_max": float(ten.numbers("params_b").max()),
            "prefill_params_b_min": float(points.params_b.min()),
            "prompt_tokens_max": int(points.prompt_tokens.max()),
            "tail_from_tokens": TAIL_FROM_TOKENS,
            "context_tokens_max": CONTEXT_TOKENS_MAX,
        },
        "trained_from": {
            name: hashlib.sha256((DATA / name).read_bytes()).hexdigest() for name in FITTED_TO + ERROR_FROM
        },
    }
    # The error is that of the method as shipped, so it is measured with the method itself; its own fields do not enter.
    unknown = {"q10": 1.0, "q50": 1.0, "q90": 1.0, "rows": 0}
    fields["error"] = dict.fromkeys(("gpu_batch_1", "server_batch_1", "gpu_batched"), unknown)
    method = PaperMethod(parse_paper_fit(artefact_bytes(fields), PAPER_ARTEFACT))
    fields["error"] = {
        "gpu_batch_1": _quantiles(gpu_ratios(method)),
        "server_batch_1": _quantiles(server_ratios(method)),
        "gpu_batched": _quantiles(batched_ratios(method)),
    }
    return artefact_bytes(fields)


def _quantiles(ratios: Floats) -> dict[str, float]:
    q10, q50, q90 = (rounded(float(q), 4) for q in np.quantile(ratios, [0.1, 0.5, 0.9]))
    return {"q10": q10, "q50": q50, "q90": q90, "rows": len(ratios)}


def main() -> int:
    path = REGRESSORS / PAPER_ARTEFACT
    path.write_bytes(build())
    print(f"wrote {path.name}, {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
