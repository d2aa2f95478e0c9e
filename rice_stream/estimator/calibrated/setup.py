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
from rice_stream.quantities import Floats, Range

LOW, MID, HIGH = "low", "mid", "high"
ROTARY_OPERATIONS, PLAIN_OPERATIONS = 112.0, 51.0
"""Operations of a layer that no table counts: Llama's with grouped queries, and OPT's for a layer without rotary positions."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One context with its serving set-up and hardware. `hardware_class` is `measured`, `scaled` or `unknown`."""

    context: Context
    serving: Serving
    hardware: Hardware
    hardware_class: str
    devices: float
    route: Route
    given: Given | None
    """The energy that is not the law's: a fitted row's or a price's. Time is the law's at the serving of the context."""
    exposed: float
    """Share of the cost of experts on several devices that the host does not hide behind computation."""
    source: str
    """Where the serving is from as far as the context does not state it: of the fitted row or of the profile."""


def resolve(context: Context, artefact: Artefact, hosted: HostedArtefact | None = None) -> Resolved:
    """Raises UsageError for a parameter count, batch size, device count or KV size that is not a positive finite number.

    `hosted` has the fitted rows of hosted models; without it (version 1) a hosted model is served as the default profile says.
    """
    _check(context)
    if hosted is None or context.hosting is None:
        stated = context.profile is not None or context.serving_stated
        return _served(context, artefact, "known_serving" if stated else "assumed")
    row = None if context.own_model else hosted.find(context.model_id, context.hosting)
    if row is not None:
        given = from_row(row, context)
        return _served(_as_row(context, row), artefact, "hosted_posterior", given, given.source)
    profiled = replace(context, profile=context.hosting)
    if context.list_price is not None and not context.model_known:
        return _served(profiled, artefact, "price", from_price(context.list_price, context.pue or 1.0))
    return _served(profiled, artefact, "assumed" if context.list_price is None else "hosted_posterior")


def _served(
    context: Context, artefact: Artefact, route: Route, given: Given | None = None, source: str | None = None
) -> Resolved:
    profile = choose(context, artefact.profiles, artefact.default_profile)
    chosen = serving(context, profile)
    found = artefact.find_hardware(chosen.hardware)
    hardware = artefact.hardware[artefact.reference_hardware] if found is None else found
    if found is None or not chosen.hardware_known:
        hardware_class = "unknown"
    else:
        hardware_class = "measured" if found.measured else "scaled"
    devices = _devices(context, chosen, hardware, artefact, profile.devices_max)
    exposed = 1.0 - profile.overlap
    return Resolved(context, chosen, hardware, hardware_class, devices, route, given, exposed, source or profile.source)


