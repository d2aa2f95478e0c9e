"""The rows of hosted models in rice_stream/reference/data/derived: list prices, and data-centre capacity by country.

Part of training/reference_tables.py, which is what to run.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rice_stream.reference.reading import Row
from training.reference_models import Cells, read_sheet

PRICES = "hosted/prices.csv"
PRICE_SOURCE = "models-dev-2026-08"

CAPACITY_YEAR = 2024
UNITED_STATES, CHINA = "US", "CN"
EUROPE = "AL AT BA BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LT LU LV MT NL NO PL PT RO RS SE SI SK"
ASIA_PACIFIC = "AU BD BN HK ID IN JP KH KR LA LK MM MN MO MY NP NZ PH PK SG TH TW VN"
AREA_TWH = {"us": 183.0, "cn": 102.0, "europe": 68.0, "asia_pacific": 48.0, "rest": 15.0}
"""Electricity used by data centres in 2024 (IEA, Energy and AI, 2025)."""


def price_rows(source_dir: Path) -> list[Cells]:
    """One row per provider and model; the newest date that the list has, a month being its first day."""
    return [
        {
            "provider": row["provider"],
            "model": row["model"],
            "usd_per_mtok_input": _figure(row["price_in_usd_per_mtok"]),
            "usd_per_mtok_cache_read": _figure(row["price_cache_read"]),
            "usd_per_mtok_output": _figure(row["price_out_usd_per_mtok"]),
            "valid_from": _day(row["last_updated"] or row["release_date"]),
            "source": PRICE_SOURCE,
        }
        for row in read_sheet(source_dir / PRICES)
    ]


def capacity_rows(regions: Sequence[Row]) -> list[Cells]:
    """Electricity of each country's data centres: an area's, divided by the number of cloud regions in each country."""
    sites = Counter(row.text("country") for row in regions if row.text("kind") == "cloud_region")
    in_area = Counter(dict.fromkeys(AREA_TWH, 0))
    for country, count in sites.items():
        in_area[_area(country)] += count
    return [
        {
            "region_id": f"country:{country}",
            "twh_per_year": f"{AREA_TWH[_area(country)] * count / in_area[_area(country)]:.4g}",
            "year": CAPACITY_YEAR,
            "source": "iea-energy-and-ai-2025",
            "note": f"{AREA_TWH[_area(country)]:g} TWh of the area, by {count} of {in_area[_area(country)]} cloud regions",
        }
        for country, count in sites.items()
    ]


def _area(country: str) -> str:
    if country in (UNITED_STATES, CHINA):
        return country.lower()
    if country in EUROPE.split():
        return "europe"
    return "asia_pacific" if country in ASIA_PACIFIC.split() else "rest"


def _figure(text: str) -> str:
    """The number with at most six significant digits: the list has artefacts of binary fractions."""
    return f"{float(text):.6g}" if text else ""


def _day(text: str) -> str:
    return f"{text}-01" if len(text) == len("2025-01") else text
