"""LLMCarbon's model of inference.

Faiz et al., "LLMCarbon: Modeling the End-to-End Carbon Footprint of Large Language Models", ICLR 2024, arXiv 2309.14393; code
SotaroKaneda/MLCarbon, model.py at commit b54d8fed. In both, inference on D tokens takes 2 x P x D operations (P: parameters; of a
mixture of experts those of its base model) and operations / (devices x peak x efficiency) seconds.

They part over power. The paper's energy is peak power x efficiency x devices x time: efficiency and devices cancel out, and an
operation costs TDP / peak. The code's is the system's mean power x devices x time; that mean is an input, and TDP stands in.
The efficiency is that of Megatron's training runs on A100: a quadratic in P for one node, another for several, over 312.
"""

from collections.abc import Sequence

import numpy as np

from rice_stream.quantities import Floats
from training.calibrated.model import specifications
from training.calibrated.rows import Row
from training.rivals.rows import tokens_of

ONE_NODE = (-8.82079068e-20, 1.68591116e-09, 1.33954735e02)
SEVERAL_NODES = (-5.60233749e-23, 8.45435587e-11, 1.34546129e02)
"""Achieved TFLOP/s of one A100 as a quadratic in P: squared, linear, constant (model.py, predict_num_throughput)."""
A100_TFLOP_PER_S = 312.0
B_PER_GB, NODE_DEVICES = 0.03, 8
"""A device holds 0.03 billion parameters per GB of memory; a model that one node of eight holds is not split over several."""
SPELLINGS = {"H100-SXM": "H100", "H200-SXM": "H200"}


def operations(params_active_b: float, tokens: float) -> float:
    """Floating-point operations of inference on `tokens` (the paper's IC = 2PD)."""
    return 2.0 * params_active_b * 1e9 * tokens


def efficiency(params_b: float, memory_gb: float = 80.0) -> float:
    """Achieved over peak throughput, between 0.43 and 0.46 for any model that fits a few nodes."""
    one_node = params_b < NODE_DEVICES * B_PER_GB * memory_gb
    achieved = np.polyval(ONE_NODE if one_node else SEVERAL_NODES, params_b * 1e9)
    return float(achieved) / A100_TFLOP_PER_S


def paper_j(flop: float, tdp_w: float, peak_tflop_per_s: float) -> float:
    """Energy by the paper's equations: TDP x efficiency x time, in which the efficiency cancels."""
    return flop / (peak_tflop_per_s * 1e12) * tdp_w


def code_j(flop: float, params_b: float, tdp_w: float, peak_tflop_per_s: float) -> float:
    """Energy as the code computes it: mean power (here TDP) for the time that the efficiency makes longer."""
    return paper_j(flop, tdp_w, peak_tflop_per_s) / efficiency(params_b)


def joules(rows: Sequence[Row]) -> Floats:
    """By the paper's equations, of each row in its own unit; prompts count as tokens."""
    return np.array([paper_j(_operations(row), *_device(row)) for row in rows])


def joules_by_code(rows: Sequence[Row]) -> Floats:
    """As the code computes it."""
    return np.array([code_j(_operations(row), row.context.params_active_b.mid, *_device(row)) for row in rows])


def _operations(row: Row) -> float:
    return operations(row.context.params_active_b.mid, tokens_of(row))


def _device(row: Row) -> tuple[float, float]:
    name = row.context.hardware
    found = specifications()[SPELLINGS.get(name, name)]
    return found.tdp_w, found.peak_bf16_tflop_per_s
