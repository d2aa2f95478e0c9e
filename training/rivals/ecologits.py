"""EcoLogits: its law of the GPUs' energy as it is used, where nothing about the deployment is known.

EcoLogits 0.11.3 (MPL-2.0), ecologits/impacts/llm.py: Wh per output token and GPU as in `training.calibrated.compare.ECOLOGITS`,
at a batch of 64; GPUs of 80 GB for 1.2 x the weights at 16 bit, rounded up to a power of two; a server of 1.2 kW without GPUs,
shared by 8 GPUs and by the batch, for the time of generation. Input tokens are not counted.
"""

import math
from collections.abc import Sequence

import numpy as np

from rice_stream.quantities import Floats
from training.calibrated.compare import ECOLOGITS, ecologits_j
from training.calibrated.rows import Row
from training.rivals.rows import tokens_of

BATCH, BITS, GPU_GB, SPARE = 64.0, 16.0, 80.0, 1.2
SERVER_W, SERVER_GPUS = 1200.0, 8.0
LATENCY = (0.0006785088094353663, 0.0003119310311688259, 0.019473717579473387)
"""Seconds per output token: per billion active parameters, per request in the batch, constant (where no speed is known)."""


def gpus(params_total_b: float) -> int:
    """How many GPUs hold the model."""
    needed = math.ceil(SPARE * params_total_b * BITS / 8.0 / GPU_GB)
    return int(2 ** math.ceil(math.log2(needed)))


def gpu_wh_per_token(params_active_b: float, batch: float = BATCH) -> float:
    """Wh per output token of one GPU."""
    alpha, beta, gamma = ECOLOGITS
    return alpha * math.exp(beta * batch) * params_active_b + gamma


def token_s(params_active_b: float, batch: float = BATCH) -> float:
    """Seconds per output token."""
    per_b, per_request, constant = LATENCY
    return per_b * params_active_b + per_request * batch + constant


def it_j_per_token(params_total_b: float, params_active_b: float) -> float:
    """Joules of GPUs and server per output token, without PUE."""
    used = gpus(params_total_b)
    server_j = token_s(params_active_b) * SERVER_W * used / SERVER_GPUS / BATCH
    return used * gpu_wh_per_token(params_active_b) * 3600.0 + server_j


def joules(rows: Sequence[Row]) -> Floats:
    """GPU energy of each row, told the true batch and device count; NaN for a prefill, of which it says nothing."""
    return ecologits_j(rows)


def joules_as_used(rows: Sequence[Row]) -> Floats:
    """GPU energy of each row (of the leaderboard of 2024: with the server), told the model and the output tokens alone."""
    found = []
    for row in rows:
        total_b, active_b = row.context.params_total_b.mid, row.context.params_active_b.mid
        per_token = gpus(total_b) * gpu_wh_per_token(active_b) * 3600.0
        if row.kind == "board":
            per_token = it_j_per_token(total_b, active_b)
        found.append(math.nan if row.kind == "prefill" else per_token * tokens_of(row, prompts=False))
    return np.array(found)
