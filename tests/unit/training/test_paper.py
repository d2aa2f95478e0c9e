"""The shipped artefact of `rice-paper` is what training makes; its table is scikit-learn's forest to the last bit."""

import numpy as np
import pytest

from rice_stream.estimator.loading import PAPER_ARTEFACT, load_paper
from training.artefact import REGRESSORS, artefact_bytes
from training.figures import prefill_points, table, unique_prefill_points
from training.paper import build, fit_beta, fit_devices, fit_forest

FOREST = fit_forest(prefill_points())
TABLE = load_paper().fit.prefill


def test_training_rebuilds_the_shipped_artefact_byte_for_byte() -> None:
    """`python -m training.paper` in a clean clone leaves the committed file as it is."""
    assert build() == (REGRESSORS / PAPER_ARTEFACT).read_bytes()


def test_the_step_table_equals_the_forest_on_random_points() -> None:
    """10,000 random models and prompts, far beyond the trained range too: `==`, not a tolerance."""
    rng = np.random.default_rng(20261122)
    params_b = np.exp(rng.uniform(np.log(0.05), np.log(3000), 10_000))
    tokens = rng.integers(0, 4000, 10_000)
    assert np.array_equal(TABLE.predict(params_b, tokens), FOREST.predict(np.column_stack([params_b, tokens])))


def test_the_step_table_equals_the_forest_on_every_edge() -> None:
    """At each threshold and the closest numbers beside it (float32 and float64), where a rounding slip would show."""
    for thresholds, other in ((TABLE.params_thresholds_b, 0), (TABLE.prompt_thresholds, 1)):
        single = thresholds.astype(np.float32)
        edges = np.concatenate(
            [
                thresholds,
                np.nextafter(thresholds, 0),
                np.nextafter(thresholds, np.inf),
                np.nextafter(single, np.float32(0)).astype(np.float64),
                np.nextafter(single, np.float32(np.inf)).astype(np.float64),
            ]
        )
        for fixed in (17.0, 100.0, 1000.0):
            pair = [edges, np.full(len(edges), fixed)]
            params_b, tokens = pair if other == 0 else pair[::-1]
            assert np.array_equal(TABLE.predict(params_b, tokens), FOREST.predict(np.column_stack([params_b, tokens])))


def test_the_papers_sample_sizes_are_the_figures_sizes() -> None:
    """About 400 prompt-encoding points (405 of 15 models; 324 distinct, 12 curves) and 10 models for the other two."""
    points, distinct = prefill_points(), unique_prefill_points()
    assert (len(points.prefill_s), len(set(points.curve))) == (405, 12)
    assert len(distinct.prefill_s) == 324
    assert len(table("ten_models.csv")) == 10


def test_the_line_of_devices_reproduces() -> None:
    """n = 0.04335 N + 0.692 with R2 0.99, as the paper states."""
    ten = table("ten_models.csv")
    params_b, devices = ten.numbers("params_b"), ten.numbers("devices")
    slope, intercept = fit_devices(params_b, devices)
    assert (slope, intercept) == pytest.approx((0.04335, 0.692), abs=5e-4)
    assert slope == pytest.approx(0.04335, abs=5e-6)
    residual = devices - slope * params_b - intercept
    assert 1 - (residual**2).sum() / ((devices - devices.mean()) ** 2).sum() == pytest.approx(0.99, abs=0.002)


def test_the_power_law_of_beta_reproduces() -> None:
    """beta = 0.01230 N ^ 0.3527 s/token with R2 0.945 in logarithms (the paper: "polynomial", 0.94)."""
    ten = table("ten_models.csv")
    logs_b, logs_s = np.log(ten.numbers("params_b")), np.log(ten.numbers("beta_s_per_token"))
    scale_s, exponent = fit_beta(ten.numbers("params_b"), ten.numbers("beta_s_per_token"))
    assert scale_s == pytest.approx(0.01230, abs=5e-6)
    assert exponent == pytest.approx(0.3527, abs=5e-5)
    residual = logs_s - np.log(scale_s) - exponent * logs_b
    assert 1 - (residual**2).sum() / ((logs_s - logs_s.mean()) ** 2).sum() == pytest.approx(0.945, abs=5e-4)


def test_the_slope_past_the_last_prompt_rises_for_every_model_size() -> None:
    """Extrapolated prompts can only cost more: the tail of every row of the forest is positive."""
    fit = load_paper().fit
    for params_b in (0.1, *TABLE.params_thresholds_b, 600.0, 5000.0):
        assert fit.curves(params_b, params_b, params_b)[1][-1] > 0


def test_the_forests_own_steps_down_stay_small() -> None:
    """Faithful to the forest means keeping its small steps down: never more than 4 % below a shorter prompt."""
    highest_before = np.maximum.accumulate(TABLE.cells_s, axis=1)
    assert ((highest_before - TABLE.cells_s) / highest_before).max() < 0.04


def test_artefacts_are_written_with_sorted_keys_and_exact_floats() -> None:
    """The same numbers give the same bytes, whatever order they were put in; a NaN cannot be written."""
    assert artefact_bytes({"b": [[0.1, 2.0]], "a": {"d": 1, "c": 1e-300}}) == artefact_bytes(
        {"a": {"c": 1e-300, "d": 1}, "b": [[0.1, 2.0]]}
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        artefact_bytes({"a": float("nan")})
