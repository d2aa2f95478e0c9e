"""Draws of a case to joules: the law of `rice-calibrated` at each draw's parameters, batch, hardware and precision."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rice_stream.estimator.calibrated.artefact import Artefact, Hardware
from rice_stream.estimator.calibrated.physics import (
    EAGER_OPERATIONS,
    Cost,
    Machine,
    Setup,
    Shape,
    field_names,
    joules,
    routed,
)
from rice_stream.estimator.calibrated.request_cost import decode, prefill, token_terms
from rice_stream.quantities import Floats
from training.hosted import priors
from training.hosted.cases import Case
from training.hosted.draws import normals, uniforms
from training.hosted.priors import Beliefs, LogNormal, Profile

Indices = NDArray[np.int64]
MACHINE_JOULES = tuple(name for name in field_names(Machine) if "_j" in name)


@dataclass(frozen=True, slots=True)
class Drawn:
    """n draws. Joules are of all accelerators, with the law's error; shape (n,)."""

    setup: Setup
    cost: Cost
    hardware: Indices
    """Index into `names`."""
    names: tuple[str, ...]
    shown_as: tuple[str, ...]
    """The artefact's own names of the same."""
    precision: Indices
    precisions: tuple[str, ...]
    host_share: Floats
    idle_share: Floats
    pue: Floats
    gpu_j: Floats
    """Of the reference request."""

    def facility(self, joules_of_gpus: Floats) -> Floats:
        """Facility joules behind joules of accelerators."""
        result: Floats = joules_of_gpus * (1.0 + self.host_share) * (1.0 + self.idle_share) * self.pue
        return result


def draw(case: Case, artefact: Artefact, beliefs: Beliefs) -> Drawn:
    """The prior of a case, before any price."""
    profile = beliefs.profiles[case.profile]
    total = _sample(case.total_b, "total")
    active = np.minimum(_sample(case.active_b, "active"), total)
    names, hardware = _choose(case.hardware, "hardware")
    shares = {case.precision: 1.0} if case.precision else {"fp8": beliefs.fp8_share, "bf16": 1.0 - beliefs.fp8_share}
    precisions, precision = _choose(shares, "precision")
    stated = [artefact.find_precision(name) for name in precisions]
    weight_bytes = np.array([one.weight_bytes for one in stated])[precision]
    machine = _machine(names, artefact, hardware)
    memory = np.array([_table(name, artefact).memory_gb for name in names])[hardware]
    # A model that fills more devices than one batch unit has is spread over several, each reads its part of the weights; a
    # mixture also over more than its weights need.
    wider = np.array(profile.spread)[(uniforms()["spread"] * len(profile.spread)).astype(np.int64)]
    spread = np.where(active < total, wider, 1.0)
    needed = total * weight_bytes / (memory * artefact.memory_use)
    setup = Setup(
        total_b=total,
        active_b=active,
        layers=_layers(case, artefact, total, active, beliefs.layers_log_sd),
        devices=_devices(needed),
        batch=np.maximum(_sample(profile.batch, "batch"), 1.0),
        weight_bytes=weight_bytes * np.minimum(1.0, priors.DEVICES_MAX / (needed * spread)),
        kv_bytes=_kv_bytes(case, artefact, total, active, beliefs.kv_log_sd),
        flop_factor=np.array([one.flop_factor for one in stated])[precision],
        narrow=np.array([float(one.narrow) for one in stated])[precision],
        plain=np.zeros_like(total),
        operations=np.full_like(total, EAGER_OPERATIONS),
        state_bytes=np.full_like(total, case.state_bytes or 0.0),
        routed_share=np.full_like(total, case.routed_share or 0.0),
        exposed=profile.exposed[0] + (profile.exposed[1] - profile.exposed[0]) * uniforms()["exposed"],
        quantised=np.array([float(one.quantised) for one in stated])[precision],
        eager=np.zeros_like(total),
    )
    measured = np.array([_table(name, artefact).measured for name in names])[hardware]
    scaled = np.where(measured, 0.0, beliefs.scaled_log_sd)
    error = beliefs.law.median * np.exp(np.sqrt(beliefs.law.log_sd**2 + scaled**2) * normals()["law"])
    cost = _times(_streamed(joules(setup, machine, artefact.shape), setup, artefact.shape, profile), error)
    gpu_j = request_j(cost, artefact, priors.INPUT_TOKENS, 0.0, priors.OUTPUT_TOKENS)
    return Drawn(
        setup=setup,
        cost=cost,
        hardware=hardware,
        names=names,
        shown_as=tuple(_table(name, artefact).name for name in names),
        precision=precision,
        precisions=precisions,
        host_share=_sample(beliefs.host_share, "host"),
        idle_share=_sample(beliefs.idle_share, "idle"),
        pue=_sample(case.pue, "pue"),
        gpu_j=gpu_j,
    )


