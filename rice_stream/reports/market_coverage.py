"""What the electricity behind carbon by the market is known by: energy by instrument, and by the time that it is matched over."""

from typing import Any

from rice_stream.quantities import MICRO
from rice_stream.reference.types import ANNUAL, CONTRACT, GRANULARITIES, HOURLY, LOCATION, MARKET_INSTRUMENTS
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.totals_tables import SLOTS, days_by_factor

_WH_PER_KWH = 1000
_MARKET = '"market":{"granularity":"%s","instrument":"%s",'
"""How a row's `detail`, which is compact JSON in the order of its names, says on what carbon by the market rests."""
_BY_THE_HOUR = '"rci_granularity":"hourly"'
_SAID = [(instrument, granularity) for instrument in MARKET_INSTRUMENTS for granularity in GRANULARITIES]


def market_coverage(connection: Connection, scope: Scope, from_s: int) -> dict[str, Any]:
    """Facility energy since `from_s` (epoch seconds, on a quarter hour), by what is known of the electricity.

    Returns:
        `{"facility_energy_kwh", "rows": [{"instrument", "granularity", "facility_energy_kwh", "share_of_energy"}]}`, the best
        instrument first; only what there is. `location`: nothing is known of the market. What contracts cover, as of when they
        were applied, is told to who sees whole tenants; to who sees some teams it is under what was known besides. Shares are None
        where there is no energy.
    """
    cases = " ".join(
        f"WHEN detail LIKE '%{_MARKET % (granularity, instrument)}%' THEN '{instrument} {granularity}'"
        for instrument, granularity in _SAID
    )
    by_place = (
        f"CASE WHEN region_rung = 'live' OR detail LIKE '%{_BY_THE_HOUR}%' THEN '{LOCATION} {HOURLY}'"
        f" ELSE '{LOCATION} {ANNUAL}' END"
    )
    of_keys = (
        "SELECT m.factor_key, SUM(m.facility_energy_uwh) AS energy FROM {} m WHERE {}"
        f" AND {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')} GROUP BY m.factor_key"
    )
    of_days = days_by_factor(attributed=bool(scope.teams))
    days = of_keys.format(of_days.name, f"m.{of_days.start} >= :whole_s")
    within = of_keys.format(SLOTS.name, f"m.{SLOTS.start} >= :from_s AND m.{SLOTS.start} < :whole_s")
    asked = (
        f"SELECT f.said, SUM(s.energy) FROM ({days} UNION ALL {within}) s JOIN (SELECT factor_key,"
        f" CASE {cases} ELSE {by_place} END AS said FROM factor_use) f ON f.factor_key = s.factor_key GROUP BY f.said"
    )
    values = {"from_s": from_s, "whole_s": of_days.ceil_s(from_s), **scope_parameters(scope)}
    sums = {tuple(said.split()): int(energy) for said, energy in rows_of(connection, statement(asked), values)}
    if not scope.teams:
        _take_contracts(connection, scope, from_s, sums)
    return told(sums)


def _take_contracts(connection: Connection, scope: Scope, from_s: int, sums: dict[tuple[str, ...], int]) -> None:
    """Put what contracts cover in the place of what the electricity was known by besides; of whole hours."""
    asked = (
        "SELECT c.instrument, c.granularity, c.contract_granularity, SUM(c.covered_uwh) FROM contract_coverage c"
        f" WHERE c.hour_start_s >= :from_s AND {tenant_key_in(scope, 'c.tenant_key')}"
        " GROUP BY c.instrument, c.granularity, c.contract_granularity"
    )
    values = {"from_s": from_s, **scope_parameters(scope)}
    for *besides, granularity, energy in rows_of(connection, statement(asked), values):
        left = tuple(besides)
        # Of what was voided since the contracts were applied, nothing is left to be covered.
        covered = min(int(energy), sums.get(left, 0))
        sums[left] = sums.get(left, 0) - covered
        sums[CONTRACT, granularity] = sums.get((CONTRACT, granularity), 0) + covered


def told(sums: dict[tuple[str, ...], int]) -> dict[str, Any]:
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
