"""How well the carbon of a stretch is known: what of it each of five words stands for."""

from collections.abc import Iterable, Mapping
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.quantities import MICRO
from rice_stream.reports.spans import day_text
from rice_stream.reports.sums import PART_MEASURES, Parts
from rice_stream.reports.tier_words import KNOWN_TIERS, MISSING, TIERS, tier_of
from rice_stream.reports.time_zones import report_zone
from rice_stream.reports.totals_ground import Ground, ground_once, spans_of
from rice_stream.reports.totals_sums import Asked, Found, groups_and_parts_once, several_later
from rice_stream.reports.windows import FOREVER_US
from rice_stream.store.engine import Connection
from rice_stream.store.factor_spreads import factor_spreads
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import find_later

DAYS_MAX = 366
"""Days that are told apart at most."""


def tier_fields(sums: Mapping[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """`[{"tier", "prompts", "carbon_gco2e", "share_of_carbon"}]` of all TIERS, from (prompts, micrograms) of those there are."""
    whole = sum(carbon for _, carbon in sums.values())
    return [
        {
            "tier": tier,
            "prompts": prompts,
            "carbon_gco2e": carbon / MICRO,
            "share_of_carbon": carbon / whole if whole else None,
        }
        for tier in TIERS
        for prompts, carbon in [sums.get(tier, (0, 0))]
    ]


def tiers(connection: Connection, scope: Scope, from_us: int) -> list[dict[str, Any]]:
    """Of all prompts that ended at or after an instant on a quarter hour: rows as of `tier_fields`."""
    found = _by_tier(connection, scope, from_us, None)
    return tier_fields(found.get((), {}))


def tiers_by_day(
    connection: Connection, scope: Scope, from_us: int, days: int | None, time_zone: str | None, over_tenants: str
) -> dict[str, Any]:
    """The same, and for each day from the instant on; whose days count is what `report_zone` says.

    Returns:
        `{"tiers": rows as of `tier_fields`, "time_zone", "days": [{"day", "prompts", "carbon_gco2e", "covered_share", "tiers"}]}`,
        only days with prompts.

    Raises:
        UsageError: more days than are told apart, or all time.
    """
    zone = _zone(connection, scope, days, time_zone, over_tenants)
    found = _by_tier(connection, scope, from_us, zone)
    return {
        "tiers": tier_fields(_added(found.values())),
        "time_zone": zone,
        "days": [
            {
                "day": day_text(group[0]),
                "prompts": sum(prompts for prompts, _ in sums.values()),
                "carbon_gco2e": sum(carbon for _, carbon in sums.values()) / MICRO,
                "covered_share": _covered_share(sums),
                "tiers": tier_fields(sums),
            }
            for group, sums in sorted(found.items())
        ],
    }


def look_ahead_by_day(
    connection: Connection, scope: Scope, from_us: int, days: int | None, time_zone: str | None, over_tenants: str
) -> None:
    """Ask for what `tiers_by_day` adds up, ahead of it. The same errors."""
    zone = _zone(connection, scope, days, time_zone, over_tenants)
    asked = _asked(connection, scope, from_us, zone)
    find_later(connection, asked.question, several_later([asked])[0])


def _zone(connection: Connection, scope: Scope, days: int | None, time_zone: str | None, over_tenants: str) -> str:
    if days is None or days > DAYS_MAX:
        raise UsageError(f"--bucket day: needs --days, {DAYS_MAX} at most")
    return report_zone(time_zone, scope, ("day",), over_tenants) or _own_zone(connection, scope)


def _added(several: Iterable[Mapping[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """All of several stretches; days begin on quarter hours, so that none of these is of two."""
    added: dict[str, tuple[int, int]] = {}
    for sums in several:
        for tier, (prompts, carbon) in sums.items():
            before = added.get(tier, (0, 0))
            added[tier] = before[0] + prompts, before[1] + carbon
    return added


def _covered_share(sums: Mapping[str, tuple[int, int]]) -> float | None:
    whole = sum(carbon for _, carbon in sums.values())
    return sum(carbon for tier, (_, carbon) in sums.items() if tier in KNOWN_TIERS) / whole if whole else None


def _own_zone(connection: Connection, scope: Scope) -> str:
    zones = ground_once(connection, scope, by_day=False).time_zones
    return zones[0] if zones else "UTC"


_Sums = dict[tuple[Any, ...], dict[str, tuple[int, int]]]


def _by_tier(connection: Connection, scope: Scope, from_us: int, zone: str | None) -> _Sums:
    """(prompts, micrograms) of each tier, by day of the zone; None: of all days under the empty group."""
    everybody = _found(connection, scope, from_us, zone)
    nobody: dict[tuple[Any, ...], Parts] = {}
    if scope.has_tenant(UNKNOWN_TENANT):
        nobody = _found(connection, scope.within(UNKNOWN_TENANT), from_us, zone).parts
    spreads = factor_spreads(connection, everybody.digests, everybody.digests)
    tier_by_key = {key: tier_of(spread.rests_on) for key, spread in spreads.items() if spread.rests_on is not None}
    sums: dict[tuple[Any, ...], dict[str, list[int]]] = {}
    for group, parts in everybody.parts.items():
        of_group = sums.setdefault(group, {})
        for key, (prompts, _, carbon, *_) in parts.items():
            if key not in tier_by_key:
                continue  # its factors are gone, and what it rests on with them
            whose, _, whose_carbon, *_ = nobody.get(group, {}).get(key, (0, 0, 0))
            for tier, count, amount in (
                (tier_by_key[key], prompts - whose, carbon - whose_carbon),
                (MISSING, whose, whose_carbon),
            ):
                both = of_group.setdefault(tier, [0, 0])
                both[0] += count
                both[1] += amount
    return {group: {tier: (both[0], both[1]) for tier, both in each.items()} for group, each in sums.items()}


def _found(connection: Connection, scope: Scope, from_us: int, zone: str | None) -> Found:
    return groups_and_parts_once(_asked(connection, scope, from_us, zone))


def _asked(connection: Connection, scope: Scope, from_us: int, zone: str | None) -> Asked:
    fields = () if zone is None else ("day",)
    ground = ground_once(connection, scope, by_day=zone is not None)
    ranges = dict.fromkeys(ground.time_zones or ["UTC"], (from_us, FOREVER_US))
    spans = spans_of(_from(ground, from_us), ranges, calendar=None if zone is None else "day", time_zone=zone)
    return Asked(connection, scope, fields, spans, ground, measures=PART_MEASURES)


def _from(ground: Ground, from_us: int) -> Ground:
    low_us, high_us = ground.days_us
    return ground._replace(days_us=(max(low_us, from_us), high_us))
