"""The figures of docs/validation.md about the regressions: each function returns {placeholder: text}."""

import numpy as np

from rice_stream.estimator.paper.method import PaperMethod
from rice_stream.quantities import Floats
from training.figures import prefill_points, table, unique_prefill_points
from training.measured import predict
from training.paper import fit_forest
from training.scores import mape, scores

Facts = dict[str, str]

EVALUATED_TOKENS = (192, 250)
"""The paper's evaluation prompt: input and output tokens (section V)."""

TABLE_V = [
    # model on the leaderboard; the paper's parameters (B), E2E latency, predicted latency, energy, predicted energy
    ("cerebras/Cerebras-GPT-1.3B", 1.30, 3.75, 3.41, 3.99, 3.99),
    ("EleutherAI/gpt-neo-2.7B", 2.72, 5.76, 4.42, 6.12, 5.17),
    ("facebook/xglm-4.5B", 6.99, 5.08, 5.51, 7.81, 6.77),
    ("EleutherAI/pythia-12b", 12.00, 7.21, 7.46, 10.12, 11.51),
    ("EleutherAI/gpt-neox-20b", 20.74, 10.30, 9.05, 15.77, 15.24),
]


def r2(measured: Floats, predicted: Floats) -> float:
    return scores(measured, predicted).r2


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def devices_and_beta(method: PaperMethod) -> Facts:
    """Table II and figure 2 of the paper: the ten models beside regression 1 and regression 3."""
    ten, fit = table("ten_models.csv"), method.fit
    params_b, devices, beta_s = (ten.numbers(c) for c in ("params_b", "devices", "beta_s_per_token"))
    line = fit.devices_per_b * params_b + fit.devices_at_zero
    law = fit.beta_scale_s * params_b**fit.beta_exponent
    rows = [
        [model, f"{b:g}", f"{d:g}", f"{n:.2f}", f"{s:.3f}", f"{t:.4f}"]
        for model, b, d, n, s, t in zip(ten.words("model"), params_b, devices, line, beta_s, law, strict=True)
    ]
    return {
        "ten_models": markdown_table(
            ["model", "N (B)", "GPUs", "line", "beta (s/token)", "power law"],
            rows,
        ),
        "devices_line": f"{fit.devices_per_b:.5f} N + {fit.devices_at_zero:.4f}",
        "devices_r2": f"{r2(devices, line):.3f}",
        "devices_one_at": f"{(1 - fit.devices_at_zero) / fit.devices_per_b:.1f}",
        "beta_law": f"{fit.beta_scale_s:.5f} N^{fit.beta_exponent:.4f}",
        "beta_r2_log": f"{r2(np.log(beta_s), np.log(law)):.3f}",
        "beta_r2": f"{r2(beta_s, law):.3f}",
        "beta_alternatives": _beta_alternatives(method, params_b, beta_s),
    }


def _beta_alternatives(method: PaperMethod, params_b: Floats, beta_s: Floats) -> str:
    """Which regression gives the paper's own Table V predictions? Polynomials in N beside the power law."""
    sizes_b = np.array([size_b(model) for model, *_ in TABLE_V])
    prefill_s = method.fit.prefill.predict(sizes_b, np.full(len(sizes_b), EVALUATED_TOKENS[0]))
    steps = EVALUATED_TOKENS[1] - 1
    papers_s = np.array([row[3] for row in TABLE_V])
    law = method.fit.beta_scale_s * params_b**method.fit.beta_exponent
    candidates = [
        ("power law (straight line in logarithms)", law, method.fit.beta_scale_s * sizes_b**method.fit.beta_exponent)
    ]
    for degree in (1, 2, 3):
        coefficients = np.polynomial.Polynomial.fit(params_b, beta_s, degree)
        candidates.append((f"polynomial of degree {degree} in N", coefficients(params_b), coefficients(sizes_b)))
    rows = []
    for name, fitted, at_table_v in candidates:
        total_s = prefill_s + steps * at_table_v
        cells = [f"{s:.2f}" for s in total_s]
        rows.append([name, f"{r2(beta_s, fitted):.3f}", *cells, percent(mape(papers_s, total_s))])
    rows.append(["**the paper's predictions**", "0.94", *[f"**{s:.2f}**" for s in papers_s], ""])
    header = ["beta as", "R2", *[f"{b:g} B" for b in sizes_b], "mean difference from the paper"]
    return markdown_table(header, rows)


def forest_shape(method: PaperMethod) -> Facts:
    """What the forest does between and beyond the models it knows."""
    prefill = method.fit.prefill
    cells = prefill.cells_s
    highest = np.maximum.accumulate(cells, axis=1)
    jumps = [f"{float(prefill.predict(b, 1024)):.3f} s at {b:g} B" for b in (100, 137, 138, 353, 355)]
    sets = (prefill_points(), unique_prefill_points())
    twice = [fit_forest(points).predict([[20.74, EVALUATED_TOKENS[0]]])[0] for points in sets]
    return {
        "cells": f"{cells.shape[0]} x {cells.shape[1]}",
        "step_down": percent(float(((highest - cells) / highest).max())),
        "jumps": ", ".join(jumps),
        "training_sets": " and ".join(f"{s:.4f} s" for s in twice),
        "flat_10k": f"{float(prefill.predict(20, 10_000)):.3f} s",
        "tail_10k": f"{latency_s(method, 20.0, 10_000, 1):.2f} s",
        "helm_points": str(len(prefill_points().prefill_s)),
    }


def size_b(model: str) -> float:
    rows = table("llm_perf_2024_02.csv")
    return float(rows.words("params_b")[rows.words("model").index(model)])


def latency_s(method: PaperMethod, params_b: float, input_tokens: int, output_tokens: int) -> float:
    size = np.array([params_b])
    tokens = (np.array(float(input_tokens)), np.array(float(output_tokens)))
    return float(predict(method, size, size, tokens).latency_s[0])
