"""Who used how much, over any stretch of time, exactly.

Totals are kept by the minute, the quarter hour and the day; a stretch that begins or ends in the middle of one is the whole
buckets inside plus the records at its two edges. What no total is kept for (users, basis) comes from the records alone.
Integers add up exactly, so a break-down sums to its total. The range around each sum is that of `carbon_ranges`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_S, MINUTE_S, SECOND_US, SLOT_S, rfc3339
from rice_stream.meter.shared_ranges import SharedRange
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.carbon_ranges import CarbonRanges, Parts, added_parts, carbon_fields, parts_of
from rice_stream.reports.spans import Span, Split, calendar_spans, clip, cut_at, day_text, hull, split_at_buckets
from rice_stream.reports.sums import (
    DAYS,
    FACTOR,
    MINUTES,
    RECORDS,
    SLOTS,
    TENANT_DAYS,
    Group,
    SummedTable,
    dimensions_within,
    grouped_sums,
    impact_sums,
)
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.windows import bound_text
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.factor_spreads import ENDS
from rice_stream.store.horizon import minutes_from_us, records_from_us
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters, tenant_key_in
from rice_stream.store.snapshot import snapshot

_VIEW_COLUMNS = {"tenant": "tenant_id", "team": "team_id", "project": "project_id", "user": "user_id"}
"""Identifiers are given under the name that the SQL views use as well."""
_WHOLE: Group = (FACTOR,)
"""In the place of a group: all of them."""
_PROMPTS, _CARBON_MID = MEASURES.index("prompts"), MEASURES.index("carbon_mid_ugco2e")


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
    with snapshot(engine, scope) as connection:
        zones = _time_zones(connection, seen)
        ranges = {zone: query.range_us(zone, now) for zone in zones or ["UTC"]}
        spans = _spans(connection, seen, ranges, by_day="day" in fields)
        groups, parts = _groups_and_parts(connection, seen, spans, fields)
        impacts = _impacts(connection, seen, spans, fields) if query.impacts else None
        carbon_ranges = CarbonRanges(connection, {key for each in parts.values() for key in each})
    ordered = sorted(groups.items(), key=lambda item: (-item[1][_CARBON_MID], _name_order(item[0])))
    page = ordered[query.offset : None if query.limit is None else query.offset + query.limit]
    whole = _added(groups.values())
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
            **_amounts(whole, carbon_ranges.of(whole[_CARBON_MID], parts[_WHOLE])),
            **_impact_amounts(impacts, impacts or ()),
        },
    }


# --- which stretch of time -------------------------------------------------------------------------------------------


def _time_zones(connection: Connection, scope: Scope) -> list[str]:
    statement = f"SELECT DISTINCT t.time_zone FROM tenant t WHERE {has_any_of(scope)} ORDER BY t.time_zone"
    return list(connection.execute(text(statement), scope_parameters(scope)).scalars())


def _spans(connection: Connection, scope: Scope, ranges: dict[str, tuple[int, int]], *, by_day: bool) -> list[Span]:
    if not by_day:
        return [Span(zone, from_us, to_us) for zone, (from_us, to_us) in ranges.items()]
    # A calendar has to end somewhere: where the data do (on whole slots, so that it makes no edges of its own).
    source = SLOTS if scope.teams else MINUTES
    statement = (
        f"SELECT COALESCE(MIN({source.position}), 0), COALESCE(MAX({source.position}), 0) FROM {source.table} m"
        f" WHERE {tenant_key_in(scope, 'm.tenant_key')}"
    )
    first_s, last_s = connection.execute(text(statement), scope_parameters(scope)).one()
    low_us, high_us = (first_s - first_s % SLOT_S) * SECOND_US, (last_s - last_s % SLOT_S + SLOT_S) * SECOND_US
    spans: list[Span] = []
    for zone, (from_us, to_us) in ranges.items():
        spans += calendar_spans(zone, max(from_us, low_us), min(to_us, high_us))
    return spans


# --- sums ------------------------------------------------------------------------------------------------------------


def _groups_and_parts(
    connection: Connection, scope: Scope, spans: list[Span], fields: tuple[str, ...]
) -> tuple[dict[Group, list[int]], dict[Group, Parts]]:
    """The exact sums by group, and what the range of each is made of; under _WHOLE those of all of them together.

    Totals know the factors by the quarter hour: of a stretch that cuts one, the shares are those of the whole quarters.
    """
    quarters = hull(spans, SLOT_S)
    by_factor = (*fields, FACTOR)
    dimensions = dimensions_within(scope, fields)
    if not dimensions <= SLOTS.dimensions:
        sums = _groups(connection, scope, spans, by_factor)
        parts = parts_of(sums)
        parts[_WHOLE] = parts_of(_groups(connection, scope, quarters, (FACTOR,), ENDS), ENDS).get((), {})
        return _without_factors(sums), parts
    if dimensions and quarters == sorted(spans):
        sums = _groups(connection, scope, quarters, by_factor)
        groups, parts = _without_factors(sums), parts_of(sums)
    else:
        groups = _groups(connection, scope, spans, fields)
        parts = parts_of(_groups(connection, scope, quarters, by_factor, ENDS), ENDS)
    parts[_WHOLE] = added_parts(parts.values())
    return groups, parts


def _without_factors(sums: dict[Group, list[int]]) -> dict[Group, list[int]]:
    groups: dict[Group, list[int]] = {}
    for group, each in sums.items():
        _add(groups, {group[:-1]: each})
    return groups


def _groups(
    connection: Connection,
    scope: Scope,
    spans: list[Span],
    fields: tuple[str, ...],
    measures: Sequence[str] = MEASURES,
) -> dict[Group, list[int]]:
    """Sums by group from the coarsest table that knows all the fields. The first of the measures is `prompts`."""
    groups: dict[Group, list[int]] = {}
    left = spans
    for source in _sources(scope, fields, spans):
        old = Split([], [])
        if source is MINUTES:
            # Old minutes are quarter hours by now.
            older, left = cut_at(left, minutes_from_us(connection))
            old = split_at_buckets(older, SLOT_S)
            _add(groups, grouped_sums(connection, scope, SLOTS, old.whole, fields, measures))
        split = split_at_buckets(left, source.bucket_s or MINUTE_S)
        _add(groups, grouped_sums(connection, scope, source, split.whole, fields, measures))
        left = old.edges + split.edges
    _add(groups, _from_records(connection, scope, left, fields, measures))
    return {group: sums for group, sums in groups.items() if sums[_PROMPTS]}


def _sources(scope: Scope, fields: tuple[str, ...], spans: list[Span]) -> list[SummedTable]:
    """Tables that know all the fields, coarsest first: each leaves to the next what lies in no whole bucket of its own."""
    dimensions = dimensions_within(scope, fields)
    if not dimensions <= SLOTS.dimensions:
        # Users, say: totals of all of them would be as many as there are records.
        return []
    days, finer = (DAYS, SLOTS) if dimensions else (TENANT_DAYS, MINUTES)
    # A UTC day holds several hours, and parts of two days of another time zone.
    one_day = "day" not in fields or all(span.origin_s % DAY_S == 0 for span in spans)
    return [days, finer] if one_day and "hour" not in fields else [finer]


def _from_records(
    connection: Connection, scope: Scope, spans: list[Span], fields: tuple[str, ...], measures: Sequence[str]
) -> dict[Group, list[int]]:
    if spans:
        _require_records(connection, scope, spans)
    return grouped_sums(connection, scope, RECORDS, spans, fields, measures)


def _impacts(
    connection: Connection, scope: Scope, spans: list[Span], fields: tuple[str, ...]
) -> dict[Group, list[int]]:
    if spans:
        _require_records(connection, scope, spans)
    return impact_sums(connection, scope, spans, fields)


def _require_records(connection: Connection, scope: Scope, spans: list[Span]) -> None:
    """UsageError where records of the stretch have been dropped: the answer would be too small, and not say so."""
    horizon_us = records_from_us(connection)
    dropped = [clipped for span in spans if (clipped := clip(span, span.from_us, horizon_us))]
    source = SLOTS if scope.teams else MINUTES
    counted = grouped_sums(connection, scope, source, hull(dropped, SLOT_S), ("tenant",))
    prompts = sum(sums[_PROMPTS] for sums in counted.values())
    if prompts:
        raise UsageError(
            f"this needs the records themselves, and those of {prompts} prompts before {rfc3339(horizon_us)} are no longer"
            f" kept (RICE_RETENTION_DAYS): use --from {rfc3339(horizon_us)} or later; or leave out user and basis, and let"
            " --from and --to lie on quarter hours"
        )


def _add(groups: dict[Group, list[int]], added: dict[Group, list[int]]) -> None:
    for group, sums in added.items():
        before = groups.get(group)
        groups[group] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]


def _added(rows: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)] or [0] * len(MEASURES)


# --- the answer ------------------------------------------------------------------------------------------------------


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