def request_j(cost: Cost, artefact: Artefact, inputs: float, cached: float, outputs: float) -> Floats:
    """Accelerator joules of one request, for costs of any shape."""
    terms = token_terms(np.array(inputs), np.array(cached), np.array(outputs), artefact.shape.stream_half_tokens)
    result: Floats = prefill(cost, terms) + decode(cost, terms)
    return result


def _streamed(cost: Cost, setup: Setup, shape: Shape, profile: Profile) -> Cost:
    """The cost where attention of a mixture is data-parallel: each request is streamed by one device of its group."""
    if not profile.streams_on_one:
        return cost
    one = setup.devices ** -(1.0 + shape.stream_device_exponent)
    return replace(cost, per_stream=cost.per_stream * np.where(routed(setup) > 0.0, one, 1.0))


def _sample(value: LogNormal, name: str) -> Floats:
    result: Floats = value.median * np.exp(value.log_sd * normals()[name])
    return result


def _choose(shares: Mapping[str, float], name: str) -> tuple[tuple[str, ...], Indices]:
    """The names with a share, and for each draw the index of one of them."""
    names = tuple(shares)
    ends = np.cumsum([shares[one] for one in names])
    return names, np.searchsorted(ends / ends[-1], uniforms()[name], side="right")


def _table(name: str, artefact: Artefact) -> Hardware:
    return artefact.hardware[_stand_in(name, artefact)[0]]


def _stand_in(name: str, artefact: Artefact) -> tuple[str, float]:
    """The artefact's hardware for a name, and what its joules are multiplied with."""
    if name in priors.STAND_INS:
        return priors.STAND_INS[name]
    found = artefact.find_hardware(name)
    if found is None:
        raise ValueError(f"hardware {name!r}: neither the law nor priors.STAND_INS knows it")
    return found.name, 1.0


def _machine(names: tuple[str, ...], artefact: Artefact, hardware: Indices) -> Machine:
    rows = []
    for name in names:
        factor = _stand_in(name, artefact)[1]
        row = _table(name, artefact).machine
        rows.append({key: value * (factor if key in MACHINE_JOULES else 1.0) for key, value in row.items()})
    return Machine(**{key: np.array([row[key] for row in rows])[hardware] for key in field_names(Machine)})


def _layers(case: Case, artefact: Artefact, total: Floats, active: Floats, log_sd: float) -> Floats:
    if case.layers is not None:
        return np.full_like(total, case.layers)
    factor, exponent = artefact.layer_law
    result: Floats = factor * (total * active) ** (exponent / 2) * np.exp(log_sd * normals()["layers"])
    return result


def _kv_bytes(case: Case, artefact: Artefact, total: Floats, active: Floats, log_sd: float) -> Floats:
    if case.kv_bytes_per_token is not None:
        return np.full_like(total, case.kv_bytes_per_token)
    factor, total_exponent, active_exponent = artefact.kv_law
    law = factor * total**total_exponent * active**active_exponent
    result: Floats = law * np.exp(log_sd * normals()["kv"])
    return result


def _devices(needed: Floats) -> Floats:
    """The least power of two that holds the weights, at most one batch unit's."""
    result: Floats = np.clip(2.0 ** np.ceil(np.log2(needed)), 1.0, priors.DEVICES_MAX)
    return result


def _times(cost: Cost, factor: Floats) -> Cost:
    return replace(cost, **{name: getattr(cost, name) * factor for name in field_names(Cost)})
