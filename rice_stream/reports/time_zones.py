"""Whose days a report counts, and how its answer says so: one rule for every sum that days or months bound or break down."""

from collections.abc import Collection, Mapping
from typing import Any

from rice_stream.reports.windows import bound_text
from rice_stream.store.scope import Scope

REPORT_TIME_ZONE = "UTC"
"""That of sums over tenants, where neither the question nor the settings say another one."""


def report_zone(asked: str | None, seen: Scope, fields: Collection[str], over_tenants: str) -> str | None:
    """The one time zone whose days and months all count; None: those of each tenant's own.

    What was asked for wins. One tenant, and each of several where they have rows of their own, is counted in its own days. Where
    tenants are added up in a row there is one calendar for all of them: that of `over_tenants`.
    """
    if asked is not None:
        return asked
    is_one = seen.tenants is not None and len(seen.tenants) == 1
    return None if is_one or "tenant" in fields else over_tenants


def described_window(zone: str | None, ranges: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """`{"from", "to", "time_zone"}` of the ranges (epoch microseconds) by tenants' own zones; `zone` is that of all, or None.

    Where the days are those of several zones, `time_zone` is None, and `time_zones` has the stretch in each of them.
    """
    stretches = list(ranges.values())
    one = next(iter(ranges)) if len(ranges) == 1 else None
    described: dict[str, Any] = {
        "from": bound_text(min(from_us for from_us, _ in stretches)),
        "to": bound_text(max(to_us for _, to_us in stretches)),
        "time_zone": zone or one,
    }
    if described["time_zone"] is None:
        described["time_zones"] = {
            own: {"from": bound_text(from_us), "to": bound_text(to_us)} for own, (from_us, to_us) in ranges.items()
        }
    return described
