"""The figures of the page Explore: answers about totals, put side by side. No amount is made here."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import stretches
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import Window
from rice_stream.api.console.asking import IN_TABLES, Question, one_calendar, zone_of
from rice_stream.api.console.drawing.bars import overlap
from rice_stream.api.console.kept import AFTERWARDS, Figures
from rice_stream.api.console.pages.explore_asked import DIMENSIONS, MEASURES, NARROWED, SERIES_MAX, ExploreParameters
from rice_stream.api.console.pages.explore_chart import chart_of
from rice_stream.api.console.pages.explore_links import chips_of, files_of
from rice_stream.api.console.pages.explore_rows import amount, kind_of, rows_of, told_besides
from rice_stream.api.product import Product
from rice_stream.instants import day_start, parse_instant
from rice_stream.quantities import MICRO
from rice_stream.reports.known_names import known_names
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompts import PromptFilter, prompts

_LATEST = 8
_WINDOW: Window = "30d"
_COMPARED_MAX = 1_000
"""Names of the stretch before that are looked through."""
_COUNTED: dict[str, Any] = {"only": (), "ranges": False}
"""Of questions whether, and when, there is anything."""
_BUCKET_OF_WATERMARK = timedelta(minutes=15)
"""What a watermark begins is at most as long."""


_BEFORE = {
    "24h": "the 24 hours before",
    "7d": "the 7 days before",
    "30d": "the 30 days before",
    "mtd": "the same days of the month before",
}


def explored(product: Product, caller: Caller, asked: ExploreParameters, around: Around) -> Figures:
    """All figures of the page. RiceError: as from the reports."""
    scope = product.scope(caller, Right.READ, None)
    seen = scope.within(asked.tenant)
    names = [each["tenant_id"] for each in around.tenants()]
    by = asked.by or ("tenant" if len(names) > 1 and asked.tenant is None else "team")
    # Bars of several tenants stand on one another: they need one calendar.
    zone = one_calendar(product, seen, asked.time_zone)
    question = Question(product, caller, asked.tenant, zone, asked.where, asked.as_)
    table = question.totals(by=(by,), top=asked.rows, only=IN_TABLES, **asked.stretch(_WINDOW))
    shown = {
        "asked": asked,
        "by": by,
        "tenants": names,
        "dimensions": [each for each in DIMENSIONS if each != "tenant" or len(names) > 1],
        "measures": MEASURES,
        "narrowed": NARROWED,
        "known": known_names(product.engine_for(seen), seen),
        "chips": chips_of(asked),
        "meta": table["meta"],
        "zone": zone_of(product, table),
        "table": table,
        "kind": kind_of(asked.measure),
        "window": shown_window(asked),
    }
    if not table["total"]["prompts"]:
        # Why there is nothing may have to do with what lies outside of what was asked for.
        return {**shown, AFTERWARDS: lambda: {"nothing": _nothing(question, asked, table)}}
    return {**shown, "nothing": None, **_shown(question, asked, by, table)}


def shown_window(asked: ExploreParameters) -> str | None:
    """The window; None: there are bounds."""
    return asked.window or (_WINDOW if asked.from_ is None and asked.to is None else None)


def _shown(question: Question, asked: ExploreParameters, by: str, table: dict[str, Any]) -> Figures:
    zone = zone_of(question.product, table)
    question = question._replace(time_zone=zone)
    now = question.product.now()
    reach = max(now, parse_instant(table["meta"]["watermark"]) + _BUCKET_OF_WATERMARK)
    start, end = _moments(question, table, reach)
    until = min(end, reach)
    bucket = asked.bucket or stretches.fitting(start, until)
    drawn = stretches.coarsened(bucket, start, until)
    stretch = {"start": start, "end": end}
    series, measured = table, told_besides(asked.measure)
    if asked.rows != SERIES_MAX:
        series = question.totals(by=(by,), top=SERIES_MAX, ranges=False, only=measured, **stretch)
    # Of these the chart shows the middles: the ranges of hundreds of them would take longer than all the rest.
    over_time = question.totals(by=(by,), bucket=drawn, top=SERIES_MAX, ranges=False, only=measured, **stretch)
    whole = question.totals(bucket=drawn, ranges=asked.measure == "carbon", only=measured, **stretch)
    bars = stretches.bars(drawn, start, until, zone)
    earlier_start, earlier_end = stretches.before(start, until, zone)
    before = {"start": earlier_start, "end": earlier_end}
    earlier = question.totals(by=(by,), only=measured, limit=_COMPARED_MAX, **before)
    files = files_of(asked, by, (start, end), zone, drawn, has_more=table["names_total"] > asked.rows)
    return {
        "start": start,
        "end": until,
        "bucket": drawn,
        "is_coarsened": drawn != bucket,
        "chart": chart_of(asked.measure, by, bars, (series, over_time, whole), (start, min(until, now)), zone),
        "rows": rows_of(asked, by, table, earlier),
        "total": amount(asked.measure, table["total"]),
        "earlier": {
            "start": earlier_start,
            "end": earlier_end,
            "answer": earlier,
            "total": amount(asked.measure, earlier["total"]),
            "overlap": overlap(table["total"]["carbon_gco2e"], earlier["total"]["carbon_gco2e"]),
            "words": _BEFORE.get(shown_window(asked) or "", "the time before"),
            "is_whole": bool(question.totals(by=(), end=earlier_start, **_COUNTED)["total"]["prompts"]),
        },
        "files": files,
        "latest": _latest(question, stretch, zone),
    }


def _moments(question: Question, table: dict[str, Any], reach: datetime) -> tuple[datetime, datetime]:
    """The ends of what was asked for; an open one is where the data begin, or how far they reach."""
    window = table["window"]
    end = parse_instant(window["to"]) if window["to"] else reach
    if window["from"]:
        return parse_instant(window["from"]), end
    months = question.totals(bucket="month", end=end, **_COUNTED)["rows"]
    first = day_start(date.fromisoformat(f"{months[0]['month']}-01"), ZoneInfo(zone_of(question.product, table)))
    return first, end


def _latest(question: Question, stretch: dict[str, Any], zone: str) -> list[dict[str, Any]]:
    product = question.product
    scope = product.scope(question.caller, Right.READ, question.tenant)
    asked = PromptFilter(tenant=question.tenant, where=question.where, time_zone=zone, **stretch)
    rows = prompts(product.engine_for(scope), scope, asked, limit=_LATEST)["rows"]
    ends = ("low", "mid", "high")
    return [{**row, "carbon_gco2e": {end: row[f"carbon_{end}_ugco2e"] / MICRO for end in ends}} for row in rows]


def _nothing(question: Question, asked: ExploreParameters, table: dict[str, Any]) -> dict[str, Any]:
    """Why there is nothing to be seen, and what to do about it."""
    if question.product.scope(question.caller, Right.READ, None).tenants == frozenset():
        return {"kind": "not-allowed"}
    watermark = table["meta"]["watermark"]
    if asked.is_narrowed:
        found = _without_each(question, asked, table["window"])
        if found:
            return {"kind": "filtered", "without": found}
    if watermark is None:
        return {"kind": "no-events"}
    start = table["window"]["from"]
    if start is not None and parse_instant(start) > parse_instant(watermark):
        return {"kind": "not-yet"}
    return {"kind": "zero"}


def _without_each(question: Question, asked: ExploreParameters, window: dict[str, Any]) -> list[dict[str, Any]]:
    """The filters without which there would be something, each with how many prompts; all of them, where none alone empties it."""
    stretch = {name: parse_instant(window[end]) for name, end in (("start", "from"), ("end", "to")) if window[end]}
    found = []
    for field, names in [*([("tenant", (asked.tenant,))] if asked.tenant else []), *asked.where.names.items()]:
        other = question._replace(
            where=asked.where.without(field), tenant=None if field == "tenant" else question.tenant
        )
        count = other.totals(**stretch, **_COUNTED)["total"]["prompts"]
        if count:
            found.append({"field": field, "names": names, "prompts": count, "address": asked.leaving_out(field)})
    if not found:
        count = question._replace(where=NameFilter(), tenant=None).totals(**stretch, **_COUNTED)["total"]["prompts"]
        if count:
            found.append({"field": None, "names": (), "prompts": count, "address": asked.unnarrowed()})
    return found
