"""Turns fitted parameters into the artefact's fields, and states what is not fitted: laws, profiles, shares, with sources."""

import json
from collections.abc import Mapping
from typing import Any

from rice_stream.estimator.calibrated.artefact import Artefact, parse_artefact
from rice_stream.estimator.calibrated.physics import Shape, field_names
from training.calibrated.fit import initial
from training.calibrated.model import EAGER, MEASURED, flop_factor, machine, shape, specifications

DIGITS = 4
"""Significant digits of fitted figures in the artefact: far finer than their error, far coarser than what processors differ by."""

WEIGHT_BYTES = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5625, "mxfp4": 0.53125}
"""Bytes per parameter; int4 with one 16-bit scale and zero point per 64, mxfp4 with one 8-bit scale per 32."""

QUANTISED = ("fp8",)
"""Activations are quantised too, before every operation. The others are formats of weights, widened inside the operation."""

KV_LAW = [58000.0, 0.10, 0.27]
"""KV bytes per token ~ 58,000 x total^0.10 x active^0.27: within 50 % for 11 of the 13 grouped-query models of the
architecture table that ML.ENERGY served (median error 17 %)."""

LAYER_LAW = [20.0, 0.26]
"""Layers ~ 20 x sqrt(total x active)^0.26: within 25 % for 80 % of the architecture table."""

MEMORY_USE = 0.75
"""ML.ENERGY v3's device counts are the least power of two for which weights fill at most about 3/4 of the memory."""

HOSTED_IDLE = [0.0, 0.10, 0.60]
"""Elsworth et al. 2025 (Google): idle machines 0.02 Wh on 0.20 Wh of active machines; high: servers busy 60 % of the time
at the idle draw of an accelerator."""

BATCH_LOW, BATCH_MIDDLE, BATCH_HIGH = 8.0, 32.0, 1024.0
"""What a batch that is not stated is believed to lie between: about the 10th to the 93rd percentile of ML.ENERGY v3's text
sweeps; a range of version 2 is symmetric, and this one holds what it must about a middle that lies low in the sweeps.
The same for both profiles: a profile moves the middle, it does not know more."""

SWEEP = "middle: batch at which ML.ENERGY v3's servers answer at"
BATCH_DEVICES = 8
"""Devices of one node: a mixture's batch unit. Wide expert parallelism spreads experts over more, with a batch for each."""

OVERLAP_AT_SCALE = 1.0
"""Vendors at scale run two half batches against each other, so that one computes while the other exchanges, and keep copies of
the experts in demand (DeepSeek, open-infra-index, day 6). ML.ENERGY's servers, like those of a small host, do neither."""

HOSTED = "LN belief, 80 %: requests that one group of 8 devices decodes together at"
PROFILES: dict[str, dict[str, Any]] = {
    "batch1": {
        "hardware": "A100-80GB",
        "batch_size": [1.0, 1.0, 1.0],
        "precision": "bf16",
        "idle_share": [0.0, 0.0, 0.0],
        "source": "one request at a time on a dedicated device: LLM-Perf, the paper's set-up",
    },
    "interactive": {
        "hardware": "H100",
        "batch_size": [BATCH_LOW, BATCH_MIDDLE, BATCH_HIGH],
        "precision": "bf16",
        "idle_share": HOSTED_IDLE,
        "source": f"{SWEEP} 10-30 ms per token (median 32), the pace of hosted APIs (30-100 tokens/s)",
    },
    "throughput": {
        "hardware": "H100",
        "batch_size": [BATCH_LOW, 192.0, BATCH_HIGH],
        "precision": "bf16",
        "idle_share": HOSTED_IDLE,
        "source": f"{SWEEP} 30-100 ms per token (median 192): offline and batch work",
    },
    "hosted_scale": {
        "hardware": "H100",
        "batch_size": [50.0, 200.0, 800.0],
        "precision": "fp8",
        "idle_share": HOSTED_IDLE,
        "devices_max": BATCH_DEVICES,
        "overlap": OVERLAP_AT_SCALE,
        "source": f"{HOSTED} a model's own vendor or a hyperscaler; DeepSeek's counts of 2025-02 give 704 on 8 H800",
    },
    "hosted_small": {
        "hardware": "H100",
        "batch_size": [10.0, 50.0, 250.0],
        "precision": "fp8",
        "idle_share": HOSTED_IDLE,
        "devices_max": BATCH_DEVICES,
        "source": f"{HOSTED} a small host of open models; metered requests of one such host imply about 50",
    },
}

HOST_SHARE = [0.11, 0.22, 0.55]
"""Server power around a working device as a share of its TDP. Middle: Elsworth et al. 2025, CPU and DRAM 0.06 Wh on
0.14 Wh of accelerators (43 %), at half the TDP (the A100's median draw in LLM-Perf 2026); high: NVIDIA DGX H100, 10.2 kW
with 8 x 700 W; low: half the middle."""


def fields(theta: Mapping[str, float], errors: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The artefact as plain values. `errors` has keys `errors`, `hardware_errors`,
    `architecture_errors` and `small_errors`; `data` says what was fitted to."""
    spec = specifications()
    fitted_shape = shape(theta)
    return {
        "method": "rice-calibrated",
        "data": dict(data),
        "reference_hardware": "H100",
        "hardware": {
            name: {
                "memory_gb": one.memory_gb,
                "bandwidth_gb_per_s": one.bandwidth_gb_per_s,
                "peak_bf16_tflop_per_s": one.peak_bf16_tflop_per_s,
                "tdp_w": one.tdp_w,
                "tdp_published": one.tdp_published,
                "idle_w": one.idle_w,
                "aliases": list(one.aliases),
                "source": one.source,
                "eager": name in EAGER,
                "measured": name in MEASURED,
                "machine": {key: rounded(value) for key, value in machine(name, spec, theta).items()},
            }
            for name, one in spec.items()
        },
        "shape": {key: rounded(getattr(fitted_shape, key)) for key in field_names(Shape)},
        "routed_share": True,
        "precisions": {
            name: {
                "weight_bytes": weight_bytes,
                "flop_factor": rounded(flop_factor(name, theta)),
                "narrow": weight_bytes <= 1.0,
                "quantised": name in QUANTISED,
            }
            for name, weight_bytes in WEIGHT_BYTES.items()
        },
        "precision_aliases": {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"},
        "profiles": PROFILES,
        "default_profile": "interactive",
        "kv_law": KV_LAW,
        "layer_law": LAYER_LAW,
        "memory_use": MEMORY_USE,
        "errors": errors["errors"],
        "hardware_errors": errors["hardware_errors"],
        "architecture_errors": errors["architecture_errors"],
        "small_errors": errors["small_errors"],
        "host_share_of_tdp": HOST_SHARE,
        "range": {"params_b_min": 0.1, "params_b_max": 700.0, "input_tokens_max": 32768, "context_tokens_max": 32768},
    }


def scaffold() -> Artefact:
    """An artefact with unfitted parameters: its laws and names serve the fit."""
    zero = {"low": 0.0, "high": 0.0}
    regimes = dict.fromkeys(
        (f"{family}/{batch}" for family in ("dense", "moe") for batch in ("one", "known", "assumed")), zero
    )
    errors = {
        "errors": regimes,
        "architecture_errors": regimes,
        "small_errors": zero,
        "hardware_errors": dict.fromkeys(("measured", "scaled", "unknown"), zero),
    }
    return parse_artefact(serialise(fields(initial(), errors, {})), "rice-calibrated.json")


def serialise(values: Mapping[str, Any]) -> bytes:
    """The artefact's bytes: the same fields give the same bytes."""
    return (json.dumps(values, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
