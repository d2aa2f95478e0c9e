"""What has to be known before totals are added up: time zones, how far back there are records, and the stretches that result."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import DAY_S, MINUTE_S, SECOND_US, SLOT_S
from rice_stream.reports.meta import watermark_question, watermark_statement
from rice_stream.reports.progress import MARKER, MARKER_QUESTION
from rice_stream.reports.spans import Span, calendar_spans, month_spans
from rice_stream.reports.sums import DAYS, TENANT_DAYS
from rice_stream.reports.windows import FOREVER_US
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import Statement, rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters
from rice_stream.store.scoped import find_later, found_once, is_held_open, keep_found

_CALENDARS = {"day": calendar_spans, "month": month_spans}
EVERY_ZONE = ""
"""In the place of a time zone: a stretch that is the same for all tenants, so that they need not be told apart."""


class Ground(NamedTuple):
    """What has to be known before it is known what to sum."""

    time_zones: list[str]
    tenant_key: int | None
    """Of the only tenant of the scope; None: it has several."""
    records_from_us: int
    """Records that ended before have been dropped."""
    minutes_from_us: int
    """Minutes before are quarter hours."""
    days_us: tuple[int, int]
    """Where the totals begin and end, on days of UTC; looked up only for a break-down by day."""
    has_entries: bool = True
    """Whether anything corrects records of these tenants."""
    has_late: bool = True
    """Whether any of them came into a month after it was closed."""
    has_unknown_tenant: bool = False
    """Whether prompts of no known tenant may be among them."""
    ends_us: int | None = None
    """No prompt ended then or later; None: that was not looked up."""


def ground_of(connection: Connection, scope: Scope, *, by_day: bool) -> Ground:
    """All of it, in one statement."""
    return _ground(rows_of(connection, _statement(scope, by_day=by_day), scope_parameters(scope)), scope)


def _statement(scope: Scope, *, by_day: bool, besides: str = "") -> Statement:
    """Rows of time zone, key of a tenant, both ends of retention and of the days, whether there are entries, and late ones, and
    whether a tenant is the unknown one; and what is asked `besides`."""
    ends = "NULL, NULL"
    if by_day:
        # A look at both ends of each tenant's index, and not at every row.
        of_tenant = "(SELECT {}(d.day_start_s) FROM {} d WHERE d.tenant_key = t.tenant_key)"
        table = DAYS.table if scope.teams else TENANT_DAYS.table
        ends = f"MIN({of_tenant.format('MIN', table)}), MAX({of_tenant.format('MAX', table)})"
    # Of most tenants nothing was ever corrected, and a statement that looks for it takes longer to plan.
    entries = ", ".join(
        "MAX(CASE WHEN EXISTS (SELECT 1 FROM adjustment_entry e WHERE e.tenant_key = t.tenant_key"
        f"{also}) THEN 1 ELSE 0 END)"
        for also in ("", " AND e.counted = 0")
    )
    return statement(
        "SELECT t.time_zone, MIN(t.tenant_key), (SELECT MAX(r.records_from_us) FROM retention r),"
        f" (SELECT MAX(r.minutes_from_us) FROM retention r), {ends}, {entries},"
        f" MAX(CASE WHEN t.tenant_id = '{UNKNOWN_TENANT}' THEN 1 ELSE 0 END){besides} FROM tenant t"
        f" WHERE {has_any_of(scope)} GROUP BY t.time_zone ORDER BY t.time_zone"
    )


def _ground(rows: Sequence[Sequence[Any]], scope: Scope, latest_s: int | None = None) -> Ground:
    """From rows of that statement. `latest_s`: the latest bucket with prompts (`meta.watermark_s`), where it is known."""
    if not rows:
        return Ground([], None, 0, 0, (0, 0))
    first_s = min((row[4] for row in rows if row[4] is not None), default=0)
    last_s = max((row[5] for row in rows if row[5] is not None), default=0)
    return Ground(
        time_zones=[row[0] for row in rows],
        tenant_key=rows[0][1] if scope.tenants is not None and len(scope.tenants) == 1 else None,
        records_from_us=rows[0][2] or 0,
        minutes_from_us=rows[0][3] or 0,
        days_us=(first_s * SECOND_US, (last_s + DAY_S) * SECOND_US),
        has_entries=any(row[6] for row in rows),
        has_late=any(row[7] for row in rows),
        has_unknown_tenant=any(row[8] for row in rows),
        ends_us=None if latest_s is None else _end_us(latest_s, scope, rows[0][3] or 0),
    )


def _end_us(latest_s: int, scope: Scope, minutes_from_us: int) -> int:
    """The end of that bucket: a quarter hour for who sees some teams only, and of old ones, else a minute."""
    is_minute = not scope.teams and latest_s * SECOND_US >= minutes_from_us
    return (latest_s + (MINUTE_S if is_minute else SLOT_S)) * SECOND_US


def ground_once(connection: Connection, scope: Scope, *, by_day: bool) -> Ground:
    """The same, looked up once for all questions of one moment."""
    if is_held_open(connection):
        return found_once(connection, ("ground", scope), partial(_ground_with_reach, connection, scope))
    return ground_of(connection, scope, by_day=by_day)


def ground_later(connection: Connection, scope: Scope) -> None:
    """Ask for it ahead of the questions of a moment that need it; of a scope of one tenant at most, with the moment's marker and
    how far its data reach, in one statement. Of nobody there is no marker: whatever is told of them is looked up again."""
    rows = cache(rows_later(connection, _statement_with_reach(connection, scope), scope_parameters(scope)))
    latest = cache(lambda: rows()[0][-1] if rows() else None)
    find_later(connection, ("ground", scope), lambda: _ground(rows(), scope, latest()))
    find_later(connection, MARKER_QUESTION, lambda: rows()[0][-2] if rows() else None)
    find_later(connection, watermark_question(scope), latest)


def _ground_with_reach(connection: Connection, scope: Scope) -> Ground:
    """The same. Of one tenant with what `meta` tells of the same moment, so that this needs no statement of its own."""
    is_one = scope.tenants is not None and len(scope.tenants) == 1
    if not is_one:
        return ground_of(connection, scope, by_day=True)
    rows = rows_of(connection, _statement_with_reach(connection, scope), scope_parameters(scope))
    if not rows:
        return _ground(rows, scope)
    marker, latest_s = rows[0][-2:]
    keep_found(connection, MARKER_QUESTION, marker)
    keep_found(connection, watermark_question(scope), latest_s)
    return _ground(rows, scope, latest_s)


def _statement_with_reach(connection: Connection, scope: Scope) -> Statement:
    """With the marker, and how far the data reach, at the end of each row."""
    besides = f", {MARKER[connection.dialect.name]}, ({watermark_statement(scope)})"
    return _statement(scope, by_day=True, besides=besides)


def spans_of(
    ground: Ground,
    ranges: dict[str, tuple[int, int]],
    *,
    calendar: str | None = None,
    time_zone: str | None = None,
) -> list[Span]:
    """The stretches of the tenants of each time zone, from its range in epoch microseconds; none where there is no tenant.

    With a `calendar` ("day" or "month") they are cut by that of `time_zone`, of each tenant's own where it is None. One stretch
    that is the same for all is one of EVERY_ZONE. One that ends where there are no more prompts goes on for ever: it has no edge
    there, for which quarter hours, minutes and records would be looked through.
    """
    ends_us = ground.ends_us
    if ends_us is not None:
        ranges = {
            zone: (low_us, FOREVER_US if high_us >= ends_us else high_us) for zone, (low_us, high_us) in ranges.items()
        }
    if calendar is None:
        if ground.time_zones and len(set(ranges.values())) == 1:
            return [Span(EVERY_ZONE, *ranges[ground.time_zones[0]])]
        return [Span(zone, *ranges[zone]) for zone in ground.time_zones]
    # A calendar has to end somewhere: where the data do (on whole days of UTC, so that it makes no edges of its own).
    low_us, high_us = ground.days_us
    cut = _CALENDARS[calendar]
    spans: list[Span] = []
    for zone in ground.time_zones:
        from_us, to_us = ranges[zone]
        of_zone = cut(time_zone or zone, max(from_us, low_us), min(to_us, high_us))
        spans += [span._replace(time_zone=zone) for span in of_zone]
    return spans
