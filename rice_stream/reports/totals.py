"""`rice-stream totals`: who used how much, over any stretch of time, exactly.

Totals are kept by the minute, the quarter hour and the day; a stretch that begins or ends in the middle of one is the whole
buckets inside plus the records at its two edges. What no total is kept for (users, basis) comes from the records alone.
Integers add up exactly, so a break-down sums to its total.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from rice_stream.errors import UsageError
from rice_stream.instants import DAY_S, FOREVER_S, MINUTE_S, SECOND_US, SLOT_S, day_start, epoch_us, in_utc, rfc3339
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.spans import Span, calendar_spans, clip, day_text, hull, split_at_buckets
from rice_stream.reports.sums import (
    DAYS,
    FIELDS,
    MINUTES,
    RECORDS,
    SLOTS,
    TENANT_DAYS,
    Group,
    SummedTable,
    dimensions_of,
    grouped_sums,
    impact_sums,
)
from rice_stream.store.retention import records_from_us
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import WINDOWS_S

WINDOWS = (*WINDOWS_S, "mtd")

TimeBound = datetime | date | None
"""An instant, a local day of each tenant (its first instant), or no bound at all."""

_VIEW_COLUMNS = {"tenant": "tenant_id", "team": "team_id", "project": "project_id", "user": "user_id"}
"""Identifiers are given under the name that the SQL views use as well."""
_PROMPTS, _CARBON_MID = MEASURES.index("prompts"), MEASURES.index("carbon_mid_ugco2e")


def totals(
    engine: Engine,
    *,
    now: datetime,
    tenant: str | None = None,
    by: Sequence[str] = (),
    window: str | None = None,
    start: TimeBound = None,
    end: TimeBound = None,
    limit: int | None = None,
    offset: int = 0,
    impacts: bool = False,
) -> dict[str, Any]:
    """Sums from `start` up to (not including) `end`, or over a rolling window as of `now`, largest carbon first.

    `by` names fields of `FIELDS`, each possibly a comma list; by default `tenant`. Windows end with the running
    minute and begin on a whole minute, as in the view `rolling_totals`; days, and the month to date (`mtd`), are those
    of each tenant's own time zone. `limit` and `offset` page through the rows; `total` is always over all of them.
    `impacts` adds embodied carbon and water (middle values, from the records), which are no part of the carbon.

    Raises:
        UsageError: an unknown field or window, bounds that contradict each other, or a stretch for which records are
            needed that are no longer kept.
    """
    fields = parse_fields(by)
    _check(window, start, end)
    with snapshot(engine) as connection:
        zones = _time_zones(connection, tenant)
        ranges = {zone: _range(zone, now, window, start, end) for zone in zones or ["UTC"]}
        spans = _spans(connection, ranges, by_day="day" in fields)
        groups = _groups(connection, spans, fields, tenant)
        beside = _impacts(connection, spans, fields, tenant) if impacts else {}
    ordered = sorted(groups.items(), key=lambda item: (-item[1][_CARBON_MID], _name_order(item[0])))
    page = ordered[offset : None if limit is None else offset + limit]
    return {
        "window": _describe(window, ranges),
        "by": list(fields),
        "rows": [
            {**_named(fields, group), **_amounts(sums), **(_beside(beside.get(group)) if impacts else {})}
            for group, sums in page
        ],
        "rows_total": len(ordered),
        "total": {
            **_amounts(_added(groups.values())),
            **(_beside([sum(column) for column in zip(*beside.values(), strict=True)]) if impacts else {}),
        },
    }


def parse_fields(by: Sequence[str]) -> tuple[str, ...]:
    """`["team,model", "day"]` -> `("team", "model", "day")`. UsageError names the choices."""
    fields = tuple(dict.fromkeys(name.strip() for text_ in by for name in text_.split(",") if name.strip()))
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise UsageError(f"--by {', '.join(unknown)}: choose from {', '.join(FIELDS)}")
    return fields or ("tenant",)


def _check(window: str | None, start: TimeBound, end: TimeBound) -> None:
    if window is not None and window not in WINDOWS:
        raise UsageError(f"--window {window}: choose from {', '.join(WINDOWS)}")
    if window is not None and (start is not None or end is not None):
        raise UsageError("--window says it all: leave out --from and --to, or give them without --window")


# --- which stretch of time -------------------------------------------------------------------------------------------


def _time_zones(connection: Connection, tenant: str | None) -> list[str]:
    condition = "" if tenant is None else " WHERE tenant_id = :tenant"
    parameters = {} if tenant is None else {"tenant": tenant}
    found = connection.execute(text(f"SELECT DISTINCT time_zone FROM tenant{condition} ORDER BY time_zone"), parameters)
    return list(found.scalars())


def _range(zone: str, now: datetime, window: str | None, start: TimeBound, end: TimeBound) -> tuple[int, int]:
    """(from, to) in epoch microseconds for the tenants of a time zone."""
    if window is None:
        from_us = 0 if start is None else _instant_us(start, zone)
        to_us = FOREVER_S * SECOND_US if end is None else _instant_us(end, zone)
        if from_us >= to_us:
            raise UsageError(f"--from must lie before --to, which is not included; got {start} and {end}")
        return from_us, to_us
    now_s = epoch_us(in_utc(now)) // SECOND_US
    to_s = now_s - now_s % MINUTE_S + MINUTE_S
    if window == "mtd":
        place = ZoneInfo(zone)
        return epoch_us(day_start(now.astimezone(place).date().replace(day=1), place)), to_s * SECOND_US
    from_s = now_s - WINDOWS_S[window]
    return (from_s - from_s % MINUTE_S) * SECOND_US, to_s * SECOND_US


def _instant_us(bound: datetime | date, zone: str) -> int:
    if isinstance(bound, datetime):
        return epoch_us(in_utc(bound))
    return epoch_us(day_start(bound, ZoneInfo(zone)))


def _spans(connection: Connection, ranges: dict[str, tuple[int, int]], *, by_day: bool) -> list[Span]:
    if not by_day:
        return [Span(zone, from_us, to_us) for zone, (from_us, to_us) in ranges.items()]
    # A calendar has to end somewhere: where the data do (on whole slots, so that it makes no edges of its own).
    first_s, last_s = connection.execute(
        text("SELECT COALESCE(MIN(minute_start_s), 0), COALESCE(MAX(minute_start_s), 0) FROM minute_total")
    ).one()
    low_us, high_us = (first_s - first_s % SLOT_S) * SECOND_US, (last_s - last_s % SLOT_S + SLOT_S) * SECOND_US
    spans: list[Span] = []
    for zone, (from_us, to_us) in ranges.items():
        spans += calendar_spans(zone, max(from_us, low_us), min(to_us, high_us))
    return spans


# --- sums ------------------------------------------------------------------------------------------------------------


def _groups(
    connection: Connection, spans: list[Span], fields: tuple[str, ...], tenant: str | None
) -> dict[Group, list[int]]:
    """Sums by group from the coarsest table that knows all the fields."""
    groups: dict[Group, list[int]] = {}
    left = spans
    for source in _sources(fields, spans):
        split = split_at_buckets(left, source.bucket_s or MINUTE_S)
        _add(groups, grouped_sums(connection, source, split.whole, fields, tenant))
        left = split.edges
    _add(groups, _from_records(connection, left, fields, tenant))
    return {group: sums for group, sums in groups.items() if sums[_PROMPTS]}


def _sources(fields: tuple[str, ...], spans: list[Span]) -> list[SummedTable]:
    """Tables that know all the fields, coarsest first: each leaves to the next what lies in no whole bucket of its own."""
    dimensions = dimensions_of(fields)
    if not dimensions <= SLOTS.dimensions:
        # Users, say: totals of all of them would be as many as there are records.
        return []
    days, finer = (DAYS, SLOTS) if dimensions else (TENANT_DAYS, MINUTES)
    # A UTC day holds several hours, and parts of two days of another time zone.
    one_day = "day" not in fields or all(span.origin_s % DAY_S == 0 for span in spans)
    return [days, finer] if one_day and "hour" not in fields else [finer]


def _from_records(
    connection: Connection, spans: list[Span], fields: tuple[str, ...], tenant: str | None
) -> dict[Group, list[int]]:
    if spans:
        _require_records(connection, spans, tenant)
    return grouped_sums(connection, RECORDS, spans, fields, tenant)


def _impacts(
    connection: Connection, spans: list[Span], fields: tuple[str, ...], tenant: str | None
) -> dict[Group, list[int]]:
    if spans:
        _require_records(connection, spans, tenant)
    return impact_sums(connection, spans, fields, tenant)


def _require_records(connection: Connection, spans: list[Span], tenant: str | None) -> None:
    """UsageError where records of the stretch have been dropped: the answer would be too small without a word."""
    horizon_us = records_from_us(connection)
    dropped = [clipped for span in spans if (clipped := clip(span, span.from_us, horizon_us))]
    counted = grouped_sums(connection, MINUTES, hull(dropped, MINUTE_S), ("tenant",), tenant)
    prompts = sum(sums[_PROMPTS] for sums in counted.values())
    if prompts:
        raise UsageError(
            f"this needs the records themselves, and those of {prompts} prompts before {rfc3339(horizon_us)} are no longer"
            f" kept (RICE_RETENTION_DAYS): use --from {rfc3339(horizon_us)} or later; or leave out user and basis, and let"
            " --from and --to lie on quarter hours"
        )


def _add(groups: dict[Group, list[int]], more: dict[Group, list[int]]) -> None:
    for group, sums in more.items():
        before = groups.get(group)
        groups[group] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]


def _added(rows: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)] or [0] * len(MEASURES)


# --- the answer ------------------------------------------------------------------------------------------------------


def _describe(window: str | None, ranges: dict[str, tuple[int, int]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": window,
        "from": _or_none(min(from_us for from_us, _ in ranges.values())),
        "to": _or_none(max(to_us for _, to_us in ranges.values())),
    }
    if len(set(ranges.values())) > 1:
        described["time_zones"] = {
            zone: {"from": _or_none(from_us), "to": _or_none(to_us)} for zone, (from_us, to_us) in ranges.items()
        }
    return described


def _or_none(bound_us: int) -> str | None:
    return None if bound_us in (0, FOREVER_S * SECOND_US) else rfc3339(bound_us)


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


def _amounts(sums: list[int]) -> dict[str, Any]:
    by_name = dict(zip(MEASURES, sums, strict=True))
    return {
        **{name: by_name[name] for name in MEASURES if name == "prompts" or name.endswith("_tokens")},
        "it_energy_wh": by_name["it_energy_uwh"] / MICRO,
        "facility_energy_wh": by_name["facility_energy_uwh"] / MICRO,
        "carbon_gco2e": {end: by_name[f"carbon_{end}_ugco2e"] / MICRO for end in ("low", "mid", "high")},
    }


def _beside(sums: Sequence[int] | None) -> dict[str, Any]:
    """Embodied carbon and water, null where no prompt's method gives them; `impact_prompts` says of how many they are."""
    prompts, embodied_ugco2e, water_ul = sums or (0, 0, 0)
    return {
        "impact_prompts": prompts,
        "embodied_gco2e": embodied_ugco2e / MICRO if prompts else None,
        "water_l": water_ul / MICRO if prompts else None,
    }
