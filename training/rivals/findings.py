"""The figures of docs/validation.md about other tools: each function returns {placeholder: text}."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rice_stream.quantities import Floats
from training.calibrated.artefact import HOST_SHARE
from training.calibrated.compare import paper_j
from training.calibrated.model import specifications
from training.calibrated.rows import Row
from training.calibrated.targets import at_least_1b, it_joules, joules_of, mask, on, ours
from training.findings import Facts, markdown_table
from training.rivals import ecologits, hosted_day, llmcarbon, mlco2
from training.rivals.meters import HGX_HOST, LLM_PERF_HOST, gpu_watts, host_watts, published_watts
from training.rivals.rows import DataSet, data_sets
from training.scores import bias, mape

if TYPE_CHECKING:
    from training.calibrated.run import Fitted

TOOLS: dict[str, tuple[str, Callable[[Sequence[Row]], Floats]]] = {
    # tool: (what it was told, joules in the unit of each row)
    "`rice-paper`": ("size, tokens", paper_j),
    "MLCO2 Impact": ("GPU, its hours as measured", mlco2.joules),
    "LLMCarbon, the paper's equations": ("size, GPU, tokens", llmcarbon.joules),
    "LLMCarbon, its code": ("size, GPU, tokens", llmcarbon.joules_by_code),
    "EcoLogits' law": ("size, output tokens, true batch and devices", ecologits.joules),
    "EcoLogits as it is used": ("size, output tokens", ecologits.joules_as_used),
}
TRACKERS = ("CodeCarbon", "Eco2AI")
GOOGLE_HOST_SHARE = 0.06 / 0.14
"""Processor and memory beside the accelerators of Google's fleet: Elsworth et al. 2025, arXiv 2508.15734."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A tool on all data sets: mean absolute and mean relative error on each, in this order; None where it says nothing."""

    tool: str
    told: str
    errors: list[tuple[float, float] | None]


def compared(sets: Sequence[DataSet]) -> list[Compared]:
    """Every tool that predicts, but for `rice-calibrated`, whose left-out predictions need the whole fit."""
    return [
        Compared(tool, told, [_errors(data.joules, predict(data.rows)) for data in sets])
        for tool, (told, predict) in TOOLS.items()
    ]


def rivals(sets: Sequence[DataSet] | None = None) -> Facts:
    """Those, and the tools that meter, as a table."""
    sets = data_sets() if sets is None else sets
    rows = [[one.tool, one.told, *(_cell(errors) for errors in one.errors)] for one in compared(sets)]
    rows += [[tool, "to run beside the model", *["is the meter"] * len(sets)] for tool in TRACKERS]
    header = ["tool", "what it was told", *(f"{data.name} ({len(data.rows)})" for data in sets)]
    return {"rivals": markdown_table(header, rows)}


def calibrated_row(fitted: "Fitted") -> Facts:
    """`rice-calibrated`, each model left out of the fit that predicts it, as a row of the same table."""
    one = calibrated_compared(fitted)
    cells = " | ".join(_cell(errors) for errors in one.errors)
    return {"rivals_ours": f"| **`{one.tool}`, left out** | {one.told} | {cells} |"}


def calibrated_compared(fitted: "Fitted") -> Compared:
    """`rice-calibrated` on the same data sets, in their order."""
    data, left = fitted.data, fitted.left_out
    energy, perf26 = data.energy, data.perf26
    eager = mask(perf26, lambda row: row.kind == "eager")
    parts = [(energy, left.energy_j, mask(energy, on(name))) for name in ("H100", "B200")]
    parts += [(energy, left.energy_j, mask(energy, ours(kind))) for kind in ("decode", "prefill")]
    parts += [(perf26, left.perf26_j, eager), (data.perf24, it_joules(fitted), mask(data.perf24, at_least_1b))]
    errors = [_errors(joules_of(rows)[keep], predicted[keep]) for rows, predicted, keep in parts]
    return Compared("rice-calibrated", "size, GPU, batch, devices, tokens", errors)


def side_by_side(fitted: "Fitted") -> list[dict[str, Any]]:
    """All that predict, JSON-ready: errors are shares of the measured joules, null where a tool says nothing."""
    sets = data_sets()
    return [
        {
            "tool": one.tool.strip("`"),
            "told": one.told,
            "errors": [
                {"data": data.name, "rows": len(data.rows), "mape": found and found[0], "bias": found and found[1]}
                for data, found in zip(sets, one.errors, strict=True)
            ],
        }
        for one in [*compared(sets), calibrated_compared(fitted)]
    ]


