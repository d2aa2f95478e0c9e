"""Writes docs/validation-calibrated.md and its plots from a fit: every number in it is computed here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rice_stream.estimator.calibrated.artefact import parse_artefact
from rice_stream.quantities import Floats
from training.calibrated.artefact import HOST_SHARE, KV_LAW
from training.calibrated.compare import ecologits_j, log_log_j, paper_j, tdp_time_j
from training.calibrated.errors import family
from training.calibrated.plots import plot_all
from training.calibrated.rows import PROMPT_TOKENS, Row
from training.calibrated.targets import (
    at_least_1b,
    error,
    it_joules,
    joules_of,
    markdown,
    mask,
    on,
    ours,
    reached,
)
from training.calibrated.text import CLOSING, INTRODUCTION, PHYSICS

if TYPE_CHECKING:
    from training.calibrated.run import Fitted

DOCS = Path(__file__).parent.parent.parent / "docs"
METHODS = {
    "`rice-paper`": paper_j,
    "plain log-log fit, left out": log_log_j,
    "EcoLogits' law": ecologits_j,
    "TDP x measured time": tdp_time_j,
}


def write_report(fitted: "Fitted") -> Path:
    """The report and three plots."""
    sections = [
        INTRODUCTION,
        "## 1. Against the targets\n",
        targets(fitted),
        "\n## 2. Every data set, every method\n",
        methods(fitted),
        "\n## 3. Where it errs: ML.ENERGY v3 by model, left out\n",
        by_model(fitted),
        "\n## 4. Intervals\n",
        coverage(fitted),
        "\n## 5. What matters and what does not\n",
        sensitivity(fitted),
        physics(fitted),
        coefficients(fitted),
        CLOSING,
    ]
    plot_all(fitted, DOCS / "plots")
    DOCS.mkdir(exist_ok=True)
    path = DOCS / "validation-calibrated.md"
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def physics(fitted: "Fitted") -> str:
    """The law and why it is as it is, with the figures of the fit."""
    data, theta = fitted.data, fitted.theta
    eager = mask(data.perf26, lambda row: row.kind == "eager")
    reached_there = error(fitted.left_out.perf26_j, joules_of(data.perf26), eager)[0]
    return PHYSICS.format(energy=theta["eager_operations"], time=theta["eager_operations_s"], reached=reached_there)


def of_task(task: str) -> Callable[[Row], bool]:
    return lambda row: row.task == task


def key_of(row: Row) -> tuple[str, str, float, str]:
    return row.model, row.context.hardware, float(row.context.devices or 1.0), row.task


def targets(fitted: "Fitted") -> str:
    return markdown(reached(fitted)) + (
        "\n\nThe 2024 meter is CodeCarbon on the whole machine: GPU (capped at 275 W), CPU and RAM. Its counterpart is GPU"
        f" energy plus {HOST_SHARE[1]:.0%} of the TDP for the time of the run, no PUE, no idle share. The 2024 energies are not"
        " fitted to at all; GPU joules come from the 2026 file (models held by both left out), seconds from both. Rows of"
        f" data-parallel serving ({sum(not row.fitted for row in fitted.data.v3)}, on B200) are never fitted to and stay in the"
        " error."
    )


def methods(fitted: "Fitted") -> str:
    data, left = fitted.data, fitted.left_out
    served = mask(data.energy, lambda row: row.source == "ml_energy_v3")
    eager_rows = [row for row in data.perf26 if row.kind == "eager"]
    eager = mask(data.perf26, lambda row: row.kind == "eager")
    lines = ["| data | method | MAPE | median APE | bias |", "|---|---|---|---|---|"]
    groups: list[tuple[str, list[Row], Floats]] = [
        (f"ML.ENERGY v3, {name}", *_part(data.v3, left.energy_j[served], on(name))) for name in ("H100", "B200")
    ]
    groups += [
        (f"our {name}, >= 1 B", *_part(data.energy, left.energy_j, ours(kind)))
        for kind, name in (("decode", "decode steps"), ("prefill", "prefills"))
    ]
    groups += [("LLM-Perf 2026, A100, batch 1", eager_rows, left.perf26_j[eager])]
    groups += [("LLM-Perf 2024, A100, batch 1, server", *_part(data.perf24, it_joules(fitted), at_least_1b))]
    all_served = {id(row): value for row, value in zip(data.v3, log_log_j(data.v3), strict=True)}
    for name, rows, own in groups:
        table = {"`rice-calibrated`, left out": own}
        for method, predict in METHODS.items():
            is_served = method.startswith("plain") and rows[0].source == "ml_energy_v3"
            table[method] = np.array([all_served[id(row)] for row in rows]) if is_served else predict(rows)
        for method, predicted in table.items():
            if np.isnan(predicted).all():
                lines.append(f"| {name} | {method} | says nothing of prompts | | |")
                continue
            mape, median, bias, _ = error(predicted, joules_of(rows), np.ones(len(rows), dtype=np.bool_))
            lines.append(f"| {name} | {method} | {mape:.0f} % | {median:.0f} % | {bias:+.0f} % |")
    lines.append(
        "\nThe log-log fit sees the same rows and is left out by the same groups. EcoLogits' law is the published formula, given"
        " the true batch size (outside its range too) and the true device count. TDP x time is given the measured step time,"
        " which no caller of an API has. `rice-paper` is told what it asks for, parameters and tokens, and takes devices, power and"
        " a batch of 1 from the paper. The 2024 meter is the server's; EcoLogits' law, TDP and `rice-paper` are of its GPU."
    )
    return "\n".join(lines)


def _part(rows: Sequence[Row], predicted: Floats, test: Callable[[Row], bool]) -> tuple[list[Row], Floats]:
    keep = mask(rows, test)
    return [row for row, kept in zip(rows, keep.tolist(), strict=True) if kept], predicted[keep]


def by_model(fitted: "Fitted") -> str:
    data = fitted.data
    predicted = fitted.left_out.energy_j[len(data.gpu) :]
    measured = joules_of(data.v3)
    lines = ["| model | GPU | devices | task | rows | MAPE | bias |", "|---|---|---|---|---|---|---|"]
    keys = sorted({key_of(row) for row in data.v3})
    for key in keys:
        keep = np.array([key_of(row) == key for row in data.v3], dtype=np.bool_)
        mape, _, bias, rows = error(predicted, measured, keep)
        model, hardware, devices, task = key
        lines.append(f"| {model} | {hardware} | {devices:g} | {task} | {rows} | {mape:.0f} % | {bias:+.0f} % |")
    return "\n".join(lines)


def coverage(fitted: "Fitted") -> str:
    known, data = fitted.known, fitted.data
    bounds = (
        "Bounds of log(measured / predicted) come from left-out groups, and their coverage from groups that gave none of the"
        f" residuals (widened by {known.inflation:.2f} until it held).\n"
    )
    lines = [
        bounds,
        "| regime | share of left-out rows inside the 80 % interval |",
        "|---|---|",
        f"| all, batch known | {known.overall:.0%} |",
        *(f"| {name} | {share:.0%} |" for name, share in known.by_regime.items()),
        f"| all, batch not given | {fitted.assumed_inside.mean():.0%} |",
    ]
    inside = fitted.assumed_inside > 0
    tests: dict[str, Callable[[Row], bool]] = {
        "dense": lambda row: family(row) == "dense",
        "mixture of experts": lambda row: family(row) == "moe",
        "H100": lambda row: row.context.hardware == "H100",
        "B200": lambda row: row.context.hardware == "B200",
        **{task: of_task(task) for task in PROMPT_TOKENS},
    }
    lines += [f"| {name}, batch not given | {inside[mask(data.v3, test)].mean():.0%} |" for name, test in tests.items()]
    artefact = parse_artefact(fitted.artefact, "rice-calibrated.json")
    lines += ["\n| regime | lowest | highest, of the estimate |", "|---|---|---|"]
    lines += [
        f"| {name} | x {np.exp(bound.low):.2f} | x {np.exp(bound.high):.2f} |"
        for name, bound in sorted(artefact.errors.items())
    ]
    lines += [
        f"| hardware {name}, on top | x {np.exp(bound.low):.2f} | x {np.exp(bound.high):.2f} |"
        for name, bound in artefact.hardware_errors.items()
    ]
    lines += [
        f"| {name}, only parameters known, on top | x {np.exp(bound.low):.2f} | x {np.exp(bound.high):.2f} |"
        for name, bound in sorted(artefact.architecture_errors.items())
    ]
    small = artefact.small_errors
    lines.append(f"| below 1 B, not eager, on top | x {np.exp(small.low):.2f} | x {np.exp(small.high):.2f} |")
    lines.append(
        "\nWhere the batch is not given, the range of the profile (8 to 1,024 requests) goes through the physics, and its half"
        " width, as that of every cause, adds to the law's in squares, about the middle. The middle of `interactive` lies low in"
        " the sweeps, so mixtures need more than their law's error here. Closed models: the range of their"
        " parameters goes through the physics likewise; no measurement of a closed model exists, so this cannot be checked."
    )
    return "\n".join(lines)


def sensitivity(fitted: "Fitted") -> str:
    data = fitted.data
    variants: dict[str, Callable[[Row], Row]] = {
        "as in the table above": lambda row: row,
        "KV bytes not given (law)": lambda row: replace(row, context=replace(row.context, kv_bytes_per_token=None)),
        "layers not given (law)": lambda row: replace(row, context=replace(row.context, layers=None)),
        "device count not given (from memory)": lambda row: replace(row, context=replace(row.context, devices=None)),
        "prompts half as long as assumed": lambda row: replace(row, input_tokens=row.input_tokens * 0.5),
        "prompts twice as long as assumed": lambda row: replace(row, input_tokens=row.input_tokens * 2.0),
    }
    fits = fitted.left_out.energy_fits
    predicted = {name: fits.predict([change(row) for row in data.v3]) for name, change in variants.items()}
    lines = ["| ML.ENERGY v3, left out | H100 MAPE (median) | B200 MAPE (median) |", "|---|---|---|"]
    measured = joules_of(data.v3)
    for name, values in predicted.items():
        cells = []
        for hardware in ("H100", "B200"):
            keep = mask(data.v3, on(hardware))
            mape, median, _, _ = error(values, measured, keep)
            cells.append(f"{mape:.1f} % ({median:.1f} %)")
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    prompts = ", ".join(f"{task} {tokens:g}" for task, tokens in PROMPT_TOKENS.items())
    lines.append(
        f"\nPrompt lengths are not in the published rows; assumed means: {prompts} tokens. KV law: {KV_LAW[0]:g} x"
        f" total^{KV_LAW[1]} x active^{KV_LAW[2]} bytes per token."
    )
    return "\n".join(lines)


def coefficients(fitted: "Fitted") -> str:
    artefact = parse_artefact(fitted.artefact, "rice-calibrated.json")
    lines = [
        "| hardware | fitted | J/layer launch | J/GB weights | J/TFLOP (floor) | J/GB KV | J/streamed token |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in artefact.hardware.items():
        machine = one.machine
        lines.append(
            f"| {name} | {'yes' if one.measured else 'scaled'} | {machine['launch_j']:.4f} | {machine['weight_j_per_gb']:.3f} |"
            f" {machine['flop_j_per_tflop']:.2f} ({machine['floor_j_per_tflop']:.2f}) | {machine['kv_j_per_gb']:.3f} |"
            f" {machine['stream_j']:.4f} |"
        )
    return "\n".join(lines)
