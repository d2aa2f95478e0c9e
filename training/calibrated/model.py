"""The parameters of `rice-calibrated`: what each is, what is believed of it before the data, and how it becomes the artefact.

All parameters are logarithms (so every coefficient stays positive) except the exponents. The beliefs are physical: the
H100's coefficients near those of a first fit to our own measurements, other hardware as its specification scales
them (bandwidth, operations and TDP), extra costs of order one. They keep 600 rows from 17 models from bending the physics.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.physics import Machine, Shape, field_names
from rice_stream.quantities import Floats
from training.calibrated.rows import DATA, HARDWARE_FILE

Theta = dict[str, float]
STREAM_HALF_TOKENS = 250.0
"""Not fitted: left-out errors are flat from 100 to 500. No data set has both short and long outputs at one set-up: our own rows
are single steps of a bare loop (no such cost at all), ML.ENERGY's are 250 to 11,000 tokens long."""
EAGER = ("A100-40GB", "A100-80GB", "A10G")
MEASURED = ("A100-80GB", "H100", "H200", "B200")


@dataclass(frozen=True, slots=True)
class Belief:
    """Mean and standard deviation of one parameter before the data."""

    mean: float
    sd: float


ENERGY: dict[str, Belief] = {
    "launch_j": Belief(math.log(0.0030), 0.7),
    "weight_j_per_gb": Belief(math.log(0.19), 0.1),
    "flop_j_per_tflop": Belief(math.log(1.1), 0.1),
    "kv_j_per_gb": Belief(math.log(0.197), 0.1),
    "stream_j": Belief(math.log(0.025), 0.5),
    "B200.launch_j": Belief(0.0, 0.4),
    "B200.weight_j_per_gb": Belief(0.15, 0.25),
    "B200.flop_j_per_tflop": Belief(0.05, 0.2),
    "B200.kv_j_per_gb": Belief(0.1, 0.25),
    "B200.stream_j": Belief(-0.3, 0.6),
    "B200.context_j": Belief(math.log(8e-4), 0.7),
    "H200.launch_j": Belief(0.0, 0.2),
    "H200.weight_j_per_gb": Belief(0.0, 0.1),
    "H200.flop_j_per_tflop": Belief(0.0, 0.1),
    "H200.kv_j_per_gb": Belief(0.0, 0.1),
    "moe_launch": Belief(math.log(5.0), 0.5),
    "quantised_launch": Belief(math.log(20.0), 1.5),
    "quantised_device_exponent": Belief(0.3, 0.2),
    "expert_parallel_prefill": Belief(math.log(0.5), 1.5),
    "expert_parallel_stream": Belief(math.log(1.0), 1.5),
    "state_read": Belief(0.0, 0.5),
    "moe_prefill": Belief(math.log(0.4), 0.4),
    "weight_device_exponent": Belief(0.0, 0.12),
    "stream_device_exponent": Belief(-0.3, 0.25),
    "prefill_flop": Belief(0.1, 0.1),
    "prefill_size_exponent": Belief(0.03, 0.03),
    "prefill_launch": Belief(math.log(20.0), 0.7),
    "prefill_weight": Belief(math.log(0.7), 0.3),
    "attention_flop": Belief(math.log(0.8), 0.2),
    "fp8_flop": Belief(-0.3, 0.5),
}
"""Joules. Names with a dot are factors on top of what the hardware's specification predicts from the H100."""

TIME: dict[str, Belief] = {
    "launch_s": Belief(math.log(5e-5), 0.7),
    "weight_gb_per_s": Belief(math.log(2600.0), 0.15),
    "flop_tflop_per_s": Belief(math.log(550.0), 0.15),
    "stream_s": Belief(math.log(3e-5), 0.7),
    "B200.launch_s": Belief(0.0, 0.4),
    "B200.weight_gb_per_s": Belief(-0.3, 0.3),
    "B200.flop_tflop_per_s": Belief(-0.1, 0.2),
    "B200.stream_s": Belief(0.0, 0.3),
    "B200.context_s": Belief(math.log(3e-6), 0.7),
    "H200.launch_s": Belief(0.0, 0.2),
    "H200.weight_gb_per_s": Belief(0.0, 0.1),
    "H200.flop_tflop_per_s": Belief(0.0, 0.1),
    "moe_launch_s": Belief(math.log(4.0), 0.5),
    "narrow_launch_s": Belief(math.log(2.0), 0.5),
    "prefill_launch_s": Belief(math.log(5.0), 0.5),
    "device_s_exponent": Belief(-0.2, 0.15),
}
"""Seconds; `device_s_exponent` is a logarithm (0.8 in the middle)."""

BOARD_J: dict[str, Belief] = {
    "eager_j": Belief(math.log(0.1), 1.0),
    "eager_operations": Belief(1.0, 0.3),
    "eager_prefill": Belief(math.log(0.5), 0.5),
    "A100-80GB.weight_j_per_gb": Belief(0.0, 0.1),
    "A100-80GB.flop_j_per_tflop": Belief(math.log(1.9), 0.3),
}
BOARD_S: dict[str, Belief] = {
    "eager_layer_s": Belief(math.log(7e-4), 1.0),
    "eager_s_per_b": Belief(math.log(1.4e-3), 0.3),
    "eager_prefill_s": Belief(math.log(0.5), 0.5),
    "eager_operations_s": Belief(1.0, 0.3),
    "recurrent_s": Belief(math.log(0.3), 0.5),
    "A100-80GB.flop_tflop_per_s": Belief(math.log(190.0), 0.3),
}
"""The eager runtime at batch 1, measured on A100-80GB alone."""

STATED = {"eager_narrow": math.log(0.97), "eager_narrow_s": math.log(0.97)}
"""Stand-ins until `training.calibrated.rows.quantised_extra` has read the medians; logarithms."""

