"""The steps of an explanation by which carbon is accounted for by the market."""

from collections.abc import Mapping
from typing import Any

from rice_stream.meter.amounts import GRAMS_PER_KWH_TO_PER_WH
from rice_stream.meter.recompute import Recomputed, StoredKind
from rice_stream.quantities import MARKET_COLUMN, MICRO, UNKNOWN

_ACCOUNTING = "docs/accounting.md, Location and market"


def market_ugco2e(again: Recomputed) -> int:
    """What the arithmetic gives for one record; where nothing is known of the market, the middle by location."""
    found = int(again.market_or_unknown[0])
    return int(again.amounts.carbon_mid_ugco2e[0]) if found == UNKNOWN else found


def market_steps(kind: StoredKind, again: Recomputed) -> list[dict[str, Any]]:
    """`[{"name", "formula", "value", "unit", "source"}]`; none where nothing is known of the market."""
    if kind.market is None:
        return []
    market, pue = kind.market, kind.place.pue
    rci = market["rci_gco2e_per_kwh"]
    grams = float(again.estimates.it_energy_wh[0]) * (GRAMS_PER_KWH_TO_PER_WH * pue) * rci
    return [
        _step("market_rci_gco2e_per_kwh", market_basis(market), rci, "gCO2e/kWh", _source(market)),
        _step("carbon_market_gco2e", f"it_energy_wh x {pue:g} / 1000 x {rci:g}", grams, "gCO2e", _ACCOUNTING),
        _step(
            MARKET_COLUMN,
            f"round(carbon_market_gco2e x {MICRO})",
            market_ugco2e(again),
            "ugCO2e",
            "docs/accounting.md; rounded once, when the record is made",
        ),
    ]


def market_basis(market: Mapping[str, Any]) -> str:
    """On what a market-based intensity rests, and over which time it is matched: `supplier, annual`."""
    return f"{market['instrument']}, {market['granularity']}"


def _source(market: Mapping[str, Any]) -> str:
    return f"{market['source']}, {market['year']}" if "year" in market else str(market["source"])


def _step(name: str, formula: str, value: object, unit: str, source: str) -> dict[str, Any]:
    return {"name": name, "formula": formula, "value": value, "unit": unit, "source": source}
