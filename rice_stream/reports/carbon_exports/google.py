"""Google Cloud: rows of Carbon Footprint's BigQuery export (kilograms of scopes 1 to 3, by market and by location)."""

from collections.abc import Iterator
from typing import Any

from rice_stream.reports.carbon_exports.rows import KILOGRAM_UG, CarbonRow, NotCarbon, flat, micrograms, month_of
from rice_stream.reports.usage_exports.rows import first_of

_TOTAL = "carbon_footprint_total_kgco2e"


def read_google(document: Any) -> Iterator[CarbonRow | NotCarbon]:
    """One row, of a project, a service and a place in a month: nested JSON, or CSV with dots or underscores in its header."""
    said = flat(document)
    location, market = (
        micrograms(first_of(said, f"{_TOTAL}.{basis}", f"{_TOTAL}_{basis}"), KILOGRAM_UG, f"{_TOTAL}.{basis}")
        for basis in ("location_based", "market_based")
    )
    if location is None and market is None:
        yield NotCarbon("carbon_footprint_total_kgCO2e is not in it")
        return
    yield CarbonRow(
        month=month_of(first_of(said, "usage_month"), "usage_month"),
        service=str(first_of(said, "service.description", "service_description") or ""),
        location_ugco2e=location,
        market_ugco2e=market,
        embodied=True,
        version=str(first_of(said, "carbon_model_version") or ""),
    )
