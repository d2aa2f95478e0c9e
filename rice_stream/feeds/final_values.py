"""What a live feed says in the end of hours that are over: rows of a factor set, by which provisional intensities are trued up."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.feeds.client import HttpClient, HttpLimits
from rice_stream.feeds.intensities import fetch
from rice_stream.feeds.sources import HOUR_US, LiveRecord, LiveSource
from rice_stream.instants import DAY_US, rfc3339

_AT_ONCE_US = 7 * DAY_US
"""No feed answers for much more at once."""
_DAYS_MAX = 400
_DECIMALS = 3


class FinalValues(NamedTuple):
    """Rows of a factor set of the kind `rci`: one for each region and stretch of hours without a gap."""

    rows: list[dict[str, Any]]
    hours: dict[str, int]
    """Hours with a final value, by region."""
    missing: dict[str, int]
    """Hours without one, by region: still estimated, of another scope, or unknown to the feed."""


def final_values(
    source: LiveSource,
    zones: Mapping[str, str],
    *,
    scope: str,
    start_us: int,
    end_us: int,
    limits: HttpLimits | None = None,
) -> FinalValues:
    """The final values of the whole hours from start to end (UTC microseconds) of the feed's `zones`, by region.

    UsageError: there is no whole hour between them, or more than 400 days. LiveFeedError: the feed does not answer.
    """
    first_us, last_us = -(-start_us // HOUR_US) * HOUR_US, end_us // HOUR_US * HOUR_US
    if not first_us < last_us <= first_us + _DAYS_MAX * DAY_US:
        raise UsageError(f"--from, --to: at least one whole hour and at most {_DAYS_MAX} days lie between them")
    records = asyncio.run(_all_fetched(source, sorted(set(zones.values())), first_us, last_us, limits))
    rows: list[dict[str, Any]] = []
    hours: dict[str, int] = {}
    for region, zone in sorted(zones.items()):
        values = final_hours(records[zone], scope, first_us, last_us)
        hours[region] = len(values)
        rows += _rows(region, scope, values)
    whole = (last_us - first_us) // HOUR_US
    return FinalValues(rows, hours, {region: whole - known for region, known in hours.items()})


async def _all_fetched(
    source: LiveSource, zones: Iterable[str], first_us: int, last_us: int, limits: HttpLimits | None
) -> dict[str, list[LiveRecord]]:
    found: dict[str, list[LiveRecord]] = {}
    async with HttpClient(limits) as http:
        for zone in zones:
            found[zone] = []
            for start_us in range(first_us, last_us, _AT_ONCE_US):
                found[zone] += await fetch(http, source, zone, start_us, min(start_us + _AT_ONCE_US, last_us))
    return found


def final_hours(records: Iterable[LiveRecord], scope: str, first_us: int, last_us: int) -> dict[int, float]:
    """The value of each hour (by its start) that averages of the scope cover wholly, none of them an estimate or a forecast; of
    shorter stretches it is their mean over the hour."""
    final = {
        (each.start_us, each.end_us): each.rci_gco2e_per_kwh
        for each in records
        if each.scope == scope and each.signal == "average" and each.kind == "actual" and not each.estimated
    }
    covered: dict[int, int] = {}
    weighted: dict[int, float] = {}
    for (start_us, end_us), value in sorted(final.items()):
        for hour_us in range(start_us // HOUR_US * HOUR_US, end_us, HOUR_US):
            part_us = min(end_us, hour_us + HOUR_US) - max(start_us, hour_us)
            covered[hour_us] = covered.get(hour_us, 0) + part_us
            weighted[hour_us] = weighted.get(hour_us, 0.0) + value * part_us
    return {
        hour_us: round(weighted[hour_us] / HOUR_US, _DECIMALS)
        for hour_us, part_us in sorted(covered.items())
        if part_us == HOUR_US and first_us <= hour_us < last_us
    }


def _rows(region: str, scope: str, values: Mapping[int, float]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    next_us = None
    for hour_us, value in values.items():
        if hour_us != next_us:
            head = {"region": region, "scope": scope, "unit": "gCO2e/kWh", "valid_from": rfc3339(hour_us)}
            rows.append({**head, "series": []})
        rows[-1]["series"].append(value)
        next_us = hour_us + HOUR_US
    return rows
