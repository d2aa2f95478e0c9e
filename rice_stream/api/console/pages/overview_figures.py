"""What the overview shows: answers of the API's own functions about this month, today, the last week, budgets and the data."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.overview_chart import month_chart
from rice_stream.api.console.pages.overview_times import Between, Times, times_at
from rice_stream.api.product import Product
from rice_stream.api.reads.totals import answer_totals
from rice_stream.instants import parse_instant
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.budgets import budget_statuses
from rice_stream.reports.data_tiers import data_tiers
from rice_stream.reports.quarantine import quarantined
from rice_stream.reports.tenants import tenants
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.quarantine import Choice

LARGEST = 5
_ALERTS_LOOKED_AT = 50
_WEEK = timedelta(days=7)
NOTHING = {"low": 0.0, "mid": 0.0, "high": 0.0}
Row = dict[str, Any]
By = Literal["tenant", "team"]


class Compared(NamedTuple):
    """An amount and the same of a time before; `before` None: the ledger does not reach back that far."""

    now: Mapping[str, float]
    before: Mapping[str, float] | None

    @property
    def overlap(self) -> bool:
        """Whether the ranges have anything in common."""
        before = self.before
        return before is not None and self.now["low"] <= before["high"] and before["low"] <= self.now["high"]


class Asker:
    """The questions of one page to the API's functions, for one caller."""

    def __init__(self, product: Product, caller: Caller, asked: PageParameters) -> None:
        self._product, self._caller, self._asked = product, caller, asked
        self._zone: str | None = asked.time_zone
        self.scope = product.scope(caller, Right.READ, asked.tenant)

    def totals(self, **query: Any) -> dict[str, Any]:
        """What `/v1/totals` answers, in the days of the zone that its first answer was in."""
        answer = answer_totals(
            self._product,
            self._caller,
            TotalsQuery(
                tenant=self._asked.tenant,
                time_zone=self._zone,
                report_time_zone=self._product.settings.report_time_zone,
                **query,
            ),
        )
        self._zone = answer["window"]["time_zone"]
        return answer

    @property
    def zone(self) -> str:
        """Whose days are counted, once something has been asked."""
        return self._zone or self._product.settings.report_time_zone

    def during(self, stretch: Between, **query: Any) -> dict[str, Any]:
        """The same of a stretch of time."""
        return self.totals(start=stretch.start, end=stretch.end, **query)


def overview_figures(product: Product, caller: Caller, asked: PageParameters, by: By | None) -> Figures:
    """All of it, for a thread of its own. RiceError: as from the reports."""
    ask = Asker(product, caller, asked)
    engine, now = product.engine(), product.now()
    names = [row["tenant_id"] for row in tenants(engine, caller.scope(Right.READ))]
    several = asked.tenant is None and len(names) > 1
    month = ask.totals(window="mtd", bucket="day")
    meta = month["meta"]
    common = {"asked": asked, "tenants": names, "several": several, "meta": meta, "zone": ask.zone}
    if meta["watermark"] is None:
        return {**common, "empty": True}
    times = times_at(now, ZoneInfo(ask.zone))
    before = ask.during(times.month_before_days, bucket="day")
    begins = _begins(ask, times, [*before["rows"], *month["rows"]], meta["watermark"])
    tiers = data_tiers(engine, ask.scope, now.date() - _WEEK, now.date())
    return {
        **common,
        "empty": False,
        "times": times,
        "begins": begins,
        "today": Compared(
            _of_day(month["rows"], times.today),
            _if_reaches(
                begins, times.today - _WEEK, lambda: ask.during(times.today_before, top=1)["total"]["carbon_gco2e"]
            ),
        ),
        "month": Compared(
            month["total"]["carbon_gco2e"],
            _if_reaches(
                begins, times.month_before, lambda: ask.during(times.month_before_same, top=1)["total"]["carbon_gco2e"]
            ),
        ),
        "budgets": _budgets(product, ask, asked.tenant),
        "tiers": tiers,
        "tiers_before": data_tiers(engine, ask.scope, now.date() - 2 * _WEEK, now.date() - _WEEK),
        "refused": quarantined(engine, ask.scope, Choice(), limit=0)["total"] if ask.scope.is_everything else None,
        "age": now - max(parse_instant(meta["watermark"]), parse_instant(meta["committed_at"] or meta["watermark"])),
        "chart": month_chart(times, begins, month["rows"], before["rows"]),
        **_week(
            ask, by or ("tenant" if several else "team"), several=several, reaches=begins <= times.today - 2 * _WEEK
        ),
    }


