"""The figures of docs/validation.md about measurements: each function returns {placeholder: text}."""

import numpy as np

from rice_stream.estimator.paper.method import TDP_W, UTILISATION, PaperMethod
from rice_stream.quantities import Floats
from training.figures import table
from training.findings import EVALUATED_TOKENS, TABLE_V, Facts, latency_s, markdown_table, percent, size_b
from training.measured import LEADERBOARD_TOKENS, Compared, batched, gpu_metered, leaderboard
from training.scores import bias, mape, relative_errors

SIZES = (("all", 0.0, np.inf), ("below 1 B", 0.0, 1.0), ("1 to 6 B", 1.0, 6.0), ("6 B and more", 6.0, np.inf))
BATCHES = ((0, 16), (16, 64), (64, 256), (256, 100_000))

PAPERS_ROWS = 46
"""Rows in the paper's validation, which does not name them."""


def table_v(method: PaperMethod) -> Facts:
    """The paper's five sample rows: its predictions, ours, and what its energy column is."""
    rows = table("llm_perf_2024_02.csv")
    latency_rows, energy_rows, errors, shares = [], [], [], []
    for model, printed_b, printed_s, papers_s, papers_j, papers_predicted_j in TABLE_V:
        at, b = rows.words("model").index(model), size_b(model)
        measured_s = float(rows.words("latency_s")[at])
        measured_j = 3.6e6 / float(rows.words("tokens_per_kwh")[at])
        ours_s = latency_s(method, b, *EVALUATED_TOKENS)
        ours_j = method.fit.devices(b) * TDP_W * UTILISATION * ours_s / EVALUATED_TOKENS[1]
        errors.append(abs(ours_j / measured_j - 1))
        shares.append(float(method.fit.prefill.predict(b, EVALUATED_TOKENS[0])) / ours_s)
        cells = [f"{b:.2f}", f"{measured_s:.2f}", f"{papers_s:.2f}", f"{ours_s:.2f}", percent(ours_s / papers_s - 1)]
        latency_rows.append([model, f"{printed_b:.2f}", f"{printed_s:.2f}", *cells])
        built_j = 1.1 * measured_j * papers_s / measured_s
        cells = [f"{papers_predicted_j:.2f}", f"{built_j:.2f}", f"{ours_j:.2f}", percent(ours_j / measured_j - 1)]
        energy_rows.append([model, f"{papers_j:.2f}", f"{measured_j:.2f}", *cells])
    latency_header = ["model", "paper: N (B)", "paper: E2E (s)", "leaderboard: N (B)", "leaderboard: E2E (s)"]
    energy_header = ["model", 'paper: "Energy (J)"', "leaderboard: J per token", 'paper: "Predicted Energy"']
    return {
        "table_v_latency": markdown_table(
            [*latency_header, "paper: predicted (s)", "ours (s)", "ours - paper"], latency_rows
        ),
        "table_v_energy": markdown_table(
            [*energy_header, "1.1 x measured x predicted / measured latency", "400 W x 0.26 x n x T", "error"],
            energy_rows,
        ),
        "prefill_share": percent(float(np.mean(shares))),
        "table_v_energy_mape": percent(float(np.mean(errors))),
    }


def leaderboard_of_2024(method: PaperMethod) -> Facts:
    """The paper's validation on every published row: latency and fully predicted energy."""
    runs = leaderboard(method)
    as_paper_s = np.array([latency_s(method, b, *EVALUATED_TOKENS) for b in runs.params_b])
    errors = relative_errors(runs.measured_s, as_paper_s)
    rng = np.random.default_rng(PAPERS_ROWS)
    subsets = [errors[rng.permutation(len(errors))[:PAPERS_ROWS]].mean() for _ in range(10_000)]
    low, high = np.quantile(subsets, [0.05, 0.95])
    scaled_s = runs.measured_s / LEADERBOARD_TOKENS[1] * EVALUATED_TOKENS[1]
    built_mape = float(np.mean(np.abs(1.1 * as_paper_s / runs.measured_s - 1)))
    rows = []
    for name, keep in _groups(runs.params_b):
        ratio = runs.energy_ratio[keep]
        rows.append(
            [
                name,
                str(int(keep.sum())),
                percent(float(errors[keep].mean())),
                percent(mape(scaled_s[keep], as_paper_s[keep])),
                percent(mape(runs.measured_s[keep], runs.predicted_s[keep])),
                percent(mape(runs.measured_j[keep], runs.predicted_j[keep])),
                *_three(ratio),
            ]
        )
    header = ["models", "rows", "latency, unscaled (paper's table)", "latency, scaled (eq. 2)", "latency, same tokens"]
    header += ["energy, fully predicted", *_RATIO]
    return {
        "leaderboard": markdown_table(header, rows),
        "leaderboard_rows": str(len(errors)),
        "subset_low": percent(float(low)),
        "subset_high": percent(float(high)),
        "built_mape": percent(built_mape),
        "table_iv": markdown_table(
            ["Table IV: mean absolute percentage error", "paper, 46 rows", f"ours, {len(errors)} rows"],
            [
                ["E2E latency", "22.9 %", percent(float(errors.mean()))],
                ["Energy, built from the measurement (section 4)", "15.3 %", percent(built_mape)],
                ["Energy, fully predicted", "not given", percent(mape(runs.measured_j, runs.predicted_j))],
            ],
        ),
        "meter_watts": _spread(runs.measured_j / runs.measured_s, "W"),
    }


