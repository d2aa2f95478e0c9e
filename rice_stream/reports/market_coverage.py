"""What the electricity behind carbon by the market is known by: energy by instrument, and by the time that it is matched over."""

from collections.abc import Callable, Mapping
from typing import Any

from rice_stream.quantities import MICRO
from rice_stream.reference.types import ANNUAL, CONTRACT, GRANULARITIES, HOURLY, LOCATION, MARKET_INSTRUMENTS
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in

_WH_PER_KWH = 1000
_MARKET = '"market":{"granularity":"%s","instrument":"%s",'
"""How a row's `detail`, which is compact JSON in the order of its names, says on what carbon by the market rests."""
_BY_THE_HOUR = '"rci_granularity":"hourly"'
_CASES = " ".join(
    f"WHEN detail LIKE '%{_MARKET % (granularity, instrument)}%' THEN '{instrument} {granularity}'"
    for instrument in MARKET_INSTRUMENTS
    for granularity in GRANULARITIES
)
ELECTRICITY = (
    f"COALESCE(CASE WHEN detail LIKE '%\"market\":{{%' THEN CASE {_CASES} END END,"
    f" CASE WHEN region_rung = 'live' OR detail LIKE '%{_BY_THE_HOUR}%' THEN '{LOCATION} {HOURLY}'"
    f" ELSE '{LOCATION} {ANNUAL}' END)"
)
"""SQL of a row of `factor_use`: instrument and granularity, with a blank between."""


def market_coverage_later(
    connection: Connection, scope: Scope, from_s: int
) -> Callable[[Mapping[str, int]], dict[str, Any]]:
    """Tells, once, what is known of the electricity of the facility energy since `from_s` (epoch seconds, on a quarter hour), from
    micro-watt-hours by ELECTRICITY. What contracts cover is asked now, and waited for when it is called (`asked_ahead`).

    Returns:
        `{"facility_energy_kwh", "rows": [{"instrument", "granularity", "facility_energy_kwh", "share_of_energy"}]}`, the best
        instrument first; only what there is. `location`: nothing is known of the market. What contracts cover, as of when they
        were applied, is told to who sees whole tenants; to who sees some teams it is under what was known besides. Shares are None
        where there is no energy.
    """
    asked = statement(
        "SELECT c.instrument, c.granularity, c.contract_granularity, SUM(c.covered_uwh) FROM contract_coverage c"
        f" WHERE c.hour_start_s >= :from_s AND {tenant_key_in(scope, 'c.tenant_key')}"
        " GROUP BY c.instrument, c.granularity, c.contract_granularity"
    )
    covered = list if scope.teams else rows_later(connection, asked, {"from_s": from_s, **scope_parameters(scope)})

    def coverage_of(energy_uwh: Mapping[str, int]) -> dict[str, Any]:
        sums = {tuple(said.split()): energy for said, energy in energy_uwh.items()}
        for *besides, granularity, energy in covered():
            _take_contract(sums, tuple(besides), granularity, int(energy))
        return told(sums)

    return coverage_of


def _take_contract(sums: dict[tuple[str, ...], int], besides: tuple[str, ...], granularity: str, energy: int) -> None:
    """Put what contracts cover in the place of what the electricity was known by besides; of whole hours."""
    # Of what was voided since the contracts were applied, nothing is left to be covered.
    covered = min(energy, sums.get(besides, 0))
    sums[besides] = sums.get(besides, 0) - covered
    sums[CONTRACT, granularity] = sums.get((CONTRACT, granularity), 0) + covered


def told(sums: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """The answer for micro-watt-hours by (instrument, granularity)."""
    whole = sum(sums.values())
    places = {each: place for place, each in enumerate((CONTRACT, *MARKET_INSTRUMENTS, LOCATION, *GRANULARITIES))}
    ordered = sorted(sums.items(), key=lambda item: [places[name] for name in item[0]])
    return {
        "facility_energy_kwh": whole / MICRO / _WH_PER_KWH,
        "rows": [
            {
                "instrument": instrument,
                "granularity": granularity,
                "facility_energy_kwh": energy / MICRO / _WH_PER_KWH,
                "share_of_energy": energy / whole if whole else None,
            }
            for (instrument, granularity), energy in ordered
            if energy
        ],
    }
