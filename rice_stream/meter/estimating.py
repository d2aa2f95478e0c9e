"""Estimates for requests that are described rather than observed: the command line's one request or a whole table. Pure.

Every quantity a caller leaves open is filled as the worker fills it, and named in `basis`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from rice_stream.basis import basis_names
from rice_stream.estimator.method import Estimates, Impacts, Requests
from rice_stream.meter.described import Described
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorDraft, FactorUse
from rice_stream.meter.service_key import ServiceKey
from rice_stream.quantities import Range


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """The answer for one described request: everything in the contract's names and units, per request."""

    values: dict[str, Any]
    use: FactorUse
    it_energy_wh: tuple[float, float, float]
    """Low, mid and high."""


def estimate_each(
    requests: Sequence[tuple[Described, str]], estimator_of: Callable[[str], EstimatorAt]
) -> list[RequestEstimate]:
    """Estimate each request by the method that it names; the answers are in their order.

    `estimator_of` gives the estimator with the method of a name. It is asked once for each name.
    """
    answers: dict[int, RequestEstimate] = {}
    for name in dict.fromkeys(name for _, name in requests):
        rows = [row for row, (_, other) in enumerate(requests) if other == name]
        estimated = estimate_all([requests[row][0] for row in rows], estimator_of(name))
        answers |= zip(rows, estimated, strict=True)
    return [answers[row] for row in range(len(requests))]


def uses_of(kinds: Sequence[Described], estimator: EstimatorAt) -> list[FactorUse]:
    """What requests of each kind rest on, worked out together; their tokens do not matter."""
    return estimator.finished([_draft(kind, estimator) for kind in kinds])


UsesOf = Callable[[Sequence[Described], EstimatorAt], list[FactorUse]]
"""As `uses_of`."""


def estimate_all(
    requests: Sequence[Described], estimator: EstimatorAt, uses_of: UsesOf = uses_of
) -> list[RequestEstimate]:
    """Estimate all requests at once; the answers are in their order.

    Requests that differ in their tokens alone are one kind: factors and coefficients are worked out once a kind, by `uses_of`.
    """
    numbers: dict[Described, int] = {}
    kind_of = [numbers.setdefault(_without_tokens(request), len(numbers)) for request in requests]
    if not requests:
        return []
    method = estimator.method
    uses = uses_of(list(numbers), estimator)
    kinds = [_Asked(use, one.params_total_b is not None) for use, one in zip(uses, numbers, strict=True)]
    columns = Requests(
        context=np.array(kind_of, dtype=np.intp),
        input_tokens=np.array([request.input_tokens for request in requests], dtype=np.int64),
        cache_read_input_tokens=np.array([request.cache_read_input_tokens for request in requests], dtype=np.int64),
        output_tokens=np.array([request.output_tokens for request in requests], dtype=np.int64),
        inference=np.ones(len(requests), dtype=np.bool_),
    )
    matrix = np.stack([use.kind.coefficients for use in uses])
    estimates = method.estimate(matrix, columns)
    pue = np.array([kinds[kind].use.pue.pue for kind in kind_of], dtype=np.float64)
    impacts = method.impacts(matrix, columns, estimates, pue)
    served = [_served(use, estimator) for use in uses]
    return [
        RequestEstimate(
            {**served[number], **_values(row, kinds[number], estimates), **_impacts(row, impacts)},
            kinds[number].use,
            _it_energy_wh(row, estimates),
        )
        for row, number in enumerate(kind_of)
    ]


class _Asked(NamedTuple):
    """What requests that differ in their tokens alone have in common."""

    use: FactorUse
    sized: bool
    """Whether the request gives the size of its model itself."""


def _without_tokens(request: Described) -> Described:
    return replace(request, input_tokens=0, output_tokens=0, cache_read_input_tokens=0)


