"""The context of a kind of request as it is stored with its factors (`factor_use.detail`), and back. Pure."""

from typing import Any

from rice_stream.estimator.method import Context, Profile
from rice_stream.quantities import Range
from rice_stream.reference.types import HardwareFactor, ModelFactor, PueFactor, RegionFactor


def factor_detail(
    context: Context,
    model: ModelFactor,
    region: RegionFactor,
    pue: PueFactor,
    hardware: HardwareFactor,
    more_sources: dict[str, str],
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
        "utilisation": context.utilisation,
        "tdp_w": context.tdp_w,
        "profile": context.profile,
        "own_profile": None if context.own_profile is None else _profile_detail(context.own_profile),
        "provider": context.provider,
        "sources": {
            "model": model.source,
            **more_sources,
            "rci_year": region.year,
            "pue": pue.source,
            "hardware": hardware.source,
        },
    }


def _profile_detail(profile: Profile) -> dict[str, Any]:
    ranges = {"batch_size": profile.batch_size, "idle_share": profile.idle_share}
    return {
        "hardware": profile.hardware,
        "precision": profile.precision,
        "source": profile.source,
        **{name: [value.low, value.mid, value.high] for name, value in ranges.items()},
    }


def context_from_detail(detail: dict[str, Any]) -> Context:
    """The context that a stored `detail` describes: what `explain` computes with, whatever the tables say today."""
    values = {k: v for k, v in detail.items() if k != "sources"}
    values["params_total_b"] = Range(*values["params_total_b"])
    values["params_active_b"] = Range(*values["params_active_b"])
    own = values.get("own_profile")
    if own is not None:
        ranges = {name: Range(*own[name]) for name in ("batch_size", "idle_share")}
        values["own_profile"] = Profile(**{**own, **ranges})
    return Context(**values)
