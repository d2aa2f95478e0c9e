"""The context of a kind of request as it is stored with its factors (`factor_use.detail`), and back. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from rice_stream.basis import Basis
from rice_stream.estimator.method import Context, Disclosed, Profile, Route
from rice_stream.estimator.spread import Spread
from rice_stream.quantities import ListPrice, Range
from rice_stream.reference.types import ESTIMATED, MarketFactor, ModelFactor, PueFactor, RegionFactor

_NOT_OF_THE_CONTEXT = frozenset({"sources", "route", "spread", "measured", "market"})


def factor_detail(
    context: Context,
    model: ModelFactor,
    region: RegionFactor,
    pue: PueFactor,
    more_sources: Mapping[str, str],
    route: Route,
    spread: Spread | None,
) -> dict[str, Any]:
    """The `detail` of a row of `factor_use`: the context in full, and the source of each factor (JSON-ready)."""
    return {
        "params_total_b": [context.params_total_b.low, context.params_total_b.mid, context.params_total_b.high],
        "params_active_b": [context.params_active_b.low, context.params_active_b.mid, context.params_active_b.high],
        "hardware": context.hardware,
        "hardware_known": context.hardware_known,
        "devices": context.devices,
        "batch_size": context.batch_size,
        "precision": context.precision,
        "kv_bytes_per_token": context.kv_bytes_per_token,
        "layers": context.layers,
        "rotary": context.rotary,
        **({} if context.layer_operations is None else {"layer_operations": context.layer_operations}),
        "routed_share": context.routed_share,
        "state_bytes": context.state_bytes,
        "utilisation": context.utilisation,
        "tdp_w": context.tdp_w,
        "profile": context.profile,
        "own_profile": None if context.own_profile is None else _profile_detail(context.own_profile),
        "provider": context.provider,
        "model_id": context.model_id,
        "family": context.family,
        "model_known": context.model_known,
        "own_model": context.own_model,
        "hosting": context.hosting,
        **({"hosted_by": context.hosted_by} if context.hosted_by else {}),
        "list_price": _price_detail(context.list_price),
        "price_ceiling": _price_detail(context.price_ceiling),
        "pue": context.pue,
        **({"disclosures": [_disclosure_detail(one) for one in context.disclosures]} if context.disclosures else {}),
        "route": route,
        **({} if spread is None else {"spread": spread.detail()}),
        "sources": {
            "model": model.source,
            **more_sources,
            "rci_year": region.year,
            # Of a factor set that does not say of which year its data are.
            **({"rci_valid_from": region.valid_from[:10]} if region.valid_from and region.year is None else {}),
            "pue": pue.source,
        },
    }


def market_detail(market: MarketFactor, at_us: int) -> dict[str, Any]:
    """Carbon intensity by the market as of an instant, as it is stored with the factors (JSON-ready)."""
    return {
        "instrument": market.instrument,
        "rci_gco2e_per_kwh": market.rci_at(at_us),
        "granularity": market.granularity,
        "source": market.source,
        **({} if market.year is None else {"year": market.year}),
    }


def intensity_flags(detail: str | Mapping[str, Any]) -> int:
    """Flags of a kind whose `detail` (or its JSON) says that its carbon intensity is provisional."""
    read: Mapping[str, Any] = json.loads(detail) if isinstance(detail, str) else detail
    provisional = read.get("sources", {}).get("intensity_status") == ESTIMATED
    return int(Basis.INTENSITY_ESTIMATED) if provisional else 0


def _price_detail(price: ListPrice | None) -> list[float] | None:
    return None if price is None else [price.input, price.cache_read, price.output]


def _disclosure_detail(one: Disclosed) -> list[float | str]:
    tokens = [one.input_tokens, one.cache_read_input_tokens, one.output_tokens]
    return [one.facility_energy_wh, *tokens, one.log_sd, one.evidence_id]


def _profile_detail(profile: Profile) -> dict[str, Any]:
    ranges = {"batch_size": profile.batch_size, "idle_share": profile.idle_share}
    return {
        "hardware": profile.hardware,
        "precision": profile.precision,
        "source": profile.source,
        **{name: [value.low, value.mid, value.high] for name, value in ranges.items()},
    }


def context_from_detail(detail: Mapping[str, Any]) -> Context:
    """The context that a stored `detail` describes: what `explain` computes with, whatever the tables say today."""
    values = {k: v for k, v in detail.items() if k not in _NOT_OF_THE_CONTEXT}
    values["params_total_b"] = Range(*values["params_total_b"])
    values["params_active_b"] = Range(*values["params_active_b"])
    own = values.get("own_profile")
    if own is not None:
        ranges = {name: Range(*own[name]) for name in ("batch_size", "idle_share")}
        values["own_profile"] = Profile(**{**own, **ranges})
    for name in ("list_price", "price_ceiling"):
        if values.get(name) is not None:
            values[name] = ListPrice(*values[name])
    values["disclosures"] = tuple(Disclosed(*one) for one in values.get("disclosures", ()))
    return Context(**values)


def spread_from_detail(detail: Mapping[str, Any]) -> Spread | None:
    """How uncertain the carbon is, and with whom; None of a method that gives bounds, and of records from before there were any."""
    stored = detail.get("spread")
    return None if stored is None else Spread.of_detail(stored)
