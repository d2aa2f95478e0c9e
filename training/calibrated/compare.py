"""The simple methods that `rice-calibrated` is compared with, on the same rows: joules in the unit of each row."""

import math
from collections.abc import Sequence

import numpy as np

from rice_stream.estimator.method import Context, Requests
from rice_stream.estimator.registry import load_method
from rice_stream.quantities import Floats
from training.calibrated.model import specifications
from training.calibrated.rows import Row, leave_one_group_out

ECOLOGITS = (1.1665273170451914e-06, -0.011205921025579175, 4.052928146734005e-05)
"""alpha, beta, gamma of Wh per output token and GPU = alpha x exp(beta x batch) x active + gamma: EcoLogits (MPL-2.0),
ecologits/impacts/llm.py, methodology of 2025; formula and constants as published."""


def paper_j(rows: Sequence[Row]) -> Floats:
    """`rice-paper` told the model's parameters and the tokens, as for a hosted model: its own devices, TDP and batch of 1."""
    method = load_method("rice-paper")
    requests = Requests(
        context=np.arange(len(rows)),
        input_tokens=np.array([round(row.input_tokens) for row in rows], dtype=np.int64),
        cache_read_input_tokens=np.zeros(len(rows), dtype=np.int64),
        output_tokens=np.array([round(row.output_tokens) for row in rows], dtype=np.int64),
        inference=np.ones(len(rows), dtype=np.bool_),
    )
    contexts = [Context(row.context.params_total_b, row.context.params_active_b) for row in rows]
    found = method.estimate(method.coefficients(contexts), requests)
    steps = np.maximum(requests.output_tokens - 1, 1)
    tokens = np.maximum(requests.output_tokens, 1)
    of_kind = {
        "request": found.gpu_energy_j / tokens,
        "board": found.gpu_energy_j,
        "decode": found.decode_j / steps,
        "eager": found.decode_j / steps,
        "prefill": found.prefill_j,
    }
    return np.array([of_kind[row.kind][place] for place, row in enumerate(rows)])


def ecologits_j(rows: Sequence[Row]) -> Floats:
    """EcoLogits' GPU energy per output token (of a whole run: times its tokens), given the true batch size and device
    count. Prompts are not in it: NaN for a prefill."""
    alpha, beta, gamma = ECOLOGITS
    values = []
    for row in rows:
        context = row.context
        per_token = alpha * math.exp(beta * float(context.batch_size or 1.0)) * context.params_active_b.mid + gamma
        tokens = {"board": row.output_tokens, "prefill": math.nan}.get(row.kind, 1.0)
        values.append(3600.0 * float(context.devices or 1.0) * per_token * tokens)
    return np.array(values)


def tdp_time_j(rows: Sequence[Row]) -> Floats:
    """TDP x devices x MEASURED seconds of a step / batch: what a wall clock alone would say."""
    spec = specifications()
    names = {"H100-SXM": "H100", "H200-SXM": "H200"}
    values = []
    for row in rows:
        context = row.context
        tdp_w = spec[names.get(context.hardware, context.hardware)].tdp_w
        share = float(context.batch_size or 1.0)
        values.append(tdp_w * float(context.devices or 1.0) * float(row.seconds or np.nan) / share)
    return np.array(values)


def log_log_j(rows: Sequence[Row]) -> Floats:
    """A plain regression of log joules on the logs of parameters, batch, devices, bytes, tokens and a GPU indicator; left out."""
    predicted = np.full(len(rows), np.nan)
    position = {id(row): index for index, row in enumerate(rows)}
    for _, kept, left in leave_one_group_out(rows):
        measured = np.log([float(row.joules or np.nan) for row in kept])
        found, *_ = np.linalg.lstsq(_features(kept), measured, rcond=1e-9)
        predicted[[position[id(row)] for row in left]] = np.exp(_features(left) @ found)
    return predicted


def _features(rows: Sequence[Row]) -> Floats:
    narrow = {"fp8": 1.0, "mxfp4": 2.0}
    columns = [
        [
            1.0,
            math.log(row.context.params_total_b.mid),
            math.log(row.context.params_active_b.mid),
            math.log(float(row.context.batch_size or 1.0)),
            math.log(float(row.context.devices or 1.0)),
            math.log(row.input_tokens + row.output_tokens),
            narrow.get(str(row.context.precision), 0.0),
            float(row.context.hardware == "B200"),
            float(row.context.hardware == "H200-SXM"),
        ]
        for row in rows
    ]
    return np.array(columns)
