"""Listings for `rice-stream models` and `rice-stream regions`: plain objects, ready for JSON. Pure."""

from typing import Any

from rice_stream.quantities import Range
from rice_stream.reference.models.models import ModelTable
from rice_stream.reference.pue import PueTable
from rice_stream.reference.regions.regions import RegionTable
from rice_stream.reference.types import SCOPES, ModelFactor, RegionFactor

MAX_ALIASES_SHOWN = 20


def models(table: ModelTable, query: str, at_us: int) -> list[dict[str, Any]]:
    """Rows that contain every word of the query, in the id, the owner, the note or an alias; else the look-up's answer."""
    words = query.lower().split()
    found = []
    for factor, aliases in table.rows(at_us):
        text = " ".join((factor.model_id, factor.owner, factor.note, *aliases)).lower()
        if all(word in text for word in words):
            found.append(_model(factor, aliases))
    if not found and query.strip():
        found.append(_model(table.resolve(None, query, None, at_us), []))
    return found


def regions(table: RegionTable, pues: PueTable, query: str, at_us: int) -> list[dict[str, Any]]:
    """Places that contain every word of the query, in the id, the name or the country; else what the query resolves to."""
    words = query.lower().split()
    exact = table.identify(query, None) if words else None
    found = [exact] if exact else []
    for place in table.places.values():
        text = f"{place.region_id} {place.name} {place.country}".lower()
        if place.region_id != exact and all(word in text for word in words):
            found.append(place.region_id)
    return [_region(table, pues, region_id, at_us) for region_id in found]


def _model(factor: ModelFactor, aliases: list[str]) -> dict[str, Any]:
    return {
        "model_id": factor.model_id,
        "owner": factor.owner,
        "benchmark_only": factor.benchmark_only,
        "params_total_b": range_json(factor.params_total_b),
        "params_active_b": range_json(factor.params_active_b),
        "kv_bytes_per_token": factor.kv_bytes_per_token,
        "layers": factor.layers,
        "rotary": factor.rotary,
        "layer_operations": factor.layer_operations,
        "routed_share": factor.routed_share,
        "state_bytes": factor.state_bytes,
        "precision": factor.precision,
        "estimated": factor.estimated,
        "rung": factor.rung,
        "valid_from": factor.valid_from,
        "source": factor.source,
        "note": factor.note,
        "aliases": aliases[:MAX_ALIASES_SHOWN],
        "aliases_total": len(aliases),
    }


def _region(table: RegionTable, pues: PueTable, region_id: str, at_us: int) -> dict[str, Any]:
    place = table.places[region_id]
    factors = {scope: table.resolve(region_id, None, scope, at_us, None) for scope in SCOPES}
    pue = pues.resolve(region_id, None, at_us, None)
    first = factors[SCOPES[0]]
    return {
        "region_id": region_id,
        "kind": place.kind,
        "name": place.name,
        "country": place.country,
        "ladder": list(place.ladder),
        "rci": {scope: _rci(factor) for scope, factor in factors.items()},
        "market_rci_gco2e_per_kwh": first.market_rci_gco2e_per_kwh,
        "pue": pue.pue,
        "pue_rung": pue.rung,
        "pue_source": pue.source,
        "wue_l_per_kwh": first.wue_l_per_kwh,
        "wue_basis": first.wue_basis,
    }


def _rci(factor: RegionFactor) -> dict[str, Any]:
    return {
        "rci_gco2e_per_kwh": range_json(factor.rci_gco2e_per_kwh),
        "rung": factor.rung,
        "factor_region_id": factor.factor_region_id,
        "year": factor.year,
        "source": factor.source,
        "licence": factor.licence,
    }


def range_json(value: Range) -> dict[str, float]:
    """A range as JSON, to six digits behind the point."""
    return {"low": round(value.low, 6), "mid": round(value.mid, 6), "high": round(value.high, 6)}
