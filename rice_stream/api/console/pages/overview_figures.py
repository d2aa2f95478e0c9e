"""What the overview shows: answers of the API's own functions about this month, today, the last week, budgets and the data."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rice_stream.api.access.callers import Caller
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.nothing import kind_of_nothing
from rice_stream.api.console.pages.overview_asking import NOTHING, Asker, By, Compared, Row
from rice_stream.api.console.pages.overview_chart import month_chart
from rice_stream.api.console.pages.overview_times import WEEK, Between, Times, times_at, week_of
from rice_stream.api.console.pages.overview_week import week_figures
from rice_stream.api.product import Product
from rice_stream.instants import day_start, parse_instant
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.budgets import budget_statuses_later
from rice_stream.reports.data_tiers import data_tiers_later
from rice_stream.reports.earlier_prompts import any_before_later
from rice_stream.reports.quarantine import quarantined
from rice_stream.store.engine import Engine
from rice_stream.store.quarantine import Choice

_ALERTS_LOOKED_AT = 50
_MANY = 20
"""Tenants past which the teams of all of them are too many to be asked about at once."""


Part = Literal["whole", "rest", "week"]
"""All of the page, all but its last seven days, or these alone."""


def overview_figures(
    product: Product, caller: Caller, asked: PageParameters, by: By | None, around: Around, part: Part = "whole"
) -> Figures:
    """The page or a part of it, for a thread of its own. RiceError: as from the reports."""
    zones = {row["tenant_id"]: row["time_zone"] for row in around.tenants()}
    ask = Asker(product, caller, asked, zones)
    engine, now = product.engine_for(ask.scope), product.now()
    names = list(zones)
    several = asked.tenant is None and len(names) > 1
    if part == "week":
        return _week_alone(ask, engine, asked, by, names, now, several=several)
    budgets = budget_statuses_later(engine, ask.scope, now, tenant=asked.tenant)
    times = times_at(now, ZoneInfo(ask.zone))
    if not several:
        _look_ahead(ask, times, None if part == "rest" else week_of(now))
    earlier = any_before_later(engine, ask.scope, times.month_before_days.start)
    weeks = [(now.date() - WEEK, now.date()), (now.date() - 2 * WEEK, now.date() - WEEK)]
    tiers_of_weeks = data_tiers_later(engine, ask.scope, weeks)
    month = ask.totals(window="mtd", bucket="day")
    meta = month["meta"]
    common = {"asked": asked, "tenants": names, "several": several, "meta": meta, "zone": ask.zone}
    if meta["watermark"] is None:
        return {**common, "empty": True, "nothing": kind_of_nothing(around.scope, None, None)}
    before = ask.during(times.month_before_days, bucket="day")
    reaches_back = earlier()
    begins = _begins(times, [*before["rows"], *month["rows"]], meta["watermark"], reaches_back=reaches_back)
    # In the order in which answers come: what takes PostgreSQL longest is last.
    shown = {
        **common,
        "empty": False,
        "later": part == "rest",
        "times": times,
        "begins": begins,
        "today": Compared(
            _of_day(month["rows"], times.today),
            _if_reaches(
                begins, times.today - WEEK, lambda: ask.during(times.today_before, top=1)["total"]["carbon_gco2e"]
            ),
        ),
        "month": Compared(
            month["total"]["carbon_gco2e"],
            _if_reaches(
                begins, times.month_before, lambda: ask.during(times.month_before_same, top=1)["total"]["carbon_gco2e"]
            ),
        ),
        "market_gco2e": month["total"]["carbon_market_gco2e"],
        "age": now - max(parse_instant(meta["watermark"]), parse_instant(meta["committed_at"] or meta["watermark"])),
        "chart": month_chart(times, begins, month["rows"], before["rows"]),
    }
    if part == "whole":
        shown |= _week(ask, by, names, several=several, reaches=begins <= times.today - 2 * WEEK)
    tiers, tiers_before = tiers_of_weeks()
    return {
        **shown,
        "budgets": _budgets(product, ask, asked.tenant, budgets()),
        "tiers": tiers,
        "tiers_before": tiers_before,
        "refused": quarantined(engine, ask.scope, Choice(), limit=0)["total"] if ask.scope.is_everything else None,
    }


def _week(ask: Asker, by: By | None, names: Sequence[str], *, several: bool, reaches: bool) -> Figures:
    many = several and len(names) > _MANY
    return week_figures(ask, by or ("tenant" if several else "team"), several=several, many=many, reaches=reaches)


def _week_alone(
    ask: Asker,
    engine: Engine,
    asked: PageParameters,
    by: By | None,
    names: Sequence[str],
    now: datetime,
    *,
    several: bool,
) -> Figures:
    times, place = times_at(now, ZoneInfo(ask.zone)), ZoneInfo(ask.zone)
    before_both = day_start(times.today - 2 * WEEK + timedelta(days=1), place)
    reaches = any_before_later(engine, ask.scope, before_both)
    if not several:
        ask.look_ahead(*_of_weeks(week_of(now)))
    found = _week(ask, by, names, several=several, reaches=reaches())
    meta = found["week"]["meta"]
    common = {"asked": asked, "several": several, "meta": meta, "zone": ask.zone}
    return {**common, **found, "empty": meta["watermark"] is None}


def _look_ahead(ask: Asker, times: Times, week: Between | None) -> None:
    """Most of what is asked about one tenant, in as few statements as there are break-downs."""
    days = times.month_before_days
    alone = (times.today_before, times.month_before_same)
    ask.look_ahead(
        {"window": "mtd", "bucket": "day"},
        {"start": days.start, "end": days.end, "bucket": "day"},
        *({"start": each.start, "end": each.end} for each in alone),
        *([] if week is None else _of_weeks(week)),
    )


def _of_weeks(week: Between) -> list[dict[str, Any]]:
    """The last seven days by team, and the seven before."""
    return [{"start": week.start - back, "end": week.end - back, "by": ["team"]} for back in (timedelta(), WEEK)]


def _begins(times: Times, rows: Sequence[Row], watermark: str, *, reaches_back: bool) -> date:
    """The first day of the ledger, or the first of last month where it reaches back further."""
    first = min((date.fromisoformat(row["day"]) for row in rows), default=parse_instant(watermark).date())
    return times.month_before if reaches_back or first <= times.month_before else first


def _if_reaches(begins: date, day: date, look: Any) -> Any:
    return look() if begins <= day else None


def _of_day(rows: Sequence[Row], day: date) -> Mapping[str, float]:
    return next((row["carbon_gco2e"] for row in rows if row["day"] == day.isoformat()), NOTHING)


def _budgets(product: Product, ask: Asker, tenant: str | None, statuses: list[Row]) -> Figures:
    """How many are near or past their limit, the one that is nearest to it, and since when each of those is so."""
    engine = product.engine_for(ask.scope)
    judged = sorted((row for row in statuses if "ratio" in row), key=lambda row: -row["ratio"])
    opened = [row for row in judged if row["state"] in ("warning", "exceeded")]
    alerts = latest_alerts(engine, ask.scope, tenant=tenant, limit=_ALERTS_LOOKED_AT) if opened else []
    return {
        "count": len(statuses),
        "unreadable": len(statuses) - len(judged),
        "nearest": judged[0] if judged else None,
        "states": {state: sum(row["state"] == state for row in judged) for state in ("warning", "exceeded")},
        "opened": [(row, next(_times(alerts, row), None)) for row in opened],
    }


def _times(alerts: Sequence[Row], budget: Row) -> Iterator[datetime]:
    for alert in alerts:
        if (alert["tenant_id"], alert["budget"]) == (budget["tenant_id"], budget["name"]):
            yield parse_instant(alert["time"])
