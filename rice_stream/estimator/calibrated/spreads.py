"""Version 2 of `rice-calibrated`: the middle energy of each context, and the independent causes of its uncertainty.

Each cause is moved to its low and to its high end by itself, at the reference request; they add in quadrature of logarithms.
"""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple, TypeVar

import numpy as np

from rice_stream.estimator.calibrated.artefact import Artefact, Error
from rice_stream.estimator.calibrated.coefficients import (
    CEILING_INPUT,
    CEILING_OUTPUT,
    COLUMNS,
    COST,
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
from rice_stream.estimator.calibrated.physics import Cost, Machine, Setup, joules
from rice_stream.estimator.calibrated.request_cost import TokenTerms, decode, prefill, token_terms
from rice_stream.estimator.calibrated.setup import HIGH, LOW, MID, Resolved, machine_of, setups_of
from rice_stream.estimator.embodied import EmbodiedFactors
from rice_stream.estimator.method import Disclosed
from rice_stream.estimator.site import SiteCorrection, SiteProfile
from rice_stream.estimator.spread import Spread, ends, log_sd_between, quadrature, spread_of
from rice_stream.quantities import Floats, ListPrice

_AROUND = ("host", "idle")
"""Causes that are not of the accelerators."""
_ENDS = ((MID, MID), (LOW, MID), (HIGH, MID), (MID, LOW), (MID, HIGH))
"""What the law is asked for: the middle, and each cause at its ends by itself (of the size, of the batch)."""
_ENERGIES = [*range(MID_J, MID_J + COST), HOST_W, HOST_FIXED_J, HOST_DECODE_W]
"""What the middle of a context's energy is in proportion to."""

Tokens = tuple[float, float, float]
"""Input, cached and output tokens of a request."""
REFERENCE: Tokens = (float(REFERENCE_INPUT_TOKENS), 0.0, float(REFERENCE_OUTPUT_TOKENS))


Moves = dict[int, list[tuple[ListPrice | Disclosed, float]]]
"""By the row of a context: each piece of evidence that moved its middle, and the factor on all of its joules."""


class Energies(NamedTuple):
    """What k contexts' energies are made of: the matrix of coefficients, each context's spread, and what moved its middle."""

    matrix: Floats
    spreads: list[Spread]
    moves: Moves


def energies(
    resolved: Sequence[Resolved], artefact: Artefact, embodied: EmbodiedFactors, site: SiteProfile | None
) -> Energies:
    """Matrix and spreads of k resolved contexts; each depends on its own context alone."""
    if not resolved:
        return Energies(np.zeros((0, COLUMNS)), [], {})
    setups, machines = setups_of(resolved, artefact, _ENDS), machine_of(resolved, len(_ENDS))
    law, count = joules(setups, machines, artefact.shape), len(resolved)
    matrix = matrix_of(resolved, _first(setups, count), _first(machines, count), artefact, embodied, site)
    own = [site_correction(one, site) for one in resolved]
    _put_middles(matrix, resolved, _first(law, count), own)
    host_j = _host_j(matrix, artefact)
    causes = _causes(_gpu_j(law, artefact).reshape(len(_ENDS), count), host_j, resolved, artefact, own)
    moves = _weigh_evidence(matrix, causes, resolved, artefact)
    spreads = [_spread(one, found) for one, found in zip(resolved, causes, strict=True)]
    _put_ends(matrix, spreads)
    for row, one in enumerate(resolved):
        price = one.context.price_ceiling
        if one.context.hosting is not None and price is not None:
            matrix[row, CEILING_INPUT : CEILING_OUTPUT + 1] = ceiling_j(price, one.context.pue or 1.0)
    return Energies(matrix, spreads, moves)


_Columns = TypeVar("_Columns", Setup, Machine, Cost)


def _first(columns: _Columns, count: int) -> _Columns:
    return type(columns)(*(getattr(columns, field.name)[:count] for field in fields(columns)))


def _put_middles(matrix: Floats, resolved: Sequence[Resolved], law: Cost, own: Sequence[SiteCorrection | None]) -> None:
    put_cost(matrix, MID_J, law, np.array([1.0 if one is None else one.factor for one in own]))
    matrix[:, HOST_LOW] = matrix[:, HOST_HIGH] = 1.0
    matrix[:, IDLE_MID] = [1.0 + one.serving.idle_share.mid for one in resolved]
    for row, one in enumerate(resolved):
        if one.given is not None:
            matrix[row, MID_J : MID_J + COST] = one.given.cost
            matrix[row, HOST_SHARE], matrix[row, HOST_TIMED] = one.given.host_share, 0.0
            matrix[row, IDLE_MID] = 1.0 + one.given.idle_share


def _causes(
    gpu_j: Floats,
    host_j: Floats,
    resolved: Sequence[Resolved],
    artefact: Artefact,
    own: Sequence[SiteCorrection | None],
) -> list[dict[str, float]]:
    """log_sd by cause of each context's IT energy; `gpu_j` is the law's at each of _ENDS, shape (ends, k)."""
    middles, around = gpu_j[0].tolist(), host_j.tolist()
    sizes, batches = (
        [(min(pair), max(pair)) for pair in zip(gpu_j[low].tolist(), gpu_j[high].tolist(), strict=True)]
        for low, high in ((1, 2), (3, 4))
    )
    host, found = artefact.host_share_of_tdp, []
    for row, one in enumerate(resolved):
        if one.given is not None:
            found.append(dict(one.given.causes))
            continue
        at = around[row] / middles[row]
        idle = one.serving.idle_share
        causes = {
            "size": log_sd_between(*sizes[row]),
            "batch": log_sd_between(*batches[row]),
            "host": log_sd_between(1.0 + at * host.low / host.mid, 1.0 + at * host.high / host.mid),
            "idle": log_sd_between(1.0 + idle.low, 1.0 + idle.high),
        }
        found.append({**causes, **_errors(one, artefact, own[row])})
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
    provider = context.provider or context.hosted_by or "unknown"
    hosted = context.hosting is not None
    return spread_of(causes, hosted=hosted, provider=provider, family=context.family or model, model=model)


def _weigh_evidence(
    matrix: Floats, causes: list[dict[str, float]], resolved: Sequence[Resolved], artefact: Artefact
) -> Moves:
    """Moves the middles, and narrows the causes, of hosted models by their prices and by what was disclosed of them."""
    moves: Moves = {}
    priced = {row: price for row, one in enumerate(resolved) if (price := _price_as_evidence(one)) is not None}
    facility_wh = _facility_wh(matrix, resolved, artefact, REFERENCE) if priced else []
    for row, price in priced.items():
        factor, causes[row] = with_price(causes[row], facility_wh[row], price)
        matrix[row, _ENERGIES] *= factor
        moves[row] = [(price, factor)]
    for row, one in enumerate(resolved):
        for disclosed in one.context.disclosures if one.context.hosting is not None else ():
            tokens = disclosed.input_tokens, disclosed.cache_read_input_tokens, disclosed.output_tokens
            [said_wh] = _facility_wh(matrix[row : row + 1], [one], artefact, tokens)
            factor, causes[row] = with_disclosure(causes[row], said_wh, disclosed)
            matrix[row, _ENERGIES] *= factor
            moves.setdefault(row, []).append((disclosed, factor))
    return moves


def _price_as_evidence(one: Resolved) -> ListPrice | None:
    """The list price of a hosted model whose energy knows none yet: the law's, or that of a row fitted without."""
    if one.context.hosting is None or (one.given is not None and one.given.priced):
        return None
    return one.context.list_price


def _put_ends(matrix: Floats, spreads: Sequence[Spread]) -> None:
    devices = [quadrature([value for name, value in one.causes.items() if name not in _AROUND]) for one in spreads]
    around = [one.energy_log_sd - own for one, own in zip(spreads, devices, strict=True)]
    of_devices, of_rest = (np.array([ends(log_sd) for log_sd in part]) for part in (devices, around))
    for number, (start, idle) in enumerate(((LOW_J, IDLE_LOW), (HIGH_J, IDLE_HIGH))):
        matrix[:, start : start + COST] = matrix[:, MID_J : MID_J + COST] * of_devices[:, number, np.newaxis]
        matrix[:, idle] = matrix[:, IDLE_MID] * of_rest[:, number]


def _facility_wh(matrix: Floats, resolved: Sequence[Resolved], artefact: Artefact, tokens: Tokens) -> list[float]:
    """Facility energy of a request of so many tokens in each context, by the middles of the matrix."""
    gpu_j, timed_j = _gpu_j(cost_of(matrix.T, MID_J), artefact, tokens), _host_j(matrix, artefact, tokens)
    machines_j = np.where(matrix[:, HOST_TIMED] > 0.0, gpu_j + timed_j, gpu_j * (1.0 + matrix[:, HOST_SHARE]))
    it_j = (machines_j * matrix[:, IDLE_MID]).tolist()
    return [of_it * (one.context.pue or 1.0) / (J_PER_KWH / 1000.0) for of_it, one in zip(it_j, resolved, strict=True)]


def _gpu_j(cost: Cost, artefact: Artefact, tokens: Tokens = REFERENCE) -> Floats:
    """Joules of the accelerators."""
    terms = _terms(artefact, tokens)
    return prefill(cost, terms) + decode(cost, terms)


def _host_j(matrix: Floats, artefact: Artefact, tokens: Tokens = REFERENCE) -> Floats:
    """Joules of the server around the devices while they work."""
    time, terms = cost_of(matrix.T, MID_S), _terms(artefact, tokens)
    prefill_s, decode_s = prefill(time, terms), decode(time, terms)
    host_j: Floats = matrix[:, HOST_W] * prefill_s + matrix[:, HOST_FIXED_J] + matrix[:, HOST_DECODE_W] * decode_s
    return host_j


def _terms(artefact: Artefact, tokens: Tokens) -> TokenTerms:
    inputs, cached, outputs = (np.array(float(count)) for count in tokens)
    return token_terms(inputs, cached, outputs, artefact.shape.stream_half_tokens)


def _log_sd(error: Error) -> float:
    return log_sd_between(math.exp(error.low), math.exp(error.high))