def meters(sets: Sequence[DataSet] | None = None) -> Facts:
    """What the trackers would write for the whole machine, beside the measured GPUs."""
    sets = data_sets() if sets is None else sets
    gpu_w, cpu_w, ram_w = published_watts()
    around_w = cpu_w + ram_w
    board_w = HOST_SHARE[1] * specifications()["A100-80GB"].tdp_w
    lines = [
        ["CodeCarbon 2, as published", f"{np.median(cpu_w):.0f}", f"{np.median(ram_w):.0f}", _over(gpu_w, around_w), ""]
    ]
    for watts in host_watts(LLM_PERF_HOST):
        difference = f"{_signed(bias(gpu_w + around_w, gpu_w + watts.total_w))} %"
        cells = [f"{watts.cpu_w:.0f}", f"{watts.ram_w:.0f}", _over(gpu_w, watts.total_w), difference]
        lines.append([f"{watts.tracker}, by its formulas", *cells])
    lines.append(["`rice-calibrated`, server around the GPU", "", f"{board_w:.0f} in all", _over(gpu_w, board_w), ""])
    header = [
        "LLM-Perf 2026, 100 runs",
        "processor, W",
        "memory, W",
        "machine / GPU, median",
        "machine, against as published",
    ]
    served = sets[0]
    groups = [(devices, gpu_watts(served, devices)) for devices in (1.0, 2.0, 4.0, 8.0)]
    hgx = [
        [watts.tracker, f"{watts.cpu_w:.0f}", f"{watts.ram_w:.0f}", *(_over(w, watts.total_w) for _, w in groups)]
        for watts in host_watts(HGX_HOST)
    ]
    columns = [f"machine / GPUs, {devices:g} of 8 ({len(w)} runs)" for devices, w in groups]
    boards = next(data for data in sets if data.of_machine)
    board_watts = boards.joules / np.array([float(row.seconds or np.nan) for row in boards.rows])
    return {
        "meters": markdown_table(header, lines),
        "meters_hgx": markdown_table(["ML.ENERGY v3, H100", "processor, W", "memory, W", *columns], hgx),
        "meters_host": LLM_PERF_HOST.name,
        "meters_hgx_host": HGX_HOST.name,
        "meters_2024_w": f"{np.median(board_watts):.0f} W",
        "meters_2026_w": f"{np.median(gpu_w + around_w):.0f} W",
        "meters_google": f"{1 + GOOGLE_HOST_SHARE:.2f}",
    }


def published_day() -> Facts:
    """DeepSeek's published day, in front of every tool."""
    low, mid, high = hosted_day.measured_mwh()
    rows = [
        [one.tool, one.told, "cannot say" if one.mwh is None else f"{one.mwh:.1f}", _times(one.mwh, mid)]
        for one in hosted_day.answers()
    ]
    return {
        "day": markdown_table(["tool", "what it has to be told", "MWh", "of the middle"], rows),
        "day_mwh": f"{mid:.0f} MWh ({low:.0f} to {high:.0f})",
        "closed_ecologits": " to ".join(f"{wh:.2f}" for wh in gpt_4o_wh(300)),
    }


def gpt_4o_wh(output_tokens: float) -> list[float]:
    """What EcoLogits says of a request to gpt-4o: at the fewest and at the most active parameters that it takes for possible."""
    speed = (ecologits.GPT_4O_TOKENS_PER_S, ecologits.GPT_4O_FIRST_TOKEN_S, ecologits.OPENAI_PUE)
    return [
        ecologits.request_wh((ecologits.GPT_4O_TOTAL_B, active_b), output_tokens, *speed)
        for active_b in ecologits.GPT_4O_ACTIVE_B
    ]


def _times(mwh: float | None, mid: float) -> str:
    return "" if mwh is None else f"{mwh / mid:.2g} x"


def _over(gpu_w: Floats, around_w: Floats | float) -> str:
    return f"{np.median(1 + around_w / gpu_w):.2f}"


def _errors(measured: Floats, predicted: Floats) -> tuple[float, float] | None:
    return None if np.isnan(predicted).all() else (mape(measured, predicted), bias(measured, predicted))


def _cell(errors: tuple[float, float] | None) -> str:
    """Mean absolute percentage error and, in brackets, the mean signed one."""
    return "says nothing" if errors is None else f"{100 * errors[0]:,.0f} % ({_signed(errors[1])})"


def _signed(share: float) -> str:
    """In per cent, without a sign where nothing is left of it."""
    percent = round(100 * share)
    return f"{percent:+,}" if percent else "0"
