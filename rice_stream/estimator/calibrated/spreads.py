"""Version 2 of `rice-calibrated`: the middle energy of each context, and the independent causes of its uncertainty.

Each cause is moved to its low and to its high end by itself, at the reference request; they add in quadrature of logarithms.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rice_stream.estimator.calibrated.artefact import Artefact, Error
from rice_stream.estimator.calibrated.coefficients import (
    CEILING_CACHED,
    CEILING_INPUT,
    CEILING_OUTPUT,
    HIGH_J,
    HOST_DECODE_W,
    HOST_FIXED_J,
    HOST_HIGH,
    HOST_LOW,
    HOST_SHARE,
    HOST_TIMED,
    HOST_W,
    IDLE_HIGH,
    IDLE_LOW,
    IDLE_MID,
    LOW_J,
    MID_J,
    MID_S,
    cost_of,
    matrix_of,
    put_cost,
)
from rice_stream.estimator.calibrated.hosted_serving import (
    J_PER_KWH,
    REFERENCE_INPUT_TOKENS,
    REFERENCE_OUTPUT_TOKENS,
    ceiling_j,
    with_disclosure,
    with_price,
)
from rice_stream.estimator.calibrated.interval import SMALL_B, regime, site_correction
from rice_stream.estimator.calibrated.physics import Cost, decode, joules, prefill
from rice_stream.estimator.calibrated.setup import HIGH, LOW, MID, Resolved, machine_of, setup_of
from rice_stream.estimator.embodied import EmbodiedFactors
from rice_stream.estimator.method import Disclosed
from rice_stream.estimator.site import SiteCorrection, SiteProfile
from rice_stream.estimator.spread import Spread, ends, log_sd_between, quadrature, spread_of
from rice_stream.quantities import Floats

_AROUND = ("host", "idle")
"""Causes that are not of the accelerators."""


REFERENCE: tuple[Floats, Floats, Floats] = (
    np.array(float(REFERENCE_INPUT_TOKENS)),
    np.array(0.0),
    np.array(float(REFERENCE_OUTPUT_TOKENS)),
)
"""Input, cached and output tokens of the reference request."""


class Energies(NamedTuple):
    """What k contexts' energies are made of: the matrix of coefficients, and each context's spread."""

    matrix: Floats
    spreads: list[Spread]


def energies(
    resolved: Sequence[Resolved], artefact: Artefact, embodied: EmbodiedFactors, site: SiteProfile | None
) -> Energies:
    """Matrix and spreads of k resolved contexts; each depends on its own context alone."""
    matrix = matrix_of(resolved, artefact, embodied, site)
    if not resolved:
        return Energies(matrix, [])
    _put_middles(matrix, resolved, artefact, site)
    causes = _causes(matrix, resolved, artefact, site)
    spreads = []
    for row, one in enumerate(resolved):
        found = causes[row]
        if one.given is None and one.context.hosting is not None and one.context.list_price is not None:
            factor, found = with_price(found, _facility_wh(matrix, row, one, artefact), one.context.list_price)
            _scale(matrix, row, factor)
        for disclosed in one.context.disclosures if one.context.hosting is not None else ():
            factor, found = with_disclosure(found, _facility_wh(matrix, row, one, artefact, disclosed), disclosed)
            _scale(matrix, row, factor)
        spreads.append(_spread(one, found))
        _put_ends(matrix, row, spreads[-1])
        _put_ceiling(matrix, row, one)
    return Energies(matrix, spreads)


def _scale(matrix: Floats, row: int, factor: float) -> None:
    """Multiplies the middle of a context's energy."""
    matrix[row, MID_J : MID_J + len(Cost.__dataclass_fields__)] *= factor
    matrix[row, [HOST_W, HOST_FIXED_J, HOST_DECODE_W]] *= factor


def _put_middles(matrix: Floats, resolved: Sequence[Resolved], artefact: Artefact, site: SiteProfile | None) -> None:
    own = [site_correction(one, site) for one in resolved]
    corrected = np.array([1.0 if one is None else one.factor for one in own])
    law = joules(setup_of(resolved, artefact, MID), machine_of(resolved), artefact.shape)
    put_cost(matrix, MID_J, law, corrected)
    matrix[:, HOST_LOW] = matrix[:, HOST_HIGH] = 1.0
    matrix[:, IDLE_MID] = [1.0 + one.serving.idle_share.mid for one in resolved]
    for row, one in enumerate(resolved):
        if one.given is not None:
            matrix[row, MID_J : MID_J + len(one.given.cost)] = one.given.cost
            matrix[row, HOST_SHARE], matrix[row, HOST_TIMED] = one.given.host_share, 0.0
            matrix[row, IDLE_MID] = 1.0 + one.given.idle_share


