"""Who used how much, over any stretch of time, exactly.

Totals are kept by the minute, the quarter hour and the day; a stretch that begins or ends in the middle of one is the whole
buckets inside plus the records at its two edges. What no total is kept for (users, basis) comes from the records alone.
Integers add up exactly, so a break-down sums to its total. The range around each sum is that of `carbon_ranges`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rice_stream.quantities import MEASURES
from rice_stream.reports.allocation import Allocated, allocated
from rice_stream.reports.carbon_ranges import CarbonRanges
from rice_stream.reports.kinds_behind import KindsBehind
from rice_stream.reports.sums import Group, Parts
from rice_stream.reports.time_zones import described_window, report_zone
from rice_stream.reports.totals_ground import ground_once, spans_of
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_rows import (
    CARBON_MID,
    allocated_amounts,
    amounts,
    amounts_alone,
    beside_fields,
    namer,
    ordered,
    with_other,
)
from rice_stream.reports.totals_sums import Asked, Found, groups_and_parts_once, with_nobodys
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot


def totals(engine: Engine, scope: Scope, query: TotalsQuery, now: datetime) -> dict[str, Any]:
    """The answer to the query as of `now`, largest carbon first.

    Returns:
        `{"window", "by", "rows", "rows_total", "total"}`: `rows` are one page, `rows_total` and `total` are over all of
        them; with buckets of time, in the order of these. Embodied carbon and water are no part of the carbon. With `top`,
        each row says whether it is of all others (`"other"`), whose names are None, and `names_total` how many names there
        are. With `allocate`, `allocated_gco2e` is what a row has once the shared ones are divided among the others (rows add up
        to the total, to the microgram), and `shared_gco2e` what of it it was given, or gave.

    Who sees some teams only is answered from what knows the attribution of every prompt: sums of what they were charged for.

    Raises:
        UsageError: bounds that contradict each other, or a stretch for which records are needed that are no longer kept.
    """
    fields, seen = query.fields, scope.within(query.tenant)
    with snapshot(engine, scope) as connection:
        asked, zone, ranges = asked_of(connection, seen, query, now)
        found = groups_and_parts_once(asked)
        carbon_ranges = CarbonRanges(connection, found.digests, found.digests)
        if query.ranges:
            found = with_nobodys(asked, found)
    kinds = KindsBehind(carbon_ranges.spreads)
    whole = [sum(column) for column in zip(*found.groups.values(), strict=True)] or [0] * len(MEASURES)
    names_total = {}
    if query.top is not None:
        found, names = with_other(found, fields, query.bucket, query.top)
        names_total["names_total"] = names
    groups = ordered(found, fields, query.bucket)
    shares = {} if query.allocate is None else allocated(found.groups, fields, query.allocate, query.shared)
    page = groups[query.offset : None if query.limit is None else query.offset + query.limit]
    total = _amounts(query, carbon_ranges, kinds, whole, found.whole_parts, found.whole_nobodys)
    return {
        "window": {"name": query.window, **described_window(zone, ranges)},
        **query.told,
        "by": list(fields),
        "rows": [*_rows(query, page, found, carbon_ranges, kinds, total, shares)],
        "rows_total": len(groups),
        **names_total,
        "total": {**total, **allocated_amounts(_together(shares))},
    }


def _together(shares: Mapping[Group, Allocated]) -> Allocated | None:
    return Allocated(*map(sum, zip(*shares.values(), strict=True))) if shares else None


def asked_of(
    connection: Connection, scope: Scope, query: TotalsQuery, now: datetime
) -> tuple[Asked, str | None, dict[str, tuple[int, int]]]:
    """What is added up for a query; the time zone of its days (None: each tenant's own); and by time zone from when to when."""
    ground = ground_once(connection, scope, by_day=query.calendar is not None)
    zone = report_zone(query.time_zone, scope, query.fields, query.report_time_zone)
    ranges = {own: query.range_us(zone or own, now) for own in ground.time_zones or ["UTC"]}
    spans = spans_of(ground, ranges, calendar=query.calendar, time_zone=zone)
    asked = Asked(
        connection, scope, query.fields, spans, ground, query.where, query.knowledge, query.ranges, query.measures
    )
    return asked, zone, ranges


def _rows(
    query: TotalsQuery,
    page: Sequence[Group],
    found: Found,
    carbon_ranges: CarbonRanges,
    kinds: KindsBehind,
    total: dict[str, Any],
    shares: Mapping[Group, Allocated],
) -> Iterator[dict[str, Any]]:
    named = namer(query.fields, tells_others=query.top is not None)
    for group in page:
        row, parts = named(group), found.parts.get(group, {})
        if len(found.groups) == 1 and parts == found.whole_parts:
            row |= total  # a report of one row: nothing is worked out twice
        elif query.ranges:
            nobodys = found.nobodys.get(group, {})
            row |= _amounts(query, carbon_ranges, kinds, found.groups[group], parts, nobodys)
        else:
            row |= amounts_alone(found.groups[group], query.only)
        if shares:
            row |= allocated_amounts(shares.get(group))
        yield row


def _amounts(
    query: TotalsQuery,
    carbon_ranges: CarbonRanges,
    kinds: KindsBehind,
    sums: list[int],
    parts: Parts,
    nobodys: Parts,
) -> dict[str, Any]:
    if not query.ranges:
        return amounts_alone(sums, query.only)
    row = amounts(sums, carbon_ranges.of(sums[CARBON_MID], parts), query.only)
    return {**row, **beside_fields(sums, kinds, parts, nobodys)} if query.only is None else row