def _as_row(context: Context, row: HostedRow) -> Context:
    """The serving that a fitted row is the middle of: what time and embodied carbon are worked out for."""
    return replace(
        context,
        profile=context.hosting,
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


def setup_of(resolved: Sequence[Resolved], artefact: Artefact, end: str) -> Setup:
    """The numbers of k contexts at one end of their ranges: `low`, `mid` or `high` ENERGY.

    Energy rises with parameters and falls with the batch, so the low end has few parameters and a large batch.
    """
    return setups_of(resolved, artefact, [(end, end)])


def setups_of(resolved: Sequence[Resolved], artefact: Artefact, ends: Sequence[tuple[str, str]]) -> Setup:
    """The numbers of k contexts at m ends, the contexts of the first end first: arrays of shape (m x k,).

    An end is (that of the size, that of the batch), each `low`, `mid` or `high` energy.
    """
    sized = {size: [_sized(one, artefact, size) for one in resolved] for size in {size for size, _ in ends}}
    batched = {batch: [_batched(one, batch) for one in resolved] for batch in {batch for _, batch in ends}}
    same = [_at_all_ends(one, artefact) for one in resolved]
    columns = (
        *_columns([row for size, _ in ends for row in sized[size]], _SIZED),
        *_columns([row for _, batch in ends for row in batched[batch]], _BATCHED),
        *np.tile(_columns(same, _AT_ALL_ENDS), len(ends)),
    )
    return Setup(**dict(zip((*_SIZED, *_BATCHED, *_AT_ALL_ENDS), columns, strict=True)))


def machine_of(resolved: Sequence[Resolved], times: int = 1) -> Machine:
    """The hardware coefficients of k contexts, so many times one after the other."""
    by_name = {one.hardware.name: one.hardware.machine for one in resolved}
    place = {name: number for number, name in enumerate(by_name)}
    chosen = np.array([place[one.hardware.name] for one in resolved], dtype=np.intp)
    names = field_names(Machine)
    table = np.array([[machine[name] for machine in by_name.values()] for name in names])
    return Machine(*table[:, np.tile(chosen, times)])


def kv_bytes(total_b: float, active_b: float, artefact: Artefact) -> float:
    """KV cache bytes per token of a model whose architecture is not known (16-bit cache)."""
    factor, total_exponent, active_exponent = artefact.kv_law
    return float(factor * total_b**total_exponent * active_b**active_exponent)


_SIZED = ("total_b", "active_b", "layers", "kv_bytes")
_BATCHED = ("batch", "eager")
_AT_ALL_ENDS = (
    *("devices", "weight_bytes", "flop_factor", "narrow", "plain", "operations", "state_bytes"),
    *("routed_share", "exposed", "quantised"),
)


def _sized(one: Resolved, artefact: Artefact, end: str) -> tuple[float, ...]:
    context = one.context
    total_b: float = getattr(context.params_total_b, end)
    active_b: float = min(total_b, getattr(context.params_active_b, end))
    layers, kv = context.layers, context.kv_bytes_per_token
    if layers is None:
        factor, exponent = artefact.layer_law
        layers = factor * (total_b * active_b) ** (exponent / 2)
    return total_b, active_b, layers, kv_bytes(total_b, active_b, artefact) if kv is None else kv


def _batched(one: Resolved, end: str) -> tuple[float, ...]:
    belief = one.serving.batch_size
    batch = belief.mid if end == MID else belief.high if end == LOW else belief.low
    return batch, min(1.0, max(0.0, 2.0 - batch)) if one.hardware.eager else 0.0


def _at_all_ends(one: Resolved, artefact: Artefact) -> tuple[float, ...]:
    context, precision = one.context, artefact.find_precision(one.serving.precision)
    return (
        one.devices,
        precision.weight_bytes,
        precision.flop_factor,
        float(precision.narrow),
        float(context.rotary is False),
        _operations(context),
        0.0 if context.state_bytes is None else context.state_bytes,
        stated_share(context, artefact),
        one.exposed,
        float(precision.quantised),
    )


def _columns(rows: Sequence[tuple[float, ...]], names: Sequence[str]) -> Floats:
    """Shape (names, rows)."""
    columns: Floats = np.ascontiguousarray(np.array(rows, dtype=np.float64).reshape(len(rows), len(names)).T)
    return columns


def _operations(context: Context) -> float:
    if context.layer_operations is not None:
        return context.layer_operations
    return PLAIN_OPERATIONS if context.rotary is False else ROTARY_OPERATIONS


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
    positive = (
        ("params_total_b", total.low),
        ("params_total_b", total.high),
        ("params_active_b", active.low),
        ("params_active_b", active.high),
        ("batch_size", context.batch_size),
        ("devices", context.devices),
        ("layers", context.layers),
    )
    for name, value in positive:
        if value is not None and not 0.0 < value < math.inf:
            raise UsageError(f"{name} must be a positive number, got {value}")
    kv = context.kv_bytes_per_token
    if kv is not None and not 0.0 <= kv < math.inf:
        raise UsageError(f"kv_bytes_per_token must be a number of bytes, 0 or more, got {kv}")
    if active.mid > total.mid:
        raise UsageError(f"params_active_b must not exceed params_total_b, got {active.mid} of {total.mid}")
