"""What a stored row of factors says that its events said: the kind of request, to be estimated again by other factors. Pure."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from rice_stream.meter.live_intensity import LiveIntensity, LiveLookup, no_live_feed
from rice_stream.meter.service_key import ServiceKey

_UNKNOWN = "unknown"
_RCI = "rci_mid_gco2e_per_kwh"


class SaidByEvents(NamedTuple):
    """What `draft_factors` is asked with."""

    key: ServiceKey
    mapped: ServiceKey
    """With the names that mappings put in the place of the event's own, when it was recorded."""
    live: LiveLookup
    """Gives the live value that the record rests on, if it rests on one: a table knows less of that hour."""


class _StoredLive:
    generation = 0

    def __init__(self, value: LiveIntensity) -> None:
        self._value = value

    def __call__(self, region_id: str, at_us: int) -> LiveIntensity:
        del region_id, at_us
        return self._value


def said_by_events(factor: Mapping[str, Any]) -> SaidByEvents:
    """Of a row of `factor_use`. Factors are those that were taken of the event; what was not believed is not there.

    Rows do not tell a region that the event named from the same one of RICE_DEFAULT_REGION, unless it stood in for none.
    """
    detail: dict[str, Any] = json.loads(factor["detail"])
    sources = detail.get("sources", {})
    stated = set(filter(None, sources.get("event_factors", "").split(",")))
    named = factor["region"] != _UNKNOWN and factor["region_rung"] != "default_region"
    values: dict[str, Any] = {
        name: detail[name] for name in ("hardware", "devices", "batch_size", "utilisation") if name in stated
    }
    if "hardware" in values and not detail["hardware_known"]:
        values["hardware"] = _UNKNOWN  # its own name is not kept, and no table has it
    if factor["pue_rung"] == "event":
        values["pue"] = factor["pue"]
    if factor["region_rung"] == "event":
        values["rci_gco2e_per_kwh"] = factor[_RCI]
    measured = detail.get("measured")
    key = ServiceKey(
        factor["provider"] or None,
        factor["request_model"] or None,
        factor["response_model"] or None,
        factor["region"] if named else None,
        **values,
        source_format=sources.get("source_format"),
        region_source=sources.get("region_source"),
        gateway_cache_hit=True if "gateway_cache_hit" in sources else None,
        energy_boundary=None if measured is None else measured["boundary"],
    )
    return SaidByEvents(key, _mapped(key, sources), _live(factor, sources))


def _mapped(key: ServiceKey, sources: Mapping[str, Any]) -> ServiceKey:
    model, region = sources.get("mapped_model"), sources.get("mapped_region")
    if model is not None:
        # The one that decides: the response's, where there is one.
        key = key._replace(response_model=model) if key.response_model else key._replace(request_model=model)
    return key if region is None else key._replace(inference_region=region)


def _live(factor: Mapping[str, Any], sources: Mapping[str, Any]) -> LiveLookup:
    if factor["region_rung"] != "live":
        return no_live_feed
    return _StoredLive(LiveIntensity(factor[_RCI], sources["rci"]))
