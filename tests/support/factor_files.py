"""Factor sets as files have them, for tests."""

from typing import Any

from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.parsing import parse_factor_file

SWEDEN, BRITAIN = "azure:swedencentral", "country:GB"


def rci_row(region: str = SWEDEN, value: Any = 12.5, **changes: Any) -> dict[str, Any]:
    """A carbon intensity; a value of None is left out."""
    row = {"region": region, "scope": "lifecycle", "value": value, "unit": "gCO2e/kWh", "year": 2025, **changes}
    return {name: cell for name, cell in row.items() if cell is not None}


def pue_row(value: float, **changes: Any) -> dict[str, Any]:
    """A PUE."""
    return {"value": value, "unit": "kWh/kWh", "year": 2026, **changes}


def market_row(instrument: str, value: Any, **changes: Any) -> dict[str, Any]:
    """A market-based carbon intensity of many years; a value of None is left out."""
    dates = {"valid_from": "2020-01-01", "valid_to": "2040-01-01"}
    row = {"instrument": instrument, "scope": "lifecycle", "value": value, "unit": "gCO2e/kWh", **dates, **changes}
    return {name: cell for name, cell in row.items() if cell is not None}


def contract_row(contract: str, kwh: float, granularity: str, **changes: Any) -> dict[str, Any]:
    """A contract for electricity without carbon, of many years."""
    dates = {"valid_from": "2020-01-01", "valid_to": "2040-01-01"}
    what = {"contract": contract, "instrument": "ppa", "kwh": kwh, "granularity": granularity}
    return {**what, "scope": "lifecycle", "value": 0, "unit": "gCO2e/kWh", **dates, **changes}


def file_of(*rows: dict[str, Any], kind: str = "rci", name: str = "grid", **changes: Any) -> dict[str, Any]:
    """A loaded file."""
    head = {"kind": kind, "name": name, "source": "Grid Co", "licence": "CC-BY-4.0", "published": "2026-11-01"}
    return {**head, **changes, "rows": list(rows)}


def set_of(*rows: dict[str, Any], **changes: Any) -> FactorSet:
    """The set of such a file."""
    return parse_factor_file(file_of(*rows, **changes), "grid.yaml").factor_set
