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
GPT_4O_TOTAL_B, GPT_4O_ACTIVE_B = 440.0, (44.0, 132.0)
GPT_4O_TOKENS_PER_S, GPT_4O_FIRST_TOKEN_S, OPENAI_PUE = 74.0, 0.61, 1.2
"""What its list holds of gpt-4o and its provider; it marks the architecture as not released."""


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


def request_wh(
    params_b: tuple[float, float], output_tokens: float, tokens_per_s: float, first_token_s: float, pue: float
) -> float:
    """Wh of a request at the data centre, as its wrapper says it of a model whose speed is in its list.

    `params_b` are total and active parameters.
    """
    total_b, active_b = params_b
    used = gpus(total_b)
    seconds = output_tokens / tokens_per_s + first_token_s
    server_wh = seconds / 3600.0 * SERVER_W * used / SERVER_GPUS / BATCH
    return pue * (used * gpu_wh_per_token(active_b) * output_tokens + server_wh)


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
