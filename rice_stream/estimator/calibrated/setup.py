"""Resolves contexts to numbers: the artefact's laws and the profile fill what a context does not state."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rice_stream.errors import UsageError
from rice_stream.estimator.calibrated.artefact import Artefact, Hardware
from rice_stream.estimator.calibrated.hosted_serving import Given, from_price, from_row
from rice_stream.estimator.calibrated.physics import Machine, Setup, field_names
from rice_stream.estimator.calibrated.profiles import Serving, choose, serving
from rice_stream.estimator.hosted.artefact import HostedArtefact, HostedRow
from rice_stream.estimator.method import Context, Route
from rice_stream.quantities import Range

LOW, MID, HIGH = "low", "mid", "high"


@dataclass(frozen=True, slots=True)
class Resolved:
    """One context with its serving set-up and hardware. `hardware_class` is `measured`, `scaled` or `unknown`."""

    context: Context
    serving: Serving
    hardware: Hardware
    hardware_class: str
    devices: float
    route: Route = "known_serving"
    given: Given | None = None
    """The energy that is not the law's: a fitted row's or a price's. Time is the law's at the serving of the context."""
    exposed: float = 1.0
    """Share of the cost of experts on several devices that the host does not hide behind computation."""


def resolve(context: Context, artefact: Artefact, hosted: HostedArtefact | None = None) -> Resolved:
    """Raises UsageError for a parameter count, batch size, device count or KV size that is not a positive finite number.

    `hosted` has the fitted rows of hosted models; without it (version 1) a hosted model is served as the default profile says.
    """
    _check(context)
    if hosted is None or context.hosting is None:
        one = _by_law(context, artefact)
        stated = context.profile is not None or context.serving_stated
        return replace(one, route="known_serving" if stated else "assumed")
    served = replace(context, profile=context.hosting)
    row = None if context.own_model else hosted.find(context.model_id, context.hosting)
    if row is not None:
        given = from_row(row, context)
        return replace(_by_law(_as_row(served, row), artefact), route="hosted_posterior", given=given)
    if context.list_price is not None and not context.model_known:
        given = from_price(context.list_price, context.pue or 1.0)
        return replace(_by_law(served, artefact), route="price", given=given)
    priced = context.list_price is not None
    return replace(_by_law(served, artefact), route="hosted_posterior" if priced else "assumed")


def _by_law(context: Context, artefact: Artefact) -> Resolved:
    profile = choose(context, artefact.profiles, artefact.default_profile)
    chosen = serving(context, profile)
    found = artefact.find_hardware(chosen.hardware)
    hardware = artefact.hardware[artefact.reference_hardware] if found is None else found
    if found is None or not chosen.hardware_known:
        hardware_class = "unknown"
    else:
        hardware_class = "measured" if found.measured else "scaled"
    devices = _devices(context, chosen, hardware, artefact, profile.devices_max)
    return Resolved(context, chosen, hardware, hardware_class, devices, exposed=1.0 - profile.overlap)


def _as_row(context: Context, row: HostedRow) -> Context:
    """The serving that a fitted row is the middle of: what time and embodied carbon are worked out for."""
    return replace(
        context,
        params_total_b=Range.exact(row.total_b),
        params_active_b=Range.exact(row.active_b),
        layers=row.layers,
        kv_bytes_per_token=row.kv_bytes_per_token,
        hardware=row.hardware,
        hardware_known=True,
        devices=row.devices,
        batch_size=row.batch,
        precision=row.precision,
        family=row.family,
    )


def setup_of(resolved: Sequence[Resolved], artefact: Artefact, size: str, batch: str | None = None) -> Setup:
    """The numbers of k contexts at one end of their ranges: `low`, `mid` or `high` ENERGY, of `batch` too unless it says.

    Energy rises with parameters and falls with the batch, so the low end has few parameters and a large batch.
    """
    columns = [_values(one, artefact, size, batch or size) for one in resolved]
    arrays = np.array(columns, dtype=np.float64).reshape(len(columns), 15).T
    return Setup(*arrays)


def machine_of(resolved: Sequence[Resolved]) -> Machine:
    """The hardware coefficients of k contexts."""
    return Machine(**{key: np.array([one.hardware.machine[key] for one in resolved]) for key in field_names(Machine)})


def kv_bytes(total_b: float, active_b: float, artefact: Artefact) -> float:
    """KV cache bytes per token of a model whose architecture is not known (16-bit cache)."""
    factor, total_exponent, active_exponent = artefact.kv_law
    return float(factor * total_b**total_exponent * active_b**active_exponent)


def _values(one: Resolved, artefact: Artefact, size: str, batch_end: str) -> tuple[float, ...]:
    context = one.context
    total_b: float = getattr(context.params_total_b, size)
    active_b: float = min(total_b, getattr(context.params_active_b, size))
    batch_range = one.serving.batch_size
    batch = {LOW: batch_range.high, MID: batch_range.mid, HIGH: batch_range.low}[batch_end]
    precision = artefact.find_precision(one.serving.precision)
    factor, exponent = artefact.layer_law
    layers = factor * (total_b * active_b) ** (exponent / 2) if context.layers is None else context.layers
    kv = context.kv_bytes_per_token
    eager = min(1.0, max(0.0, 2.0 - batch)) if one.hardware.eager else 0.0
    return (
        total_b,
        active_b,
        layers,
        one.devices,
        batch,
        precision.weight_bytes,
        kv_bytes(total_b, active_b, artefact) if kv is None else kv,
        precision.flop_factor,
        float(precision.narrow),
        float(context.rotary is False),
        0.0 if context.state_bytes is None else context.state_bytes,
        stated_share(context, artefact),
        one.exposed,
        float(precision.quantised),
        eager,
    )


def stated_share(context: Context, artefact: Artefact) -> float:
    """The model's own share of experts per token; 0 where it is not known, or the artefact was fitted without."""
    return context.routed_share or 0.0 if artefact.routed_share else 0.0


def _devices(
    context: Context, chosen: Serving, hardware: Hardware, artefact: Artefact, devices_max: float | None
) -> float:
    """The context's own count, else the least power of two whose memory holds the weights (whole nodes of 8 past 8).

    It does not depend on the batch: more memory for a larger batch would let energy per token rise with it. Experts that do
    not fit on `devices_max` are spread over further groups of devices, each with a batch of its own.
    """
    if context.devices is not None:
        return context.devices
    total_b = context.params_total_b.mid
    weights_gb = total_b * artefact.find_precision(chosen.precision).weight_bytes
    needed = weights_gb / (hardware.memory_gb * artefact.memory_use)
    if needed <= 1.0:
        return 1.0
    found = float(8 * math.ceil(needed / 8)) if needed > 8 else float(2 ** math.ceil(math.log2(needed)))
    if devices_max is not None and context.params_active_b.mid < total_b:
        return min(found, devices_max)
    return found


def _check(context: Context) -> None:
    total, active = context.params_total_b, context.params_active_b
    positive = {
        "params_total_b": (total.low, total.high),
        "params_active_b": (active.low, active.high),
        "batch_size": (context.batch_size,),
        "devices": (context.devices,),
        "layers": (context.layers,),
    }
    for name, values in positive.items():
        for value in values:
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} must be a positive number, got {value}")
    kv = context.kv_bytes_per_token
    if kv is not None and not (math.isfinite(kv) and kv >= 0):
        raise UsageError(f"kv_bytes_per_token must be a number of bytes, 0 or more, got {kv}")
    if active.mid > total.mid:
        raise UsageError(f"params_active_b must not exceed params_total_b, got {active.mid} of {total.mid}")