def _draft(request: Described, estimator: EstimatorAt) -> FactorDraft:
    chosen = policy = estimator.policy
    if request.precision is not None or request.profile is not None:
        # What is asked for comes before the overrides of the settings.
        chosen = replace(
            policy,
            precision=request.precision or policy.precision,
            serving_profile=request.profile or policy.serving_profile,
            overrides=tuple(
                replace(
                    one,
                    precision=request.precision or one.precision,
                    profile=request.profile or one.profile,
                )
                for one in policy.overrides
            ),
        )
    key = ServiceKey(
        provider=request.provider,
        request_model=request.model,
        response_model=None,
        inference_region=request.region,
        hardware=request.hardware,
        devices=request.devices,
        batch_size=request.batch_size,
        pue=request.pue,
        rci_gco2e_per_kwh=request.rci_gco2e_per_kwh,
    )
    draft = replace(estimator, policy=chosen).draft(key)
    context = draft.context
    if request.params_total_b is not None:
        active = request.params_total_b if request.params_active_b is None else request.params_active_b
        context = replace(
            context,
            params_total_b=Range.exact(request.params_total_b),
            params_active_b=Range.exact(active),
            model_id=None,
            family=None,
            hosting=None,
            list_price=None,
            price_ceiling=None,
            kv_bytes_per_token=context.kv_bytes_per_token if request.model else None,
            layers=context.layers if request.model else None,
            rotary=context.rotary if request.model else None,
            layer_operations=context.layer_operations if request.model else None,
            routed_share=context.routed_share if request.model else None,
            state_bytes=context.state_bytes if request.model else None,
            precision=context.precision if request.model or request.precision else chosen.precision,
        )
    if request.kv_bytes_per_token is not None:
        context = replace(context, kv_bytes_per_token=request.kv_bytes_per_token)
    return draft._replace(context=context)


def _served(use: FactorUse, estimator: EstimatorAt) -> dict[str, Any]:
    """The answer's fields that do not depend on tokens."""
    served = use.kind.served_as
    return {
        "method": estimator.method.name,
        "model": use.columns["model"] or None,
        "hardware": served.hardware,
        "devices": float(use.kind.devices),
        "batch_size": served.batch_size,
        "precision": served.precision,
        "pue": use.pue.pue,
        "region": use.columns["region"],
        "rci_gco2e_per_kwh": use.rci_gco2e_per_kwh.mid,
        "route": use.kind.route,
        "contributions": _contributions(use),
        "versions": estimator.versions,
    }


def _contributions(use: FactorUse) -> list[dict[str, Any]]:
    """Which part of the range is what, largest first: what to tell the meter so that it narrows."""
    if use.spread is None:
        return []
    return [{"name": name, "log_sd": log_sd, "share": share} for name, log_sd, share in use.spread.contributions()]


def _values(row: int, kind: _Asked, estimates: Estimates) -> dict[str, Any]:
    it_wh = _it_energy_wh(row, estimates)
    pue, rci, *_ = kind.use.site
    carbon = [energy * pue * factor / 1000 for energy, factor in zip(it_wh, (rci.low, rci.mid, rci.high), strict=True)]
    return {
        "prefill_j": float(estimates.prefill_j[row]),
        "decode_j": float(estimates.decode_j[row]),
        "gpu_energy_j": float(estimates.gpu_energy_j[row]),
        "gpu_energy_j_low": float(estimates.gpu_energy_j_low[row]),
        "gpu_energy_j_high": float(estimates.gpu_energy_j_high[row]),
        "it_energy_wh": it_wh[1],
        "facility_energy_wh": it_wh[1] * pue,
        "latency_s": float(estimates.latency_s[row]),
        "carbon_gco2e": {"low": carbon[0], "mid": carbon[1], "high": carbon[2]},
        "basis": _basis(kind, int(estimates.flags[row])),
    }


def _impacts(row: int, impacts: Impacts | None) -> dict[str, Any]:
    """Lines beside operational carbon; null where the method does not give them."""
    if impacts is None:
        return {"embodied_gco2e": None, "water_l": None}
    pairs = {"embodied_gco2e": impacts.embodied_gco2e, "water_l": impacts.water_l}
    return {
        name: {"low": float(one.low[row]), "mid": float(one.mid[row]), "high": float(one.high[row])}
        for name, one in pairs.items()
    }


def _it_energy_wh(row: int, estimates: Estimates) -> tuple[float, float, float]:
    return (
        float(estimates.it_energy_wh_low[row]),
        float(estimates.it_energy_wh[row]),
        float(estimates.it_energy_wh_high[row]),
    )


def _basis(kind: _Asked, flags: int) -> list[str]:
    """Which route gave the energy and which rung each factor, then what is not the plain case of the method."""
    use = kind.use
    rungs = [
        f"route:{use.kind.route}",
        "model:given" if kind.sized or not use.columns["model"] else f"model:{use.model.rung}",
        f"rci:{use.rci_rung}",
        f"pue:{use.pue.rung}",
    ]
    return [*rungs, *basis_names(flags)]
