"""The 80 % interval of `rice-calibrated`: error of left-out models per regime, widened for hardware that was not measured.

What is not known about the deployment (batch size, parameters of a closed model) is not an error of the model: it enters
as the range of the context or profile, through the physics, and multiplies with the error.
"""

import math

from rice_stream.estimator.calibrated_artefact import Artefact
from rice_stream.estimator.calibrated_setup import Resolved

DENSE_ABOVE = 0.999
"""Active / total parameters from which a model counts as dense."""


def regime(one: Resolved) -> str:
    """`dense` or `moe`, and whether the batch is `one`, `known` or `assumed`: the key of the artefact's errors."""
    total, active = one.context.params_total_b.mid, one.context.params_active_b.mid
    family = "dense" if active >= DENSE_ABOVE * total else "moe"
    if not one.serving.batch_known:
        return f"{family}/assumed"
    return f"{family}/one" if one.serving.batch_size.mid <= 1.0 else f"{family}/known"


def error_factors(one: Resolved, artefact: Artefact) -> tuple[float, float]:
    """What the low and the high joules are multiplied with: at most 1, at least 1."""
    error, hardware = artefact.errors[regime(one)], artefact.hardware_errors[one.hardware_class]
    return math.exp(min(0.0, error.low + hardware.low)), math.exp(max(0.0, error.high + hardware.high))
