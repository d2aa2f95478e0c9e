"""The figures of the page Periods: answers about totals of a year, by month and by tenant and month. No amount is made here."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import stretches
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.asking import IN_TABLES, Question, one_calendar, zone_of
from rice_stream.api.console.drawing.bars import overlap
from rice_stream.api.console.drawing.stacks import Stacks, stacks_of
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.corrections import bridged, restatements_later
from rice_stream.api.console.pages.covering import covering
from rice_stream.api.console.pages.explore_rows import name_of
from rice_stream.api.console.pages.periods_closing import orders_later, standing
from rice_stream.api.console.pages.periods_files import month_files, year_files
from rice_stream.api.console.pages.reconciling import reconciled_later
from rice_stream.api.console.stretches import BarTime
from rice_stream.api.product import Product
from rice_stream.instants import day_start
from rice_stream.reports.totals_query import AmountsAs
from rice_stream.store.scope import Scope
from rice_stream.wording.amounts import change

TENANTS = 5
"""Columns, where nobody asks for more: the rest is one."""
_STACKED_MAX = 7
_COMPARED_MAX = 1_000
Part = Literal["whole", "rest", "corrections"]
"""All of the page, all but what has corrected the year, or that alone."""
Row = Mapping[str, Any]
Answer = dict[str, Any]


def periods(
    product: Product,
    caller: Caller,
    asked: PageParameters,
    year: int | None,
    columns: int,
    around: Around,
    amounts: AmountsAs = "restated",
    standing_page: int = 1,
    part: Part = "whole",
) -> Figures:
    """The figures of the page, or of a part of it. RiceError: as from the reports."""
    scope = product.scope(caller, Right.READ, None)
    names = [each["tenant_id"] for each in around.tenants()]
    calendar = one_calendar(product, scope.within(asked.tenant), asked.time_zone)
    question = Question(product, caller, asked.tenant, calendar, amounts=amounts)
    now = product.now()
    of = scope.within(asked.tenant)
    only = list(of.tenants or ())
    # Who sees some teams only is told nothing of corrections: that takes no time.
    is_later = part == "rest" and not of.teams
    events = None if is_later else _events_later(product, of)
    if part == "corrections" and events is not None:
        own = calendar or around.time_zone_of(only[0]) or "UTC"
        year = year or now.astimezone(ZoneInfo(own)).year
        told = {"asked": asked, "tenants": names, "zone": own, "year": year}
        return {**told, **_bridged(question._replace(time_zone=own), year), **events()}
    if len(only) == 1:
        own = calendar or around.time_zone_of(only[0]) or "UTC"
        of_year = year or now.astimezone(ZoneInfo(own)).year
        _look_ahead_of_year(question._replace(time_zone=own), of_year, with_bridge=not is_later and not of.teams)
    ever = question.totals(bucket="month", only=IN_TABLES)
    zone = zone_of(product, ever)
    question = question._replace(time_zone=zone)
    years = _years(ever["rows"], now, zone)
    shown = {
        "asked": asked,
        "tenants": names,
        "meta": ever["meta"],
        "zone": zone,
        "years": years,
        "year": year or years[-1],
    }
    if not ever["total"]["prompts"]:
        return {**shown, "nothing": "not-allowed" if scope.tenants == frozenset() else "no-events"}
    stands = standing(product, of, shown["year"], 1 if asked.tenant else len(names), standing_page)
    stands |= covering(product, caller, around)
    found = {**shown, **stands, **_of_year(question, ever, shown["year"], columns, now)}
    if found["nothing"]:
        return found
    if events is None:
        return {**found, "later": True}
    return {**found, **_bridged(question, shown["year"]), **events()}


def _bridged(question: Question, year: int) -> Figures:
    """What has corrected the year."""
    return bridged(question._replace(amounts="restated"), date(year, 1, 1), date(year + 1, 1, 1))


def _events_later(product: Product, scope: Scope) -> Callable[[], Figures]:
    """The latest restatements and orders to close a month, and what months were compared with; all asked now, and waited for when
    it is called."""
    asked = restatements_later(product, scope), orders_later(product, scope), reconciled_later(product, scope)

    def told() -> Figures:
        return {name: figure for each in asked for name, figure in each().items()}

    return told


def _years(months: Sequence[Row], now: datetime, zone: str) -> list[int]:
    """From the first with prompts to this one, or the last with prompts."""
    this = now.astimezone(ZoneInfo(zone)).year
    with_prompts = [int(month["month"][:4]) for month in months]
    return list(range(min([this, *with_prompts]), max([this, *with_prompts]) + 1))


def _of_year(question: Question, ever: Answer, year: int, columns: int, now: datetime) -> Figures:
    zone = zone_of(question.product, ever)
    place = ZoneInfo(zone)
    bounds = {"start": date(year, 1, 1), "end": date(year + 1, 1, 1)}
    of_chart = stretches.bars("month", day_start(bounds["start"], place), day_start(bounds["end"], place), zone)
    _look_ahead(question, bounds, [bar for bar in of_chart if ever["rows"][0]["month"] <= bar.key], now)
    whole = question.totals(bucket="month", only=IN_TABLES, **bounds)
    if not whole["total"]["prompts"]:
        return {"nothing": "zero"}
    by_tenant = question.totals(by=("tenant",), top=columns, only=(), **bounds)
    grid = question.totals(by=("tenant",), bucket="month", top=columns, only=(), **bounds)
    # Nothing is told about months before the first prompt, and after this month or the last prompt.
    last = whole["rows"][-1]["month"]
    bars = [bar for bar in of_chart if ever["rows"][0]["month"] <= bar.key and (bar.start <= now or bar.key <= last)]
    before = _Before(question, ever, grid, bars, now)
    of_month = {row["month"]: row for row in whole["rows"]}
    cells = {(row["tenant"], row["other"], row["month"]): row for row in grid["rows"]}
    months = [
        {
            "key": bar.key,
            "start": bar.start,
            "end": bar.end,
            "is_open": bar.end > now,
            "row": of_month.get(bar.key),
            "change": before.of_all(bar, of_month.get(bar.key)),
            "cells": [
                {
                    "row": cells.get((tenant["tenant"], tenant["other"], bar.key)),
                    "change": before.of_tenant(bar, tenant, cells.get((tenant["tenant"], tenant["other"], bar.key))),
                }
                for tenant in by_tenant["rows"]
            ],
            "files": month_files(bar, zone, question.tenant, question.amounts),
        }
        for bar in reversed(bars)
    ]
    others = by_tenant["names_total"] - columns
    return {
        "nothing": None,
        "total": whole["total"],
        "months": months,
        "first_month": ever["rows"][0]["month"],
        "columns": [{**row, "name": name_of("tenant", row, others)} for row in by_tenant["rows"]],
        "more_tenants": max(0, others),
        "chart": _chart(by_tenant, others, cells, of_chart, of_month, now),
        "files": year_files(year, zone, question.tenant, question.amounts),
    }


def _look_ahead_of_year(question: Question, year: int, *, with_bridge: bool) -> None:
    """All months there are, and those of a year by tenant: the one that is asked for, or this one, which most look at; and what its
    bridge ends with."""
    bounds = {"start": date(year, 1, 1), "end": date(year + 1, 1, 1)}
    months = [question.query(bucket="month", only=IN_TABLES, **each) for each in ({}, bounds)]
    restated = [question._replace(amounts="restated").query(ranges=False, **bounds)] if with_bridge else []
    question.look_ahead(*months, question.query(by=("tenant",), bucket="month", top=1, only=(), **bounds), *restated)


def _look_ahead(question: Question, bounds: Mapping[str, date], bars: Sequence[BarTime], now: datetime) -> None:
    """The year, and the times that its first month and the running one are compared with."""
    zone = question.time_zone or "UTC"
    first = [stretches.before(bar.start, bar.end, zone) for bar in bars[:1] if bar.start <= now]
    running = [stretches.before(bar.start, now, zone) for bar in bars if bar.start < now < bar.end]
    question.look_ahead(
        question.query(by=("tenant",), only=(), **bounds),
        *(question.query(by=("tenant",), only=(), start=start, end=end) for start, end in (*first, *running)),
    )


class _Before:
    """What months were compared with: the month before, and of the running one the same days of it."""

    def __init__(self, question: Question, ever: Answer, grid: Answer, bars: Sequence[BarTime], now: datetime) -> None:
        zone = zone_of(question.product, ever)
        self._of_all = {row["month"]: row for row in ever["rows"]}
        self._of_tenants = {(row["tenant"], row["month"]): row for row in grid["rows"] if not row["other"]}
        first = bars[0].start
        if bars[0].start <= now:
            start, end = stretches.before(first, bars[0].end, zone)
            december = question.totals(by=("tenant",), only=(), start=start, end=end, limit=_COMPARED_MAX)
            key = _key_before(bars[0].key)
            self._of_tenants |= {(row["tenant"], key): row for row in december["rows"]}
        self._same_days: Answer | None = None
        running = next((bar for bar in bars if bar.start <= now < bar.end), None)
        self._running = None if running is None else running.key
        if running is not None and now > running.start:
            start, end = stretches.before(running.start, now, zone)
            days = {"start": start, "end": end}
            self._same_days = question.totals(by=("tenant",), only=(), limit=_COMPARED_MAX, **days)

    def of_all(self, bar: BarTime, row: Row | None) -> dict[str, Any] | None:
        """The change of a month."""
        if bar.key == self._running:
            return _compared(row, self._same_days["total"] if self._same_days else None)
        return _compared(row, self._of_all.get(_key_before(bar.key)))

    def of_tenant(self, bar: BarTime, tenant: Row, row: Row | None) -> dict[str, Any] | None:
        """The change of a tenant's month; the others are not the same ones in every month."""
        if tenant["other"]:
            return None
        if bar.key == self._running:
            rows = self._same_days["rows"] if self._same_days else []
            return _compared(row, next((each for each in rows if each["tenant"] == tenant["tenant"]), None))
        return _compared(row, self._of_tenants.get((tenant["tenant"], _key_before(bar.key))))