def _begins(ask: Asker, times: Times, rows: Sequence[Row], watermark: str) -> date:
    """The first day of the ledger, or the first of last month where it reaches back further."""
    days = [date.fromisoformat(row["day"]) for row in rows]
    first = min(days, default=parse_instant(watermark).date())
    if first <= times.month_before:
        return times.month_before
    earlier = ask.totals(end=times.month_before_days.start, top=1)
    return times.month_before if earlier["total"]["prompts"] else first


def _if_reaches(begins: date, day: date, look: Any) -> Any:
    return look() if begins <= day else None


def _of_day(rows: Sequence[Row], day: date) -> Mapping[str, float]:
    return next((row["carbon_gco2e"] for row in rows if row["day"] == day.isoformat()), NOTHING)


def _week(ask: Asker, by: By, *, several: bool, reaches: bool) -> Figures:
    """The last seven days by tenant or team, beside the seven before, and whose amount changed most."""
    fields = ["tenant", "team"] if several else ["team"]
    shown = ["tenant"] if by == "tenant" else fields
    week = ask.totals(window="7d", by=shown, top=LARGEST)
    start, end = (parse_instant(week["window"][name]) for name in ("from", "to"))
    stretch = Between(start - _WEEK, end - _WEEK)
    before = ask.during(stretch, by=shown) if reaches else None
    teams = week if by == "team" and not _has_other(week) else ask.totals(window="7d", by=fields)
    teams_before = (before if by == "team" else ask.during(stretch, by=fields)) if reaches else None
    return {
        "by": by,
        "week": week,
        "week_starts": start,
        "week_change": Compared(
            week["total"]["carbon_gco2e"], None if before is None else before["total"]["carbon_gco2e"]
        ),
        "rows": [(row, _before(row, shown, before)) for row in week["rows"]],
        "mover": None if teams_before is None else _mover(teams, teams_before, fields),
    }


def _has_other(answer: Row) -> bool:
    return any(row["other"] for row in answer["rows"])


def _before(row: Row, fields: Sequence[str], before: Row | None) -> Compared:
    if before is None or row["other"]:
        return Compared(row["carbon_gco2e"], None)
    return Compared(row["carbon_gco2e"], _same(before["rows"], row, fields))


def _same(rows: Sequence[Row], wanted: Row, fields: Sequence[str]) -> Mapping[str, float]:
    found = (row["carbon_gco2e"] for row in rows if all(row[name] == wanted[name] for name in fields))
    return next(found, NOTHING)


class Mover(NamedTuple):
    """The team whose amount changed most in the direction of the whole."""

    tenant: str | None
    team: str | None
    change: Compared


def _mover(week: Row, before: Row, fields: Sequence[str]) -> Mover | None:
    named = {tuple(row[name] for name in fields): row["carbon_gco2e"] for row in before["rows"]}
    present = {tuple(row[name] for name in fields): row["carbon_gco2e"] for row in week["rows"]}
    rose = week["total"]["carbon_gco2e"]["mid"] >= before["total"]["carbon_gco2e"]["mid"]

    def moved(key: tuple[str | None, ...]) -> float:
        return float(present.get(key, NOTHING)["mid"] - named.get(key, NOTHING)["mid"]) * (1 if rose else -1)

    keys = sorted({*named, *present}, key=lambda key: (-moved(key), [name or "" for name in key]))
    if not keys or moved(keys[0]) <= 0:
        return None
    *tenant, team = keys[0]
    compared = Compared(present.get(keys[0], NOTHING), named.get(keys[0], NOTHING))
    return Mover(tenant[0] if tenant else None, team, compared)


def _budgets(product: Product, ask: Asker, tenant: str | None) -> Figures:
    """How many are near or past their limit, the one that is nearest to it, and since when each of those is so."""
    statuses = budget_statuses(product.engine(), ask.scope, product.now(), tenant=tenant)
    judged = sorted((row for row in statuses if "ratio" in row), key=lambda row: -row["ratio"])
    opened = [row for row in judged if row["state"] in ("warning", "exceeded")]
    alerts = latest_alerts(product.engine(), ask.scope, tenant=tenant, limit=_ALERTS_LOOKED_AT) if opened else []
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
