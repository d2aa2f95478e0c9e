"""Lifecycle intensities of grids, subregions and states of countries with several grids, from their direct ones.

Part of training/reference_tables.py, which is what to run. The finest lifecycle values that may be shipped are those of
countries; a direct value of a grid says more about a data centre on it than the value of a country with many. What a lifecycle
value adds (fuel supply, construction) differs far less between the grids of a country than what leaves their chimneys, so it is
added, not multiplied: for a country with both values their difference, else what is usual. Against the yearly lifecycle values of
zones (docs/reference-data.md, "Regions") adding errs by up to 13 % where a common ratio errs by up to 26 %.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from rice_stream.reference.reading import Row
from training.reference_models import Cells

SURCHARGE_GCO2E_PER_KWH, SURCHARGE_SHARE = 25.0, 0.17
"""What lifecycle is usually more than direct: the line with the least absolute errors of logarithms through the lifecycle and
direct values of 21 countries with one grid."""
SAME_EVERYWHERE = frozenset({"grid:se-3"})
"""All grids of such a country are about as clean: its own value says more than one that is mostly surcharge."""
GRIDS_OF_ONE_REGION = {"grid:us-pace": "gcp:us-west3", "grid:us-nevada": "gcp:us-west4"}
"""Grids of which Google publishes a value, and on which the clouds have this one region."""
DISPUTED_GRIDS = {
    "grid:us-columbia": ("gcp:us-west1", "us-state:OR"),
    "grid:us-carolina": ("gcp:us-east1", "us-egrid:SRVC"),
}
"""Grids about which two direct sources differ by a factor of 1.7 and 2.1: their geometric mean is taken. The eGRID subregion of
the Columbia basin is no third one: it reaches to the coal of Utah and Wyoming."""
SUBREGIONS = ("us-egrid:", "us-state:")
_SOURCE = "lifecycle-of-direct"


def lifecycle_rows(rci: Iterable[Cells], places: Sequence[Row]) -> list[Cells]:
    """One lifecycle row for each grid, eGRID subregion and US state of a country with several grids that has a direct one."""
    country_of = {row.text("region_id"): f"country:{row.text('country')}" for row in places}
    split = {row.text("region_id") for row in places if row.text("kind") == "country" and row.flag("split_grid")}
    values = {(str(row["region_id"]), str(row["scope"])): row for row in rci}
    direct = {place: row for (place, scope), row in values.items() if scope == "direct"}
    found: dict[str, tuple[float, str]] = {}
    for place, row in direct.items():
        if place.startswith((*SUBREGIONS, "grid:")) and place not in SAME_EVERYWHERE:
            found[place] = _number(row), f"{_number(row):g} direct"
    for grid, region in GRIDS_OF_ONE_REGION.items():
        found[grid] = _number(direct[region]), f"{_number(direct[region]):g} direct of {region}"
    for grid, pair in DISPUTED_GRIDS.items():
        one, other = (_number(direct[place]) for place in pair)
        found[grid] = math.sqrt(one * other), f"{one:g} direct of {pair[0]} and {other:g} of {pair[1]}: geometric mean"
    return [
        {
            "region_id": place,
            "scope": "lifecycle",
            "signal": "average",
            "accounting": "location",
            "rci_gco2e_per_kwh": f"{value + surcharge(value, country_of[place], values):.2f}",
            "year": values[country_of[place], "lifecycle"]["year"],
            "source": _SOURCE,
            "note": note,
        }
        for place, (value, note) in found.items()
        if country_of[place] in split
    ]


def surcharge(direct_gco2e_per_kwh: float, country: str, values: Mapping[tuple[str, str], Cells]) -> float:
    """What a lifecycle value is more than a direct one, in gCO2e/kWh."""
    whole = values.get((country, "direct"))
    if whole is not None:
        return _number(values[country, "lifecycle"]) - _number(whole)
    return SURCHARGE_GCO2E_PER_KWH + SURCHARGE_SHARE * direct_gco2e_per_kwh


def _number(row: Cells) -> float:
    return float(str(row["rci_gco2e_per_kwh"]))