def _causes(
    matrix: Floats, resolved: Sequence[Resolved], artefact: Artefact, site: SiteProfile | None
) -> list[dict[str, float]]:
    """log_sd by cause of each context's IT energy."""
    machine, shape = machine_of(resolved), artefact.shape

    def gpu_j(size: str, batch: str) -> Floats:
        return _reference_j(joules(setup_of(resolved, artefact, size, batch), machine, shape), artefact)

    sizes = np.sort([gpu_j(LOW, MID), gpu_j(HIGH, MID)], axis=0)
    batches = np.sort([gpu_j(MID, LOW), gpu_j(MID, HIGH)], axis=0)
    mid_j, host_j = gpu_j(MID, MID), _reference_host_j(matrix, artefact)
    host, found = artefact.host_share_of_tdp, []
    for row, one in enumerate(resolved):
        if one.given is not None:
            found.append(dict(one.given.causes))
            continue
        at = float(host_j[row]) / float(mid_j[row])
        idle = one.serving.idle_share
        causes = {
            "size": log_sd_between(float(sizes[0, row]), float(sizes[1, row])),
            "batch": log_sd_between(float(batches[0, row]), float(batches[1, row])),
            "host": log_sd_between(1.0 + at * host.low / host.mid, 1.0 + at * host.high / host.mid),
            "idle": log_sd_between(1.0 + idle.low, 1.0 + idle.high),
        }
        found.append({**causes, **_errors(one, artefact, site_correction(one, site))})
    return found


def _errors(one: Resolved, artefact: Artefact, measured: SiteCorrection | None) -> dict[str, float]:
    """What the law itself and the choice of hardware add.

    Measurements of one's own stand in for what is added where hardware was never measured. What the law errs on models that it
    has not seen becomes what it errs on the site's, the more of them were measured; their rows' own width is the least.
    """
    name = regime(one)
    if one.context.hosting is not None:
        # The host's range of batches is a belief of its own: the law errs as where the batch is known.
        name = name.replace("/assumed", "/known")
    unseen = _log_sd(artefact.errors[name])
    law = [unseen if measured is None else measured.law_log_sd(unseen)]
    if one.context.layers is None:
        law.append(_log_sd(artefact.architecture_errors[name]))
    if one.context.params_active_b.mid < SMALL_B and not (one.hardware.eager and name.endswith("/one")):
        law.append(_log_sd(artefact.small_errors))
    if measured is not None:
        return {"law": max(quadrature(law), _log_sd(Error(measured.low, measured.high)))}
    return {"law": quadrature(law), "hardware": _log_sd(artefact.hardware_errors[one.hardware_class])}


def _spread(one: Resolved, causes: dict[str, float]) -> Spread:
    context = one.context
    model = context.model_id or f"{context.params_total_b.mid:g}b"
    provider = context.provider or "unknown"
    hosted = context.hosting is not None
    return spread_of(causes, hosted=hosted, provider=provider, family=context.family or model, model=model)


def _put_ends(matrix: Floats, row: int, spread: Spread) -> None:
    devices = quadrature(value for name, value in spread.causes.items() if name not in _AROUND)
    around = spread.energy_log_sd - devices
    for (start, idle), factor, rest in zip(
        ((LOW_J, IDLE_LOW), (HIGH_J, IDLE_HIGH)), ends(devices), ends(around), strict=True
    ):
        matrix[row, start : start + MID_S - HIGH_J] = matrix[row, MID_J:LOW_J] * factor
        matrix[row, idle] = matrix[row, IDLE_MID] * rest


def _put_ceiling(matrix: Floats, row: int, one: Resolved) -> None:
    price = one.context.price_ceiling
    if one.context.hosting is not None and price is not None:
        columns = [CEILING_INPUT, CEILING_CACHED, CEILING_OUTPUT]
        matrix[row, columns] = ceiling_j(price, one.context.pue or 1.0)


def _facility_wh(
    matrix: Floats, row: int, one: Resolved, artefact: Artefact, disclosed: Disclosed | None = None
) -> float:
    """Of the reference request, or of the disclosed one."""
    chosen = matrix[row : row + 1]
    tokens = REFERENCE if disclosed is None else _tokens(disclosed)
    gpu_j = _reference_j(cost_of(chosen.T, MID_J), artefact, tokens)
    if one.given is None:
        machines_j = gpu_j + _reference_host_j(chosen, artefact, tokens)
    else:
        machines_j = gpu_j * (1.0 + one.given.host_share)
    return float(machines_j[0] * chosen[0, IDLE_MID]) * (one.context.pue or 1.0) / (J_PER_KWH / 1000.0)


def _tokens(disclosed: Disclosed) -> tuple[Floats, Floats, Floats]:
    counts = disclosed.input_tokens, disclosed.cache_read_input_tokens, disclosed.output_tokens
    inputs, cached, outputs = (np.array(float(count)) for count in counts)
    return inputs, cached, outputs


def _reference_j(cost: Cost, artefact: Artefact, tokens: tuple[Floats, Floats, Floats] = REFERENCE) -> Floats:
    inputs, cached, outputs = tokens
    half = artefact.shape.stream_half_tokens
    found: Floats = prefill(cost, inputs, cached) + decode(cost, inputs, outputs, half)
    return found


def _reference_host_j(matrix: Floats, artefact: Artefact, tokens: tuple[Floats, Floats, Floats] = REFERENCE) -> Floats:
    """Joules of the server around the devices at the reference request, or at another."""
    inputs, cached, outputs = tokens
    time = cost_of(matrix.T, MID_S)
    prefill_s = prefill(time, inputs, cached)
    decode_s = decode(time, inputs, outputs, artefact.shape.stream_half_tokens)
    host_j: Floats = matrix[:, HOST_W] * prefill_s + matrix[:, HOST_FIXED_J] + matrix[:, HOST_DECODE_W] * decode_s
    return host_j


def _log_sd(error: Error) -> float:
    return log_sd_between(math.exp(error.low), math.exp(error.high))