def _compared(row: Row | None, before: Row | None) -> dict[str, Any] | None:
    if row is None or before is None:
        return None
    moved = change(row["carbon_gco2e"]["mid"], before["carbon_gco2e"]["mid"])
    return None if moved is None else {"text": moved, "overlap": overlap(row["carbon_gco2e"], before["carbon_gco2e"])}


def _chart(
    by_tenant: Answer,
    others: int,
    cells: Mapping[tuple[str | None, bool, str], Row],
    bars: Sequence[BarTime],
    of_month: Mapping[str, Row],
    now: datetime,
) -> Stacks:
    """Bars by month, of the tenants on one another where there are few enough to be told apart."""
    rows = by_tenant["rows"]
    series = [
        (
            "other" if row["other"] else f"s{place + 1}",
            name_of("tenant", row, others),
            [_mid(cells.get((row["tenant"], row["other"], bar.key))) for bar in bars],
        )
        for place, row in enumerate(rows)
    ]
    if len([row for row in rows if not row["other"]]) > _STACKED_MAX:
        series = [("s1", "All tenants", [_mid(of_month.get(bar.key)) for bar in bars])]
    ranges = [None if (row := of_month.get(bar.key)) is None else _ends(row) for bar in bars]
    ticks = [(place, f"{_first_of(bar.key):%b}") for place, bar in enumerate(bars)]
    running = [place for place, bar in enumerate(bars) if bar.end > now]
    return stacks_of(series, "carbon", ticks, incomplete=running, ranges=ranges)


def _mid(row: Row | None) -> float:
    return 0.0 if row is None else float(row["carbon_gco2e"]["mid"])


def _ends(row: Row) -> tuple[float, float]:
    return row["carbon_gco2e"]["low"], row["carbon_gco2e"]["high"]


def _first_of(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def _key_before(month: str) -> str:
    return f"{_first_of(month) - timedelta(days=1):%Y-%m}"
