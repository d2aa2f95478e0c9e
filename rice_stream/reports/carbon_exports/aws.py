"""AWS: rows of the carbon emissions table of Data Exports (tonnes, by market and by location)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.reports.carbon_exports.rows import TONNE_UG, CarbonRow, NotCarbon, flat, micrograms, month_of
from rice_stream.reports.usage_exports.rows import first_of, shown

_UNIT = "mtco2e"
_SCOPE_3 = tuple(f"total_scope_3_{basis}_emissions_value" for basis in ("lbm", "mbm"))
_SCOPE_3_SINCE = 3
"""The major version of the model from which on totals have scope 3 in them."""


def read_aws(document: Any) -> Iterator[CarbonRow | NotCarbon]:
    """One row, of an account, a service and a region in a month."""
    said = flat(document)
    location, market = (_tonnes(said, f"total_{basis}_emissions") for basis in ("lbm", "mbm"))
    if location is None and market is None:
        yield NotCarbon("neither total_lbm_emissions_value nor total_mbm_emissions_value is in it")
        return
    version = str(first_of(said, "model_version") or "")
    found = re.match(r"v?(\d{1,9})", version)
    yield CarbonRow(
        month=month_of(first_of(said, "usage_period_start"), "usage_period_start"),
        service=str(first_of(said, "product_code") or ""),
        location_ugco2e=location,
        market_ugco2e=market,
        embodied=first_of(said, *_SCOPE_3) is not None or (found is not None and int(found[1]) >= _SCOPE_3_SINCE),
        version=version,
    )


def _tonnes(said: Mapping[str, Any], what: str) -> int | None:
    unit = str(first_of(said, f"{what}_unit") or _UNIT)
    if unit.lower() != _UNIT:
        raise UsageError(f"{what}_unit: {shown(unit)} is not known; MTCO2e is")
    return micrograms(said.get(f"{what}_value"), TONNE_UG, f"{what}_value")
