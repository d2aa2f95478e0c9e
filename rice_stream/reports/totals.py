"""Who used how much, over any stretch of time, exactly.

Totals are kept by the minute, the quarter hour and the day; a stretch that begins or ends in the middle of one is the whole
buckets inside plus the records at its two edges. What no total is kept for (users, basis) comes from the records alone.
Integers add up exactly, so a break-down sums to its total. The range around each sum is that of `carbon_ranges`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rice_stream.instants import SECOND_US, rfc3339
from rice_stream.meter.shared_ranges import SharedRange
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.carbon_ranges import CarbonRanges, carbon_fields
from rice_stream.reports.spans import day_text
from rice_stream.reports.sums import Group
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_sums import Asked, ground_of, groups_and_parts, impacts_of, spans_of
from rice_stream.reports.windows import bound_text
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

_VIEW_COLUMNS = {"tenant": "tenant_id", "team": "team_id", "project": "project_id", "user": "user_id"}
"""Identifiers are given under the name that the SQL views use as well."""
_CARBON_MID = MEASURES.index("carbon_mid_ugco2e")


def totals(engine: Engine, scope: Scope, query: TotalsQuery, now: datetime) -> dict[str, Any]:
    """The answer to the query as of `now`, largest carbon first.

    Returns:
        `{"window", "by", "rows", "rows_total", "total"}`: `rows` are one page, `rows_total` and `total` are over all of
        them. Embodied carbon and water (middle values, from the records) are no part of the carbon.

    Who sees some teams only is answered from what knows the attribution of every prompt: sums of what they were charged for.

    Raises:
        UsageError: bounds that contradict each other, or a stretch for which records are needed that are no longer kept.
    """
    fields, seen = query.fields, scope.within(query.tenant)
    by_day = "day" in fields
    with snapshot(engine, scope) as connection:
        ground = ground_of(connection, seen, by_day=by_day)
        ranges = {zone: query.range_us(zone, now) for zone in ground.time_zones or ["UTC"]}
        asked = Asked(connection, seen, fields, spans_of(ground, ranges, by_day=by_day), ground)
        groups, parts, whole_parts, digests = groups_and_parts(asked)
        impacts = impacts_of(asked) if query.impacts else None
        carbon_ranges = CarbonRanges(connection, digests, digests)
    ordered = sorted(groups.items(), key=lambda item: (-item[1][_CARBON_MID], _name_order(item[0])))
    page = ordered[query.offset : None if query.limit is None else query.offset + query.limit]
    whole = [sum(column) for column in zip(*groups.values(), strict=True)] or [0] * len(MEASURES)
    return {
        "window": _describe(query.window, ranges),
        "by": list(fields),
        "rows": [
            {
                **_named(fields, group),
                **_amounts(sums, carbon_ranges.of(sums[_CARBON_MID], parts[group])),
                **_impact_amounts(impacts, [group]),
            }
            for group, sums in page
        ],
        "rows_total": len(ordered),
        "total": {
            **_amounts(whole, carbon_ranges.of(whole[_CARBON_MID], whole_parts)),
            **_impact_amounts(impacts, impacts or ()),
        },
    }


def _describe(window: str | None, ranges: dict[str, tuple[int, int]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": window,
        "from": bound_text(min(from_us for from_us, _ in ranges.values())),
        "to": bound_text(max(to_us for _, to_us in ranges.values())),
    }
    if len(set(ranges.values())) > 1:
        described["time_zones"] = {
            zone: {"from": bound_text(from_us), "to": bound_text(to_us)} for zone, (from_us, to_us) in ranges.items()
        }
    return described


def _named(fields: tuple[str, ...], group: Group) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for field, value in zip(fields, group, strict=True):
        if field == "day":
            value = day_text(value)
        elif field == "hour":
            value = rfc3339(value * SECOND_US)
        named[field] = value
        if field in _VIEW_COLUMNS:
            named[_VIEW_COLUMNS[field]] = value
    return named


def _name_order(group: Group) -> tuple[tuple[bool, Any], ...]:
    return tuple((value is not None, value if value is not None else "") for value in group)


def _amounts(sums: list[int], carbon: SharedRange) -> dict[str, Any]:
    by_name = dict(zip(MEASURES, sums, strict=True))
    return {
        **{name: by_name[name] for name in MEASURES if name == "prompts" or name.endswith("_tokens")},
        "it_energy_wh": by_name["it_energy_uwh"] / MICRO,
        "facility_energy_wh": by_name["facility_energy_uwh"] / MICRO,
        **carbon_fields(carbon, by_name["carbon_low_ugco2e"], by_name["carbon_high_ugco2e"]),
    }


def _impact_amounts(impacts: dict[Group, list[int]] | None, groups: Iterable[Group]) -> dict[str, Any]:
    """Embodied carbon and water, null where no prompt's method gives them; `impact_prompts` says of how many they are.

    Nothing where impacts were not asked for.
    """
    if impacts is None:
        return {}
    listed = [impacts[group] for group in groups if group in impacts]
    prompts, embodied_ugco2e, water_ul = [sum(column) for column in zip(*listed, strict=True)] or (0, 0, 0)
    return {
        "impact_prompts": prompts,
        "embodied_gco2e": embodied_ugco2e / MICRO if prompts else None,
        "water_l": water_ul / MICRO if prompts else None,
    }
