"""The 80 % interval of `rice-calibrated`: error of left-out models per regime, widened for what is guessed.

Three things widen it: hardware that was never measured, layers and KV size where only a model's parameters are known, and
models so small that hardly any was measured.

What is not known about the deployment (batch size, parameters of a closed model) is not an error of the model: it enters
as the range of the context or profile, through the physics, and multiplies with the error.
"""

import math

from rice_stream.estimator.calibrated.artefact import Artefact, Error
from rice_stream.estimator.calibrated.setup import Resolved
from rice_stream.estimator.site import SiteCorrection, SiteProfile

DENSE_ABOVE = 0.999
"""Active / total parameters from which a model counts as dense."""
SMALL_B = 1.0
"""Active parameters (1e9) below which the served regimes have been measured on one model alone."""


def regime(one: Resolved) -> str:
    """`dense` or `moe`, and whether the batch is `one`, `known` or `assumed`: the key of the artefact's errors."""
    total, active = one.context.params_total_b.mid, one.context.params_active_b.mid
    family = "dense" if active >= DENSE_ABOVE * total else "moe"
    if not one.serving.batch_known:
        return f"{family}/assumed"
    return f"{family}/one" if one.serving.batch_size.mid <= 1.0 else f"{family}/known"


def site_correction(one: Resolved, site: SiteProfile | None) -> SiteCorrection | None:
    """The site's own measurements of the context's hardware; None where there are none, or where the hardware is assumed."""
    if site is None or not one.serving.hardware_known or one.hardware_class == "unknown":
        return None
    return site.hardware.get(one.hardware.name)


def architecture_assumed(one: Resolved) -> bool:
    """Whether the number of layers or the size of the KV cache is the artefact's law, not the model's own figure."""
    return one.context.layers is None or one.context.kv_bytes_per_token is None


def error_factors(one: Resolved, artefact: Artefact, measured: SiteCorrection | None = None) -> tuple[float, float]:
    """What the low and the high joules are multiplied with: at most 1, at least 1.

    Measurements of one's own stand in for what is added where hardware was never measured; beyond that they only widen.
    """
    name = regime(one)
    error = artefact.errors[name]
    if one.context.layers is None:
        error = _widened(error, artefact.architecture_errors[name])
    if one.context.params_active_b.mid < SMALL_B and not (one.hardware.eager and name.endswith("/one")):
        error = _widened(error, artefact.small_errors)
    if measured is not None:
        return math.exp(min(error.low, measured.low)), math.exp(max(error.high, measured.high))
    error = _widened(error, artefact.hardware_errors[one.hardware_class])
    return math.exp(min(0.0, error.low)), math.exp(max(0.0, error.high))


def _widened(error: Error, by: Error) -> Error:
    return Error(error.low + by.low, error.high + by.high)
