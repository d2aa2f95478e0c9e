"""Totals of all rolling windows at once: what each tenant used in the last hour, day, week and month, and this month to date."""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from rice_stream.meter.shared_ranges import SharedRange
from rice_stream.quantities import MEASURES
from rice_stream.reports.carbon_ranges import CarbonRanges
from rice_stream.reports.kinds_behind import KindsBehind
from rice_stream.reports.time_zones import described_window
from rice_stream.reports.totals_ground import ground_once, spans_of
from rice_stream.reports.totals_query import WINDOWS, TotalsQuery
from rice_stream.reports.totals_rows import CARBON_MID, amounts, beside_fields
from rice_stream.reports.totals_sums import Asked, Found, several_of, with_nobodys
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters
from rice_stream.store.snapshot import snapshot

_BY = ("tenant",)
_NOTHING = [0] * len(MEASURES)


def rolling_totals(engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None) -> dict[str, Any]:
    """The totals of every tenant and window, of all windows from one statement; windows are those of `totals`.

    Returns:
        `{"windows": {"1h": {"from", "to", "time_zone"}, ...}, "rows": [{"tenant", "tenant_id", "window", the amounts of a row of
        totals}], "total": {"1h": the amounts of all rows of the window, ...}}`: a row for every tenant and window, with zeros where
        nothing was used, tenants in the order of their ids; the month is that of each tenant's own time zone. Who sees some teams
        only is answered with what they were charged for; a window that begins within a quarter hour then needs the records of
        that quarter.

    Raises:
        UsageError: records that this needs are no longer kept.
    """
    seen = scope.within(tenant)
    with snapshot(engine, scope) as connection:
        ground = ground_once(connection, seen, by_day=False)
        ranges = {
            window: {zone: TotalsQuery(window=window).range_us(zone, now) for zone in ground.time_zones or ["UTC"]}
            for window in WINDOWS
        }
        asked = [Asked(connection, seen, _BY, spans_of(ground, ranges[window]), ground) for window in WINDOWS]
        found = dict(zip(WINDOWS, several_of(asked), strict=True))
        digests = {key: digest for each in found.values() for key, digest in each.digests.items()}
        carbon_ranges = CarbonRanges(connection, digests, digests)
        found = {window: with_nobodys(each, found[window]) for window, each in zip(WINDOWS, asked, strict=True)}
        names = _tenants(connection, seen)
    kinds = KindsBehind(carbon_ranges.spreads)
    return {
        "windows": {window: described_window(None, each) for window, each in ranges.items()},
        "rows": [
            {
                "tenant": name,
                "tenant_id": name,
                "window": window,
                **_of_tenant(found[window], name, carbon_ranges, kinds),
            }
            for name in names
            for window in WINDOWS
        ],
        "total": {window: _of_all(each, carbon_ranges, kinds) for window, each in found.items()},
    }


def _tenants(connection: Connection, scope: Scope) -> list[str]:
    statement = f"SELECT t.tenant_id FROM tenant t WHERE {has_any_of(scope)} ORDER BY t.tenant_id"
    return list(connection.scalars(text(statement), scope_parameters(scope)))


def _of_tenant(found: Found, name: str, carbon_ranges: CarbonRanges, kinds: KindsBehind) -> dict[str, Any]:
    group = (name,)
    if group not in found.groups:
        return {**amounts(_NOTHING, SharedRange(0, 0, 0, 0)), **beside_fields(_NOTHING, kinds, {}, {})}
    sums, parts = found.groups[group], found.parts[group]
    carbon = carbon_ranges.of(sums[CARBON_MID], parts)
    return {**amounts(sums, carbon), **beside_fields(sums, kinds, parts, found.nobodys.get(group, {}))}


def _of_all(found: Found, carbon_ranges: CarbonRanges, kinds: KindsBehind) -> dict[str, Any]:
    sums = [sum(column) for column in zip(*found.groups.values(), strict=True)] or _NOTHING
    carbon = carbon_ranges.of(sums[CARBON_MID], found.whole_parts)
    return {**amounts(sums, carbon), **beside_fields(sums, kinds, found.whole_parts, found.whole_nobodys)}
