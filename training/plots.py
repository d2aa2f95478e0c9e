"""The plots of docs/validation.md: the same figures give the same bytes (no dates, no random jitter)."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from rice_stream.estimator.paper.method import PaperMethod
from training.figures import unique_prefill_points
from training.measured import batched, gpu_metered, leaderboard
from training.table3 import left_out_predictions

mpl.use("Agg")
import matplotlib.pyplot as plt

INK = "#1b3a4b"
COLOURS = ("#0b6e4f", "#c8553d", "#3d5a98", "#8a6d1f", "#6b4c9a", "#2a9d8f")


def draw_all(method: PaperMethod, folder: Path) -> None:
    """Writes the three PNG files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (("prefill", _prefill), ("latency", _latency), ("energy", _energy)):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), dpi=90, layout="constrained")
        draw(method, *axes)
        for axis in axes:
            axis.grid(visible=True, which="major", linewidth=0.4, alpha=0.5)
            axis.spines[["top", "right"]].set_visible(False)
        # matplotlib would write its version into the file.
        figure.savefig(folder / f"paper-{name}.png", metadata={"Software": None})
        plt.close(figure)


def _prefill(method: PaperMethod, over_prompt: Any, over_params: Any) -> None:
    points, table = unique_prefill_points(), method.fit.prefill
    tokens = np.arange(1, 3001)
    shown = {"huggingface/gptj_6b": 6.0, "gooseai/gpt-neo-20b": 20.0, "together/opt-66b": 66.0, "together/yalm": 100.0}
    for colour, (curve, params_b) in zip(COLOURS, shown.items(), strict=False):
        own = np.array(points.curve) == curve
        over_prompt.plot(
            points.prompt_tokens[own], points.prefill_s[own], "o", ms=3, color=colour, label=f"{params_b:g} B"
        )
        seconds = table.predict(np.full(len(tokens), params_b), tokens)
        slope = method.fit.curves(params_b, params_b, params_b)[1][-1]
        over_prompt.plot(tokens, seconds + slope * np.maximum(tokens - 1920, 0), color=colour, linewidth=1)
        over_prompt.plot(tokens[1920:], seconds[1920:], ":", color=colour, linewidth=1)
    over_prompt.axvline(1920, color=INK, linewidth=0.6)
    over_prompt.set(
        xlabel="prompt tokens",
        ylabel="prompt encoding (s)",
        title="HELM (dots) and rice-paper (lines)\nthe forest alone would stay flat (dotted)",
    )
    over_prompt.legend(frameon=False)

    sizes_b = np.geomspace(0.2, 1000, 2000)
    for colour, prompt in zip(COLOURS, (192, 1024, 1920), strict=False):
        curves = np.array([method.fit.curves(b, b, b)[1] for b in sizes_b])
        over_params.plot(sizes_b, curves[:, table.columns(prompt)], color=colour, linewidth=1, label=f"{prompt} tokens")
        own = points.prompt_tokens == prompt
        over_params.plot(points.params_b[own], points.prefill_s[own], "o", ms=4, color=colour)
    over_params.set(
        xscale="log",
        yscale="log",
        xlabel="parameters (B)",
        ylabel="prompt encoding (s)",
        title="Twelve measured curves (dots)\nand rice-paper (lines)",
    )
    over_params.legend(frameon=False)


def _latency(method: PaperMethod, left_out: Any, runs: Any) -> None:
    measured_s, predicted_s = left_out_predictions(unique_prefill_points(), "Random Forest")
    _compare(left_out, measured_s, predicted_s, COLOURS[0], "12 curves, each left out")
    left_out.set(xlabel="measured prompt encoding (s)", ylabel="predicted (s)", title="Prefill of models never seen")
    first, second = leaderboard(method), gpu_metered(method)
    _compare(runs, first.measured_s, first.predicted_s, COLOURS[2], "2024-02, 256 -> 256 tokens")
    _compare(runs, second.measured_s, second.predicted_s, COLOURS[1], "2026-01, 256 -> 64 tokens")
    runs.set(xlabel="measured latency (s)", ylabel="predicted (s)", title="LLM-Perf, A100, batch 1")
    for axis in (left_out, runs):
        axis.legend(frameon=False)


def _energy(method: PaperMethod, batch_1: Any, served: Any) -> None:
    first, second = leaderboard(method), gpu_metered(method)
    _compare(batch_1, first.measured_j, first.predicted_j, COLOURS[2], "GPU + CPU + RAM meter, 2024-02")
    _compare(batch_1, second.measured_j, second.predicted_j, COLOURS[1], "GPU meter, 2026-01")
    batch_1.set(xlabel="measured energy of the run (J)", ylabel="predicted (J)", title="LLM-Perf, A100, batch 1")
    rows, measured_j, predicted_j = batched(method)
    for colour, gpu in zip(COLOURS, ("H100", "B200"), strict=False):
        own = np.array(rows.words("gpu")) == gpu
        ratio = (measured_j / predicted_j)[own]
        served.plot(rows.numbers("batch_size")[own], ratio, "o", ms=3, alpha=0.6, color=colour, label=gpu)
    served.axhline(1, color=INK, linewidth=0.8)
    served.set(
        xscale="log",
        yscale="log",
        xlabel="average batch size",
        ylabel="measured / predicted J per output token",
        title="ML.ENERGY v3, batched serving",
    )
    for axis in (batch_1, served):
        axis.legend(frameon=False)


def _compare(axis: Any, measured: np.ndarray, predicted: np.ndarray, colour: str, label: str) -> None:
    """Predicted against measured on equal logarithmic axes, with the line on which they agree."""
    axis.plot(measured, predicted, "o", ms=3, alpha=0.6, color=colour, label=label)
    axis.set(xscale="log", yscale="log")
    lowest, highest = float(measured.min()), float(measured.max())
    axis.axline((lowest, lowest), (highest, highest), color=INK, linewidth=0.6)
