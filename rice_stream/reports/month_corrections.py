"""What was corrected, in a month, of months that were closed before: by day of the prompts and by names."""

from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.quantities import MEASURES
from rice_stream.reports.month_stretch import MonthStretch
from rice_stream.reports.spans import calendar_spans
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in

_NAMES = {
    "provider": "NULLIF(f.provider, '')",
    "model": "f.model",
    "region": "f.region",
    "cost_centre": "NULLIF(n.cost_centre, '')",
    "team": "NULLIF(n.team_id, '')",
    "project": "NULLIF(n.project_id, '')",
}
CORRECTED_BY = ("day", *_NAMES)
"""What corrections are told apart by, besides their cause; `day` counts from 1970-01-01, in the tenant's time zone."""


class MonthCorrection(NamedTuple):
    """What entries of one cause add to the prompts of a day with these names; `sums` of all MEASURES."""

    cause: str
    names: tuple[Any, ...]
    sums: dict[str, int]


def month_corrections(
    connection: Connection, scope: Scope, stretch: MonthStretch, as_of_us: int
) -> list[MonthCorrection]:
    """Entries that were recorded in the month and by the instant, for prompts of a month that was closed by then.

    What corrects a month that is still open belongs to that one. Who sees some teams only sees none: a closed month is the whole
    tenant's, and what these teams were charged for is told as it is known by now.
    """
    if scope.teams:
        return []
    reach = _closed_reach(connection, scope, stretch, as_of_us)
    if reach is None:
        return []
    spans = calendar_spans(stretch.month.time_zone, *reach)
    rows = ", ".join(f"({s.from_us}, {s.to_us}, {s.origin_s}, {s.first_day})" for s in spans)
    day = "d.first_day + (m.ended_at_us / 1000000 - d.origin_s) / 86400"
    names = ", ".join(_NAMES.values())
    statement = text(
        f"SELECT a.cause, {day} AS day, {names}, {', '.join(f'SUM(m.{name})' for name in MEASURES)}"
        f" FROM adjustment_entry m {_OF_CLOSED}"
        " JOIN adjustment a ON a.adjustment_key = m.adjustment_key"
        " JOIN factor_use f ON f.factor_key = m.factor_key"
        " JOIN attribution n ON n.tenant_key = m.tenant_key AND n.attribution_key = m.attribution_key"
        " JOIN (SELECT column1 AS from_us, column2 AS to_us, column3 AS origin_s, column4 AS first_day"
        f" FROM (VALUES {rows}) v) d ON m.ended_at_us >= d.from_us AND m.ended_at_us < d.to_us"
        f" WHERE {_conditions(scope)} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
    )
    found = connection.execute(statement, _parameters(scope, stretch, as_of_us))
    width = 2 + len(_NAMES)
    corrections = [
        MonthCorrection(row[0], tuple(row[1:width]), dict(zip(MEASURES, map(int, row[width:]), strict=True)))
        for row in found
    ]
    return sorted(
        (each for each in corrections if any(each.sums.values())),
        key=lambda each: (each.cause, *((name is not None, name or "") for name in each.names[1:]), each.names[0]),
    )


_OF_CLOSED = (
    "JOIN period p ON p.tenant_key = m.tenant_key AND m.ended_at_us >= p.low_us AND m.ended_at_us < p.high_us"
    " AND m.recorded_us > p.marked_us"
)


def _conditions(scope: Scope) -> str:
    return (
        "m.tenant_key = :tenant_key AND m.recorded_us >= :low_us AND m.recorded_us < :high_us AND m.recorded_us <= :as_of_us"
        f" AND {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
    )


def _parameters(scope: Scope, stretch: MonthStretch, as_of_us: int) -> dict[str, Any]:
    return {
        "tenant_key": stretch.tenant_key,
        "low_us": stretch.low_us,
        "high_us": stretch.high_us,
        "as_of_us": as_of_us,
        **scope_parameters(scope),
    }


def _closed_reach(connection: Connection, scope: Scope, stretch: MonthStretch, as_of_us: int) -> tuple[int, int] | None:
    """Between which instants the corrected prompts ended; None: nothing was corrected."""
    statement = text(
        f"SELECT MIN(m.ended_at_us), MAX(m.ended_at_us) FROM adjustment_entry m {_OF_CLOSED} WHERE {_conditions(scope)}"
    )
    first_us, last_us = connection.execute(statement, _parameters(scope, stretch, as_of_us)).one()
    return None if first_us is None else (first_us, last_us + 1)
