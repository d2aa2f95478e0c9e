"""The plots of docs/validation-calibrated.md."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

from training.calibrated.errors import family

if TYPE_CHECKING:
    from training.calibrated.run import Fitted

mpl.use("Agg")
BLUE, ORANGE, GREY = "#1f77b4", "#d95f02", "#888888"


def plot_all(fitted: "Fitted", folder: Path) -> None:
    """Three PNG files, named calibrated-*.png."""
    folder.mkdir(parents=True, exist_ok=True)
    _measured_predicted(fitted, folder / "calibrated-left-out.png")
    _by_batch(fitted, folder / "calibrated-batch.png")
    _errors(fitted, folder / "calibrated-errors.png")


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), dpi=110, layout="constrained")


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _measured_predicted(fitted: "Fitted", path: Path) -> None:
    rows, predicted = fitted.data.energy, fitted.left_out.energy_j
    measured = np.array([float(row.joules or np.nan) for row in rows])
    figure, axes = _figure(6.4, 5.6)
    kinds = {
        "our decode steps": ("gpu", "decode", GREY, "."),
        "our prefills": ("gpu", "prefill", "#bbbbbb", "x"),
        "ML.ENERGY v3, dense": ("ml_energy_v3", "dense", BLUE, "o"),
        "ML.ENERGY v3, mixtures of experts": ("ml_energy_v3", "moe", ORANGE, "^"),
    }
    for label, (source, kind, colour, marker) in kinds.items():
        keep = np.array([row.source == source and kind in (row.kind, family(row)) for row in rows])
        axes.scatter(measured[keep], predicted[keep], s=14, c=colour, marker=marker, label=label, linewidths=0.8)
    ends = np.array([measured.min(), measured.max()])
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="measured J (per token, step or prefill)",
        ylabel="predicted J, model left out",
    )
    axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def _by_batch(fitted: "Fitted", path: Path) -> None:
    shown = {
        "meta-llama/Llama-3.1-8B-Instruct": BLUE,
        "meta-llama/Llama-3.1-70B-Instruct": "#1b9e77",
        "Qwen/Qwen3-235B-A22B-Instruct-2507": ORANGE,
        "openai/gpt-oss-120b": "#7570b3",
    }
    predicted = fitted.left_out.energy_j[len(fitted.data.gpu) :]
    figure, axes = _figure(6.4, 4.6)
    for model, colour in shown.items():
        picked = [
            (float(row.context.batch_size or 1), float(row.joules or np.nan), float(value))
            for row, value in zip(fitted.data.v3, predicted, strict=True)
            if (row.model == model and row.context.hardware == "H100" and (row.context.devices or 1) != 1)
            or (row.model == model == "meta-llama/Llama-3.1-8B-Instruct" and row.context.hardware == "H100")
        ]
        batch, measured, own = np.array(sorted(picked)).T
        axes.plot(batch, measured, "o", color=colour, markersize=4, label=model.split("/")[1])
        axes.plot(batch, own, "-", color=colour, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="batch size (requests)", ylabel="GPU J per output token, H100")
    axes.legend(frameon=False, fontsize=8, title="dots measured, lines predicted (left out)", title_fontsize=8)
    _save(figure, path)


def _errors(fitted: "Fitted", path: Path) -> None:
    predicted = fitted.left_out.energy_j[len(fitted.data.gpu) :]
    ratio = {row.group: [] for row in fitted.data.v3}  # type: dict[str, list[float]]
    for row, value in zip(fitted.data.v3, predicted, strict=True):
        ratio[row.group].append(float(value) / float(row.joules or np.nan))
    names = sorted(ratio, key=lambda name: float(np.median(ratio[name])))
    figure, axes = _figure(6.4, 4.8)
    axes.boxplot(
        [ratio[name] for name in names], orientation="horizontal", tick_labels=names, whis=(0, 100), widths=0.6
    )
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="predicted / measured J per output token, group left out")
    axes.set_xticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.tick_params(labelsize=8)
    _save(figure, path)
