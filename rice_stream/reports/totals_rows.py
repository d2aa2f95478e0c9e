"""The rows of an answer about totals: what they are named by, and their amounts. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rice_stream.instants import SECOND_US, rfc3339
from rice_stream.meter.shared_ranges import SharedRange
from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.allocation import Allocated
from rice_stream.reports.carbon_ranges import added_parts, carbon_fields
from rice_stream.reports.kinds_behind import KindsBehind
from rice_stream.reports.spans import day_text, month_text
from rice_stream.reports.sums import Group, Parts
from rice_stream.reports.totals_query import Only
from rice_stream.reports.totals_sums import Found

UNATTRIBUTED_WITHOUT = ("team", "project", "cost_centre")
"""A row by any of these that lacks its name is of what is not attributed."""
OTHER = object()
"""In the place of each name of a group: everything beyond the largest."""
CARBON_MID = MEASURES.index("carbon_mid_ugco2e")
_CARBON_LOW, _CARBON_HIGH = MEASURES.index("carbon_low_ugco2e"), MEASURES.index("carbon_high_ugco2e")
_IT_ENERGY, _FACILITY_ENERGY = MEASURES.index("it_energy_uwh"), MEASURES.index("facility_energy_uwh")
_IMPACT_PROMPTS, _EMBODIED, _WATER, _CARBON_MARKET = range(MEASURES.index("impact_prompts"), len(MEASURES))
_UNKNOWN_ENDS = dict.fromkeys(("low", "mid", "high"))
_COUNTED = [(name, place) for place, name in enumerate(MEASURES) if name == "prompts" or name.endswith("_tokens")]
_TIMES: dict[str, Callable[[int], str]] = {
    "day": day_text,
    "month": month_text,
    "hour": lambda hour_s: rfc3339(hour_s * SECOND_US),
}
_VIEW_COLUMNS = {"tenant": "tenant_id", "team": "team_id", "project": "project_id", "user": "user_id"}
"""Identifiers are given under the name that the SQL views use as well."""


def bucket_text(bucket: str, value: Any) -> str:
    """What an answer calls a stretch of time."""
    return _TIMES[bucket](value)


def with_other(found: Found, fields: tuple[str, ...], bucket: str | None, top: int) -> tuple[Found, int]:
    """Only the `top` names with most carbon, and what all others add up to under OTHER; and how many names there are.

    In an answer by buckets of time the names are those with most carbon over all of them: the same ones in every bucket.
    """
    place = fields.index(bucket) if bucket is not None else None

    def names_of(group: Group) -> Group:
        return group if place is None else (*group[:place], *group[place + 1 :])

    carbon: dict[Group, int] = {}
    for group, sums in found.groups.items():
        carbon[names_of(group)] = carbon.get(names_of(group), 0) + sums[CARBON_MID]
    if len(carbon) <= top:
        return found, len(carbon)
    largest = set(sorted(carbon, key=lambda names: (-carbon[names], name_order(names)))[:top])

    def kept(group: Group) -> Group:
        if names_of(group) in largest:
            return group
        return tuple(value if position == place else OTHER for position, value in enumerate(group))

    def merged(parts: Mapping[Group, Parts]) -> dict[Group, Parts]:
        listed: dict[Group, list[Parts]] = {}
        for group, each in parts.items():
            listed.setdefault(kept(group), []).append(each)
        return {group: several[0] if len(several) == 1 else added_parts(several) for group, several in listed.items()}

    groups = _added((kept(group), sums) for group, sums in found.groups.items())
    return found._replace(groups=groups, parts=merged(found.parts), nobodys=merged(found.nobodys)), len(carbon)


def _added(rows: Iterable[tuple[Group, list[int]]]) -> dict[Group, list[int]]:
    added: dict[Group, list[int]] = {}
    for group, sums in rows:
        before = added.get(group)
        added[group] = sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]
    return added


def ordered(found: Found, fields: tuple[str, ...], bucket: str | None) -> list[Group]:
    """The groups with the largest carbon first, the others last; by buckets of time, in the order of these."""
    place = fields.index(bucket) if bucket is not None else None
    order: dict[Group, tuple[Any, ...]] = {
        group: (None if place is None else group[place], OTHER in group, -sums[CARBON_MID])
        for group, sums in found.groups.items()
    }
    if len(set(order.values())) < len(order):
        order = {group: (*key, name_order(group)) for group, key in order.items()}
    return sorted(found.groups, key=order.__getitem__)


def name_order(group: Group) -> tuple[tuple[bool, Any], ...]:
    """Names in alphabetical order, a missing one first."""
    return tuple((value is not None and value is not OTHER, "" if value in (None, OTHER) else value) for value in group)


def namer(fields: tuple[str, ...], *, tells_others: bool) -> Callable[[Group], dict[str, Any]]:
    """Tells what a row is of, and whether that is unattributed; `tells_others`: also whether it is all others, who have no name."""
    told = [(field, _TIMES.get(field), _VIEW_COLUMNS.get(field)) for field in fields]
    attributed_to = [name for name in fields if name in UNATTRIBUTED_WITHOUT]

    def named(group: Group) -> dict[str, Any]:
        row: dict[str, Any] = {}
        is_other = OTHER in group
        for (field, as_time, view_column), value in zip(told, group, strict=True):
            if value is OTHER:
                value = None
            elif as_time is not None:
                value = as_time(value)
            row[field] = value
            if view_column is not None:
                row[view_column] = value
        if attributed_to:
            row["unattributed"] = not is_other and any(row[name] is None for name in attributed_to)
        if tells_others:
            row["other"] = is_other
        return row

    return named


def amounts(sums: list[int], carbon: SharedRange, only: Only | None = None) -> dict[str, Any]:
    """Sums of all MEASURES, in the units of an answer; besides prompts and carbon those of `only` alone."""
    return {**_counts_and_energy(sums, only), **carbon_fields(carbon, sums[_CARBON_LOW], sums[_CARBON_HIGH])}


def amounts_alone(sums: list[int], only: Only | None = None) -> dict[str, Any]:
    """The same without ranges: of the carbon the middle alone."""
    return {**_counts_and_energy(sums, only), "carbon_gco2e": {"mid": sums[CARBON_MID] / MICRO}}


def _counts_and_energy(sums: list[int], only: Only | None) -> dict[str, Any]:
    counted = _COUNTED if only is None or "tokens" in only else _COUNTED[:1]
    row: dict[str, Any] = {name: sums[place] for name, place in counted}
    if only is None or "energy" in only:
        row["it_energy_wh"] = sums[_IT_ENERGY] / MICRO
        row["facility_energy_wh"] = sums[_FACILITY_ENERGY] / MICRO
    if only is not None and "market" in only:
        row["carbon_market_gco2e"] = sums[_CARBON_MARKET] / MICRO
    return row


def allocated_amounts(share: Allocated | None) -> dict[str, Any]:
    """Nothing where nothing is divided."""
    if share is None:
        return {}
    return {"allocated_gco2e": share.ugco2e / MICRO, "shared_gco2e": share.shared_ugco2e / MICRO}


def beside_fields(sums: list[int], kinds: KindsBehind, parts: Parts, nobodys: Parts) -> dict[str, Any]:
    """What is told beside the carbon and is no part of it, and how well it is known.

    Embodied carbon and water are null where no prompt's method gives them; `impact_prompts` says of how many they are.
    """
    prompts = sums[_IMPACT_PROMPTS]
    return {
        "carbon_market_gco2e": sums[_CARBON_MARKET] / MICRO,
        "impact_prompts": prompts,
        "embodied_gco2e": kinds.embodied(sums[_EMBODIED], parts) if prompts else _UNKNOWN_ENDS,
        "water_l": sums[_WATER] / MICRO if prompts else None,
        "data_tiers": kinds.tier_shares(parts, nobodys),
    }