def gpu_meter_of_2026(method: PaperMethod) -> Facts:
    """The same with a meter that sees the GPU alone, and the power that a GPU really draws at batch 1."""
    runs = gpu_metered(method)
    watts = runs.measured_j / runs.measured_s
    rows = []
    for name, keep in _groups(runs.params_b):
        rows.append(
            [
                name,
                str(int(keep.sum())),
                percent(mape(runs.measured_s[keep], runs.predicted_s[keep])),
                percent(mape(runs.measured_j[keep], runs.predicted_j[keep])),
                percent(bias(runs.measured_j[keep], runs.predicted_j[keep])),
                *_three(runs.energy_ratio[keep]),
                _spread(watts[keep], "W"),
            ]
        )
    header = ["models", "rows", "latency", "energy", "energy, bias", *_RATIO, "GPU draw: lowest, median, highest"]
    from_1b = watts[runs.params_b >= 1] / TDP_W
    return {
        "gpu_meter": markdown_table(header, rows),
        "gpu_meter_models": str(len(set(runs.model))),
        "draw_shares": ", ".join(f"{share:.2f}" for share in np.quantile(from_1b, [0, 0.5, 1])),
        "draw_below_2b": f"{np.median(watts[(runs.params_b < 2)]):.0f} W",
        "draw_from_5b": f"{np.median(watts[runs.params_b >= 5]):.0f} W",
    }


def batched_serving(method: PaperMethod) -> Facts:
    """What batching does: ML.ENERGY's rows beside a method that knows batch 1 only."""
    rows, measured_j, predicted_j = batched(method)
    ratio, batch_size, gpu = measured_j / predicted_j, rows.numbers("batch_size"), np.array(rows.words("gpu"))
    lines = []
    for name in ("H100", "B200"):
        for low, high in BATCHES:
            keep = (gpu == name) & (batch_size >= low) & (batch_size < high)
            bounds = f"{low} to {high}" if high < BATCHES[-1][1] else f"{low} and more"
            lines.append(
                [name, bounds, str(int(keep.sum())), *_three(ratio[keep], digits=4), f"{ratio[keep].max():.3f}"]
            )
    header = ["GPU", "average batch", "rows", *_RATIO, "highest"]
    return {
        "batched": markdown_table(header, lines),
        "batched_rows": str(len(ratio)),
        "batched_max": f"{ratio.max():.2f}",
    }


def coverage(method: PaperMethod) -> Facts:
    """How often the stated ranges hold what was measured; for the GPU meter also with the model's own rows left out."""
    fit, server, gpu = method.fit, leaderboard(method), gpu_metered(method)
    batched_ratio = batched(method)[1] / batched(method)[2]
    unknown = (fit.batched_error.q10, fit.gpu_error.q90)
    cases = [
        ("batch 1 known, server meter (2024-02)", server.energy_ratio, (min(1, fit.it_error.q10), fit.it_error.q90)),
        ("batch 1 known, GPU meter (2026-01)", gpu.energy_ratio, (min(1, fit.gpu_error.q10), fit.gpu_error.q90)),
        ("batch unknown, GPU meter, batch 1 in fact (2026-01)", gpu.energy_ratio, unknown),
        ("batch unknown, GPU meter, batched serving (ML.ENERGY v3)", batched_ratio, unknown),
    ]
    rows = [
        [name, str(len(ratio)), f"{low:.3g} to {high:.3g} x", percent(float(((ratio >= low) & (ratio <= high)).mean()))]
        for name, ratio, (low, high) in cases
    ]
    return {
        "coverage": markdown_table(["what is known", "rows", "range around the middle value", "measured inside"], rows),
        "coverage_left_out": percent(_left_out_coverage(gpu)),
        "q_gpu": f"{fit.gpu_error.q10:.2f}, {fit.gpu_error.q50:.2f} and {fit.gpu_error.q90:.2f}",
        "q_server": f"{fit.it_error.q10:.2f}, {fit.it_error.q50:.2f} and {fit.it_error.q90:.2f}",
        "q_batched": f"{fit.batched_error.q10:.3f}, {fit.batched_error.q50:.3f} and {fit.batched_error.q90:.3f}",
        "version": method.version,
    }


_RATIO = ["measured / predicted: 10th", "median", "90th percentile"]


def _left_out_coverage(runs: Compared) -> float:
    """Share of runs inside [1, q90] when q90 is taken from the other models' runs."""
    ratio, model = runs.energy_ratio, np.array(runs.model)
    inside = [
        (ratio[model == one] >= 1) & (ratio[model == one] <= np.quantile(ratio[model != one], 0.9))
        for one in sorted(set(runs.model))
    ]
    return float(np.concatenate(inside).mean())


def _groups(params_b: Floats) -> list[tuple[str, np.ndarray]]:
    return [(name, (params_b >= low) & (params_b < high)) for name, low, high in SIZES]


def _three(ratio: Floats, digits: int = 2) -> list[str]:
    return [f"{q:.{digits}f}" for q in np.quantile(ratio, [0.1, 0.5, 0.9])]


def _spread(values: Floats, unit: str) -> str:
    return ", ".join(f"{q:.0f}" for q in np.quantile(values, [0, 0.5, 1])) + f" {unit}"
