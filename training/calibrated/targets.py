"""What `rice-calibrated` must reach on the data given, and what it reaches: every value is left out by group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rice_stream.quantities import Floats
from training.calibrated.artefact import HOST_SHARE
from training.calibrated.model import specifications
from training.calibrated.rows import Row

if TYPE_CHECKING:
    from training.calibrated.run import Fitted

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the acceptance table. All figures but `rows` are per cent; the limits are the most that is allowed."""

    data: str
    measure: str
    limit: float
    value: float
    rows: int
    median: float | None = None
    median_limit: float | None = None
    bias: float | None = None
    least: float | None = None
    """A lower limit as well: coverage must not be too high either."""

    @property
    def met(self) -> bool:
        """Whether value and median are within their limits."""
        within = self.value <= self.limit and (self.least is None or self.value >= self.least)
        return within and (self.median_limit is None or self.median is None or self.median <= self.median_limit)


def error(predicted: Floats, measured: Floats, keep: Mask) -> tuple[float, float, float, int]:
    """MAPE, median APE and bias in per cent, and the number of rows."""
    ratio = predicted[keep] / measured[keep] - 1.0
    return (
        100 * float(np.abs(ratio).mean()),
        100 * float(np.median(np.abs(ratio))),
        100 * float(ratio.mean()),
        int(keep.sum()),
    )


def joules_of(rows: Sequence[Row]) -> Floats:
    return np.array([float(row.joules or np.nan) for row in rows])


def seconds_of(rows: Sequence[Row]) -> Floats:
    return np.array([float(row.seconds or np.nan) for row in rows])


def mask(rows: Sequence[Row], test: Callable[[Row], bool]) -> Mask:
    return np.array([test(row) for row in rows], dtype=np.bool_)


def at_least_1b(row: Row) -> bool:
    return row.context.params_total_b.mid >= 1.0


def on(hardware: str) -> Callable[[Row], bool]:
    """Test: an ML.ENERGY row on this hardware."""
    return lambda row: row.source == "ml_energy_v3" and row.context.hardware == hardware


def ours(kind: str) -> Callable[[Row], bool]:
    """Test: a row of our own bench of this kind, 1 B or more."""
    return lambda row: row.source == "gpu" and row.kind == kind and at_least_1b(row)


def it_joules(fitted: "Fitted") -> Floats:
    """GPU plus server joules of the 2024 runs, left out: batch 1, so no time is shared and no idle share applies."""
    tdp = specifications()["A100-80GB"].tdp_w
    return fitted.left_out.perf24_j + HOST_SHARE[1] * tdp * fitted.left_out.perf24_s


def reached(fitted: "Fitted") -> list[Target]:
    """The acceptance table."""
    data, left = fitted.data, fitted.left_out
    energy, joules = data.energy, joules_of(data.energy)
    eager = mask(data.perf26, lambda row: row.kind == "eager")
    old = mask(data.perf24, at_least_1b)
    perf26_j, perf24_j, perf24_s = joules_of(data.perf26), joules_of(data.perf24), seconds_of(data.perf24)
    found = [
        _target(f"our H100/H200 {kind}, >= 1 B", "joules", 8.0, left.energy_j, joules, mask(energy, ours(kind)))
        for kind in ("decode", "prefill")
    ]
    for name, limit, median_limit in (("H100", 15.0, 16.0), ("B200", 20.0, 20.0)):
        label, keep = f"ML.ENERGY v3 text, {name}, true batch", mask(energy, on(name))
        found.append(_target(label, "J per output token", limit, left.energy_j, joules, keep, median_limit))
    large = eager & mask(data.perf26, at_least_1b)
    label = "LLM-Perf 2026, A100, 16 bit, batch 1"
    found += [
        _target(label, "GPU J per token", 9.0, left.perf26_j, perf26_j, eager),
        _target("the same, >= 1 B", "GPU J per token", 9.0, left.perf26_j, perf26_j, large),
        _target("LLM-Perf 2024 (the paper's), >= 1 B", "latency", 15.0, left.perf24_s, perf24_s, old),
        _target("the same", "energy, fully predicted", 15.0, it_joules(fitted), perf24_j, old),
        Target(
            "ML.ENERGY v3 text, batch not given",
            "coverage of the 80 % interval",
            85.0,
            100 * float(fitted.assumed_inside.mean()),
            len(data.v3),
            least=75.0,
        ),
    ]
    return found


def _target(
    data: str,
    measure: str,
    limit: float,
    predicted: Floats,
    measured: Floats,
    keep: Mask,
    median_limit: float | None = None,
) -> Target:
    mape, median, bias, rows = error(predicted, measured, keep)
    return Target(data, measure, limit, mape, rows, median, median_limit, bias)


def markdown(targets: Sequence[Target]) -> str:
    """The table of docs/validation-calibrated.md, section 1."""
    lines = ["| data | measure | at most | left out | median | bias | rows |", "|---|---|---|---|---|---|---|"]
    for one in targets:
        limit = f"{one.limit:.0f} %" if one.least is None else f"{one.least:.0f}-{one.limit:.0f} %"
        limit += "" if one.median_limit is None else f" (median {one.median_limit:.0f} %)"
        median = "" if one.median is None else f"{one.median:.1f} %"
        bias = "" if one.bias is None else f"{one.bias:+.1f} %"
        value = f"**{one.value:.1f} %**" + ("" if one.met else " missed")
        cells = (one.data, one.measure, limit, value, median, bias, str(one.rows))
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines)