NEUTRAL = {"narrow_launch": 0.0, "eager_plain": 1.0, "eager_plain_s": 1.0}
"""Coefficients of version 1 that later terms stand in for, at the values that change nothing."""
EXPONENTS = (
    "weight_device_exponent",
    "quantised_device_exponent",
    "stream_size_exponent",
    "stream_device_exponent",
    "prefill_size_exponent",
    "eager_operations",
    "eager_operations_s",
)


@dataclass(frozen=True, slots=True)
class Specification:
    """Public figures of one accelerator (training/data/calibrated_hardware.csv)."""

    memory_gb: float
    bandwidth_gb_per_s: float
    peak_bf16_tflop_per_s: float
    tdp_w: float
    idle_w: float
    tdp_published: bool
    aliases: tuple[str, ...]
    source: str


@cache
def specifications() -> dict[str, Specification]:
    """By name, in the file's order."""
    with (DATA / HARDWARE_FILE).open(newline="", encoding="utf-8") as stream:
        return {
            row["name"]: Specification(
                float(row["memory_gb"]),
                float(row["bandwidth_gb_per_s"]),
                float(row["peak_bf16_tflop_per_s"]),
                float(row["tdp_w"]),
                float(row["idle_w"]),
                row["tdp_published"] == "true",
                tuple(row["aliases"].split(";")),
                row["source"],
            )
            for row in csv.DictReader(stream)
        }


def start(beliefs: Mapping[str, Belief]) -> Theta:
    return {name: belief.mean for name, belief in beliefs.items()}


def machine(name: str, spec: Mapping[str, Specification], theta: Mapping[str, float], *, fitted: bool = True) -> Theta:
    """The machine coefficients of one accelerator: the H100's, scaled by specification, then by its own fitted factors.

    `fitted=False` leaves the last step out: how hardware is treated that nobody measured.
    """
    own, h100 = spec[name], spec["H100"]
    tdp = own.tdp_w / h100.tdp_w
    bandwidth = own.bandwidth_gb_per_s / h100.bandwidth_gb_per_s
    peak = own.peak_bf16_tflop_per_s / h100.peak_bf16_tflop_per_s
    scale = {
        "launch_j": tdp,
        "weight_j_per_gb": tdp / bandwidth,
        "flop_j_per_tflop": tdp / peak,
        "kv_j_per_gb": tdp / bandwidth,
        "stream_j": tdp,
        "launch_s": 1.0,
        "weight_gb_per_s": bandwidth,
        "flop_tflop_per_s": peak,
        "stream_s": 1.0,
    }
    values = dict.fromkeys(field_names(Machine), 0.0)
    for key, factor in scale.items():
        adjust = theta.get(f"{name}.{key}", 0.0) if fitted else 0.0
        values[key] = math.exp(theta[key] + (adjust if name in ("B200", "H200") else 0.0)) * factor
    if name == "B200" and fitted:
        values["context_j"], values["context_s"] = math.exp(theta["B200.context_j"]), math.exp(theta["B200.context_s"])
    if name in EAGER:
        board = "A100-80GB"
        tdp_share = own.tdp_w / spec[board].tdp_w
        per_peak = spec[board].peak_bf16_tflop_per_s / own.peak_bf16_tflop_per_s
        values["eager_j"] = math.exp(theta["eager_j"]) * tdp_share
        values["eager_layer_s"] = math.exp(theta["eager_layer_s"])
        per_bandwidth = spec[board].bandwidth_gb_per_s / own.bandwidth_gb_per_s
        values["eager_s_per_b"] = math.exp(theta["eager_s_per_b"]) * per_bandwidth
        values["weight_j_per_gb"] *= math.exp(theta[f"{board}.weight_j_per_gb"])
        values["flop_j_per_tflop"] = math.exp(theta[f"{board}.flop_j_per_tflop"]) * tdp_share * per_peak
        values["flop_tflop_per_s"] = math.exp(theta[f"{board}.flop_tflop_per_s"]) / per_peak
    values["floor_j_per_tflop"] = own.tdp_w / own.peak_bf16_tflop_per_s
    values["flop_j_per_tflop"] = max(values["flop_j_per_tflop"], values["floor_j_per_tflop"])
    return values


def shape(theta: Mapping[str, float]) -> Shape:
    values = {
        key: STREAM_HALF_TOKENS
        if key == "stream_half_tokens"
        else NEUTRAL[key]
        if key in NEUTRAL
        else theta[key]
        if key in EXPONENTS
        else math.exp(theta[key])
        for key in field_names(Shape)
    }
    return Shape(**values)


def flop_factor(precision: str, theta: Mapping[str, float]) -> float:
    """Operations in 8-bit hardware units where the precision has them; int4 and int8 weights are computed at 16 bit."""
    return math.exp(theta["fp8_flop"]) if precision in ("fp8", "mxfp4") else 1.0


def machines(names: Sequence[str], theta: Mapping[str, float], spec: Mapping[str, Specification]) -> Machine:
    """Coefficients of k rows' hardware."""
    table = {name: machine(name, spec, theta) for name in sorted(set(names))}
    columns: dict[str, Floats] = {
        key: np.array([table[name][key] for name in names], dtype=np.float64) for key in field_names(Machine)
    }
    return Machine(**columns)


def hardware_names(contexts_hardware: Sequence[str], artefact: Artefact) -> list[str]:
    """The table's names of the spellings that data sets use. Raises KeyError for one that is not in the table."""
    found = []
    for spelling in contexts_hardware:
        hardware = artefact.find_hardware(spelling)
        if hardware is None:
            raise KeyError(spelling)
        found.append(hardware.name)
    return found
