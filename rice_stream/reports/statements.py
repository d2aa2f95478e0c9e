"""A team's month, or a cost centre's: what it used, how that changed, what moved it, and how its budgets fared."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import func, select

from rice_stream.budgets.announcement import in_units
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.channels.months import Month
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import epoch_us, in_utc, rfc3339
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.tenants import named_tenant
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import schema
from rice_stream.store.budget_store import load_budgets
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

MOVERS = 3
"""Of each kind: the names whose carbon changed most."""
_Rows = dict[tuple[str | None, ...], dict[str, Any]]
_Movers = dict[str, list[dict[str, Any]]]
"""By team, or cost centre."""
Whose = Literal["team", "cost_centre"]
"""What a month is of."""
_NAMED = {"team": "team_id", "cost_centre": "cost_centre"}


def statement(
    engine: Engine, scope: Scope, tenant: str, name: str, month: str | None, now: datetime, *, by: Whose = "team"
) -> dict[str, Any]:
    """The month of one team or cost centre as of `now`: `2026-10`, or None for the last one that is over.

    Returns:
        One of `statements`.

    Raises:
        NotFoundError: there is no such tenant in the scope, or nothing was charged to that name in that month and the one before.
        UsageError: it is no month.
    """
    found = statements(engine, scope, tenant, month, now, only=name, by=by)
    if not found:
        raise NotFoundError(f"{by}: nothing was charged to {name!r} in that month or the one before")
    return found[0]


def statements(
    engine: Engine,
    scope: Scope,
    tenant: str,
    month: str | None,
    now: datetime,
    *,
    only: str | None = None,
    by: Whose = "team",
) -> list[dict[str, Any]]:
    """The months of all teams (or cost centres) of a tenant that used anything in it or the month before, by name; or of one.

    Months are those of the tenant's time zone.

    Returns:
        `[{"tenant_id", "team_id", "cost_centre" (one of them None), "month", "time_zone", "from", "to", "as_of", "is_over",
        "total", "before", "movers", "budgets"}]`: `total` and `before` (the month before) are amounts as in `totals`, None where
        there was nothing; `movers` has, of models, projects and users, the names whose carbon changed most (None: that is known
        from records only, and those are no longer kept): `[{"name", "gco2e", "before_gco2e", "change_gco2e"}]`; `budgets` are those
        of the team as they stood at the month's end, with how many alerts there were in it.

    The errors of `statement`, but for teams without anything.
    """
    place = named_tenant(engine, scope, tenant)["time_zone"]
    wanted = Month.last_before(now, place) if month is None else Month.of(month, place)
    where = ALL_NAMES if only is None else NameFilter.of({by: (only,)})

    rows = partial(_rows, engine, scope, tenant, wanted, where, now, by)
    totalled = rows()
    teams = sorted({name for _, name in totalled if name is not None})
    movers = _all_movers(rows, wanted, teams)
    budgets = _budgets(engine, scope.within(tenant), wanted, teams, now, by)
    common = {
        "month": wanted.name,
        "time_zone": place,
        "from": rfc3339(epoch_us(wanted.start)),
        "to": rfc3339(epoch_us(wanted.end)),
        "as_of": rfc3339(epoch_us(in_utc(now))),
        "is_over": wanted.end <= in_utc(now),
    }
    return [
        {
            "tenant_id": tenant,
            **{field: name if field == _NAMED[by] else None for field in _NAMED.values()},
            **common,
            "total": _amounts(totalled.get((wanted.name, name))),
            "before": _amounts(totalled.get((wanted.previous.name, name))),
            "movers": {field: None if moved is None else moved[name] for field, moved in movers.items()},
            "budgets": budgets[name],
        }
        for name in teams
    ]


def _rows(
    engine: Engine, scope: Scope, tenant: str, month: Month, where: NameFilter, now: datetime, whose: Whose, *by: str
) -> _Rows:
    """Totals of the month and the one before by month, team (or cost centre) and some other names."""
    query = TotalsQuery(
        tenant=tenant,
        by=(whose, *by),
        bucket="month",
        start=month.previous.first,
        end=month.end,
        time_zone=month.time_zone,
        where=where,
    )
    names = ("month", whose, *by)
    return {tuple(row[name] for name in names): row for row in totals(engine, scope, query, now)["rows"]}


def _amounts(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    names = ("month", *_NAMED, *_NAMED.values(), "unattributed")
    return None if row is None else {name: value for name, value in row.items() if name not in names}


def _all_movers(rows: Callable[..., _Rows], month: Month, teams: Sequence[str]) -> dict[str, _Movers | None]:
    movers: dict[str, _Movers | None] = {field: _movers(rows(field), month, teams) for field in ("model", "project")}
    try:
        return {**movers, "user": _movers(rows("user"), month, teams)}
    except UsageError:
        # Users are known from the records only; without all of these a change would be made up.
        return {**movers, "user": None}


def _movers(found: _Rows, month: Month, teams: Iterable[str]) -> _Movers:
    names: dict[str, set[str | None]] = {team: set() for team in teams}
    for _, team, name in found:
        if team is not None:
            names[team].add(name)

    def grams(of: Month, team: str, name: str | None) -> float:
        row = found.get((of.name, team, name))
        return 0.0 if row is None else float(row["carbon_gco2e"]["mid"])

    moved: _Movers = {}
    for team, listed in names.items():
        changes = [(name, grams(month, team, name), grams(month.previous, team, name)) for name in listed]
        changes.sort(key=lambda each: (-abs(each[1] - each[2]), each[0] is None, each[0] or ""))
        moved[team] = [
            {"name": name, "gco2e": now, "before_gco2e": before, "change_gco2e": now - before}
            for name, now, before in changes[:MOVERS]
            if now != before
        ]
    return moved


def _budgets(
    engine: Engine, scope: Scope, month: Month, teams: Collection[str], now: datetime, by: Whose
) -> dict[str, list[dict[str, Any]]]:
    """Those on each team or cost centre, as of the month's end or, where it is not over, of now."""
    end = min(month.end, in_utc(now))
    found: dict[str, list[dict[str, Any]]] = {team: [] for team in teams}
    own = attrgetter(_NAMED[by])
    with scoped_reading(engine, scope) as connection:
        stored = [budget for budget, _ in load_budgets(connection, scope).readable if own(budget) in found]
        periods = [period_at(budget, end - timedelta(microseconds=1)) for budget in stored]
        asked = [(budget, _until(period, end)) for budget, period in zip(stored, periods, strict=True)]
        consumed = consumed_in_each(connection, asked, with_ranges=True)
        alerts = _alerts(connection, stored, month) if stored else {}
    for budget, period, amounts in zip(stored, periods, consumed, strict=True):
        besides = {"team_id", "project_id", "cost_centre", "user_id", "model"} - {_NAMED[by]}
        found[own(budget)].append(
            {
                "name": budget.name,
                "limit": in_units(budget, budget.limit),
                "unit": budget.unit,
                "period": budget.period,
                "period_start": rfc3339(epoch_us(period.start)),
                "consumed": in_units(budget, amounts.amount(budget)),
                "ratio": amounts.ratio(budget),
                "narrowed": any(getattr(budget, name) for name in besides),
                "alerts": alerts.get(budget.budget_id or 0, 0),
            }
        )
    return found


def _until(period: Period, end: datetime) -> Period:
    """The part of a period that lies before the month's end: a quarter goes on, and so does a week."""
    return period if period.end <= end or not period.calendar else Period(period.start, end, calendar=True)


def _alerts(connection: Connection, budgets: Sequence[Budget], month: Month) -> dict[int, int]:
    """How many thresholds were crossed in the month, by the ids of budgets."""
    alert = schema.alert.c
    within = alert.created_at_us >= epoch_us(month.start), alert.created_at_us < epoch_us(month.end)
    chosen = (
        alert.tenant_id == budgets[0].tenant_id,
        alert.budget_id.in_(sorted(each.budget_id or 0 for each in budgets)),
    )
    query = select(alert.budget_id, func.count()).where(*within, *chosen, alert.state != "resolved")
    return {row[0]: row[1] for row in connection.execute(query.group_by(alert.budget_id))}
