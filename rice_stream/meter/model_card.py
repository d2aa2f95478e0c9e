"""The card of one model: what is known of it, what is assumed, what an estimate comes to and how far off it may be. Pure."""

import math
from typing import Any

from rice_stream.estimator.spread import Z80
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import RequestEstimate, estimate_all
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.reference.hosted.evidence import Evidence, of_parameters, of_price
from rice_stream.reference.lookup import Reference
from rice_stream.reference.search import range_json
from rice_stream.reference.types import ModelFactor, PriceFactor

INPUT_TOKENS, OUTPUT_TOKENS = 500, 250
"""The request that every card is worked out for."""


def model_card(name: str, provider: str | None, estimator: EstimatorAt) -> dict[str, Any]:
    """What a name resolves to at a provider (None: at whoever hosts it), as a JSON-ready object.

    `range_factors` has high over low of the 80 % range that each cause alone would give, of their energy and of all of them.
    """
    request = Described(INPUT_TOKENS, OUTPUT_TOKENS, model=name, provider=provider)
    estimate = estimate_all([request], estimator)[0]
    reference, at_us = estimator.reference, estimator.at_us
    model = estimate.use.model
    price = reference.resolve_price(provider, name, None, at_us)
    return {
        "model": model.model_id,
        "asked": name,
        "owner": model.owner,
        "rung": model.rung,
        "estimated": model.estimated,
        "params_total_b": range_json(model.params_total_b),
        "params_active_b": range_json(model.params_active_b),
        "layers": model.layers,
        "kv_bytes_per_token": model.kv_bytes_per_token,
        "source": model.source,
        "note": model.note,
        "served": _served(estimate),
        "price": _price(price),
        "request": _request(estimate),
        "range_factors": _range_factors(estimate),
        "evidence": [_evidence(piece) for piece in _pieces(model, price, estimate, reference)],
        "versions": estimator.versions,
    }


def _served(estimate: RequestEstimate) -> dict[str, Any]:
    use, values = estimate.use, estimate.values
    return {
        **{name: values[name] for name in ("route", "hardware", "devices", "batch_size", "precision")},
        "profile": use.context.hosting or use.context.profile,
        "pue": use.pue.pue,
        "pue_rung": use.pue.rung,
        "pue_source": use.pue.source,
        "region": use.region.region_id,
        "region_rung": use.rci_rung,
        "region_source": use.region.source,
        "rci_gco2e_per_kwh": range_json(use.rci_gco2e_per_kwh),
    }


def _price(price: PriceFactor | None) -> dict[str, Any] | None:
    if price is None:
        return None
    own, lowest = price.usd_per_mtok, price.lowest_usd_per_mtok
    return {
        "provider": price.provider,
        "model": price.model,
        "rung": price.rung,
        "usd_per_mtok_input": own.input,
        "usd_per_mtok_cache_read": own.cache_read,
        "usd_per_mtok_output": own.output,
        "lowest_usd_per_mtok_input": lowest.input,
        "lowest_usd_per_mtok_cache_read": lowest.cache_read,
        "lowest_usd_per_mtok_output": lowest.output,
        "source": price.source,
        "date": (price.valid_from or "")[:10] or price.source_date,
    }


def _request(estimate: RequestEstimate) -> dict[str, Any]:
    low, mid, high = (energy * estimate.use.pue.pue for energy in estimate.it_energy_wh)
    return {
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
        "facility_energy_wh": {"low": low, "mid": mid, "high": high},
        "carbon_gco2e": estimate.values["carbon_gco2e"],
    }


def _range_factors(estimate: RequestEstimate) -> dict[str, float]:
    """Of each cause, largest first, then of the energy and of the carbon; empty for a method that gives bounds."""
    spread = estimate.use.spread
    if spread is None:
        return {}
    named = [(name, log_sd) for name, log_sd, _ in spread.contributions()]
    whole = [("energy", spread.energy_log_sd), ("carbon", spread.log_sd)]
    return {name: round(math.exp(2 * Z80 * log_sd), 4) for name, log_sd in (*named, *whole)}


def _pieces(
    model: ModelFactor, price: PriceFactor | None, estimate: RequestEstimate, reference: Reference
) -> list[Evidence]:
    """Of the architecture, the price and the host; each once, in this order, disclosures and estimates of others last."""
    own = reference.evidence_table.of_model(model.model_id)
    sizes = [piece for piece in own if piece.kind == "architecture"]
    found = [] if sizes and not model.overlaid else of_parameters(model)
    found += sizes
    found += [] if price is None else of_price(price)
    host = estimate.use.context.provider or (model.vendor if estimate.use.context.hosting else None)
    found += reference.evidence(f"host:{host}") if host else []
    return [*found, *(piece for piece in own if piece.kind != "architecture")]


def _evidence(piece: Evidence) -> dict[str, Any]:
    return {
        "id": piece.evidence_id,
        "kind": piece.kind,
        "quantity": piece.quantity,
        "value": piece.value,
        "low": piece.low,
        "high": piece.high,
        "unit": piece.unit,
        "source": piece.source,
        "date": piece.date,
        "grade": piece.grade,
        "use": piece.use,
        "based_on": list(piece.based_on),
        "boundary": piece.boundary,
        "note": piece.note,
    }
