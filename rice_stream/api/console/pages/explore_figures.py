"""The figures of the page Explore: answers about totals, put side by side. No amount is made here."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console import stretches
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import Window
from rice_stream.api.console.asking import IN_TABLES, Question, one_calendar, zone_of
from rice_stream.api.console.drawing.bars import overlap
from rice_stream.api.console.kept import AFTERWARDS, Figures
from rice_stream.api.console.pages.explore_asked import (
    DIMENSIONS,
    MEASURES,
    NARROWED,
    SERIES_MAX,
    ExploreParameters,
    Part,
)
from rice_stream.api.console.pages.explore_chart import chart_of
from rice_stream.api.console.pages.explore_links import chips_of, files_of
from rice_stream.api.console.pages.explore_nothing import COUNTED, why_nothing
from rice_stream.api.console.pages.explore_rows import amount, kind_of, rows_of, told_besides
from rice_stream.api.console.stretches import Bucket
from rice_stream.api.product import Product
from rice_stream.instants import datetime_of, day_start, parse_instant
from rice_stream.quantities import MICRO
from rice_stream.reports.known_names import known_names_later
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompts import prompts_later
from rice_stream.reports.windows import FOREVER_US

_LATEST = 8
_WINDOW: Window = "30d"
_COMPARED_MAX = 1_000
"""Names of the stretch before that are looked through."""
_BUCKET_OF_WATERMARK = timedelta(minutes=15)
"""What a watermark begins is at most as long."""


_BEFORE = {
    "24h": "the 24 hours before",
    "7d": "the 7 days before",
    "30d": "the 30 days before",
    "mtd": "the same days of the month before",
}


def explored(
    product: Product, caller: Caller, asked: ExploreParameters, around: Around, part: Part = "whole"
) -> Figures:
    """The figures of the page, or of a part of it. RiceError: as from the reports."""
    scope = product.scope(caller, Right.READ, None)
    seen = scope.within(asked.tenant)
    names = [each["tenant_id"] for each in around.tenants()]
    by = asked.by or ("tenant" if len(names) > 1 and asked.tenant is None else "team")
    # Bars of several tenants stand on one another: they need one calendar.
    zone = one_calendar(product, seen, asked.time_zone)
    question = Question(product, caller, asked.tenant, zone, asked.where, asked.as_)
    now = product.now()
    only = next(iter(seen.tenants)) if seen.tenants is not None and len(seen.tenants) == 1 else None
    ahead = question if only is None else question._replace(time_zone=zone or around.time_zone_of(only))
    if part == "bars":
        return _bars_alone(ahead, asked, by, now)
    if part == "latest":
        return {"tenants": names, **_latest_alone(ahead, asked, now)}
    known = known_names_later(product.engine_for(seen), seen)
    if only is not None:
        _look_ahead(ahead, asked, by, _times_ahead(ahead, asked, now), part)
    table = question.totals(**_table(asked, by))
    shown = {
        "asked": asked,
        "by": by,
        "tenants": names,
        "dimensions": [each for each in DIMENSIONS if each != "tenant" or len(names) > 1],
        "measures": MEASURES,
        "narrowed": NARROWED,
        "chips": chips_of(asked),
        "meta": table["meta"],
        "zone": zone_of(product, table),
        "table": table,
        "kind": kind_of(asked.measure),
        "window": shown_window(asked),
    }
    if not table["total"]["prompts"]:
        # Why there is nothing may have to do with what lies outside of what was asked for.
        return {**shown, "known": known(), AFTERWARDS: lambda: {"nothing": why_nothing(question, asked, table)}}
    return {**shown, "nothing": None, **_shown(question, asked, by, table, now, part), "known": known()}


def shown_window(asked: ExploreParameters) -> str | None:
    """The window; None: there are bounds."""
    return asked.window or (_WINDOW if asked.from_ is None and asked.to is None else None)


class _Times(NamedTuple):
    """The stretch that is asked for, up to where there can be anything; in which buckets it is drawn; and the one before."""

    start: datetime
    end: datetime
    until: datetime
    bucket: Bucket
    drawn: Bucket
    before: tuple[datetime, datetime]


def _times(asked: ExploreParameters, start: datetime, end: datetime, reach: datetime, zone: str) -> _Times:
    until = min(end, reach)
    bucket = asked.bucket or stretches.fitting(start, until)
    drawn = stretches.coarsened(bucket, start, until)
    return _Times(start, end, until, bucket, drawn, stretches.before(start, until, zone))


def _reach(now: datetime, meta: dict[str, Any]) -> datetime:
    return now if meta["watermark"] is None else max(now, parse_instant(meta["watermark"]) + _BUCKET_OF_WATERMARK)


def _table(asked: ExploreParameters, by: str) -> dict[str, Any]:
    return {"by": (by,), "top": asked.rows, "only": IN_TABLES, **asked.stretch(_WINDOW)}


def _beside(asked: ExploreParameters, by: str, times: _Times, part: Part = "whole") -> dict[str, dict[str, Any]]:
    """What is asked for besides."""
    measured, stretch = told_besides(asked.measure), {"start": times.start, "end": times.end}
    start, end = times.before
    of_bars: dict[str, dict[str, Any]] = {
        # First what takes longest to work out here: the database is at the other one meanwhile.
        "whole": {"bucket": times.drawn, "ranges": asked.measure == "carbon", "only": measured, **stretch},
        # Of these the chart shows the middles: the ranges of hundreds of them would take longer than all the rest.
        "over_time": {
            "by": (by,),
            "bucket": times.drawn,
            "top": SERIES_MAX,
            "ranges": False,
            "only": measured,
            **stretch,
        },
    }
    of_rest: dict[str, dict[str, Any]] = {
        "earlier": {"by": (by,), "only": measured, "limit": _COMPARED_MAX, "start": start, "end": end},
        "earliest": {"by": (), "end": start, **COUNTED},
    }
    return of_bars if part == "bars" else of_rest if part == "rest" else of_bars | of_rest


def _times_ahead(question: Question, asked: ExploreParameters, now: datetime) -> _Times | None:
    """Where it is known without a question; None: it has to be looked where the data begin."""
    product, zone = question.product, question.time_zone or "UTC"
    from_us, to_us = question.query(**asked.stretch(_WINDOW)).range_us(zone, now)
    if not from_us:
        return None
    reach = _reach(now, product.meta(product.scope(question.caller, Right.READ, question.tenant), zone))
    end = reach if to_us == FOREVER_US else datetime_of(to_us)
    return _times(asked, datetime_of(from_us), end, reach, zone)


def _look_ahead(question: Question, asked: ExploreParameters, by: str, times: _Times | None, part: Part) -> None:
    """Have all that will be asked of one tenant asked together, where it is known beforehand."""
    if times is not None:
        first = [] if part == "bars" else [_table(asked, by)]
        question.look_ahead(*(question.query(**each) for each in (*first, *_beside(asked, by, times, part).values())))


def _bars_alone(question: Question, asked: ExploreParameters, by: str, now: datetime) -> Figures:
    """`question` is in the calendar of the bars, or of several tenants."""
    times = _times_ahead(question, asked, now)
    _look_ahead(question, asked, by, times, "bars")
    shown: Figures = {"asked": asked, "by": by, "kind": kind_of(asked.measure)}
    if times is None:
        question, times = _times_looked_up(question, asked, now)
    if times is None:
        return {**shown, "nothing": True}
    drawn = _bars(question, asked, by, times, now, question.time_zone or "UTC")
    return {**shown, "bucket": times.drawn, "nothing": None, **drawn}


def _times_looked_up(question: Question, asked: ExploreParameters, now: datetime) -> tuple[Question, _Times | None]:
    """The question in the calendar of its answers, and its times; None: there is nothing."""
    first = question.totals(**COUNTED, **asked.stretch(_WINDOW))
    if not first["total"]["prompts"]:
        return question, None
    question = question._replace(time_zone=zone_of(question.product, first))
    reach = _reach(now, first["meta"])
    return question, _times(asked, *_moments(question, first, reach), reach, question.time_zone or "UTC")


def _latest_alone(question: Question, asked: ExploreParameters, now: datetime) -> Figures:
    times = _times_ahead(question, asked, now)
    if times is None:
        question, times = _times_looked_up(question, asked, now)
    if times is None:
        return {"nothing": True}
    zone = question.time_zone or "UTC"
    latest = _latest(question, {"start": times.start, "end": times.end}, zone)()
    return {"latest": latest, "zone": zone, "nothing": None if latest else True}


def _shown(
    question: Question, asked: ExploreParameters, by: str, table: dict[str, Any], now: datetime, part: Part
) -> Figures:
    zone = zone_of(question.product, table)
    question = question._replace(time_zone=zone)
    reach = _reach(now, table["meta"])
    times = _times(asked, *_moments(question, table, reach), reach, zone)
    shown: Figures = {
        "start": times.start,
        "end": times.until,
        "bucket": times.drawn,
        "is_coarsened": times.drawn != times.bucket,
        "later": part == "rest",
    }
    if part == "rest":
        return {**shown, **_rows(question, asked, by, table, times, zone)}
    latest = _latest(question, {"start": times.start, "end": times.end}, zone)
    shown |= _bars(question, asked, by, times, now, zone)
    return {**shown, **_rows(question, asked, by, table, times, zone), "latest": latest()}


def _bars(question: Question, asked: ExploreParameters, by: str, times: _Times, now: datetime, zone: str) -> Figures:
    beside = _beside(asked, by, times, "bars")
    whole = question.totals(**beside["whole"])
    if not whole["total"]["prompts"]:
        return {"nothing": True}
    series = question.curves(**beside["over_time"])
    bars = stretches.bars(times.drawn, times.start, times.until, zone)
    ends = times.start, min(times.until, now)
    return {"chart": chart_of(asked.measure, by, bars, (series, whole), ends, zone), "whole": whole["total"]}


def _rows(
    question: Question, asked: ExploreParameters, by: str, table: dict[str, Any], times: _Times, zone: str
) -> Figures:
    beside = _beside(asked, by, times, "rest")
    earlier = question.totals(**beside["earlier"])
    start, end = times.before
    has_more = table["names_total"] > asked.rows
    return {
        "rows": rows_of(asked, by, table, earlier),
        "total": amount(asked.measure, table["total"]),
        "earlier": {
            "start": start,
            "end": end,
            "answer": earlier,
            "total": amount(asked.measure, earlier["total"]),
            "overlap": overlap(table["total"]["carbon_gco2e"], earlier["total"]["carbon_gco2e"]),
            "words": _BEFORE.get(shown_window(asked) or "", "the time before"),
            "is_whole": bool(question.totals(**beside["earliest"])["total"]["prompts"]),
        },
        "files": files_of(asked, by, (times.start, times.end), zone, times.drawn, has_more=has_more),
    }


def _moments(question: Question, table: dict[str, Any], reach: datetime) -> tuple[datetime, datetime]:
    """The ends of what was asked for; an open one is where the data begin, or how far they reach."""
    window = table["window"]
    end = parse_instant(window["to"]) if window["to"] else reach
    if window["from"]:
        return parse_instant(window["from"]), end
    months = question.totals(bucket="month", end=end, **COUNTED)["rows"]
    first = day_start(date.fromisoformat(f"{months[0]['month']}-01"), ZoneInfo(zone_of(question.product, table)))
    return first, end


def _latest(question: Question, stretch: dict[str, Any], zone: str) -> Callable[[], list[dict[str, Any]]]:
    product = question.product
    scope = product.scope(question.caller, Right.READ, question.tenant)
    asked = PromptFilter(tenant=question.tenant, where=question.where, time_zone=zone, **stretch)
    found = prompts_later(product.engine_for(scope), scope, asked, limit=_LATEST)
    ends = ("low", "mid", "high")

    def told() -> list[dict[str, Any]]:
        rows = found()["rows"]
        return [{**row, "carbon_gco2e": {end: row[f"carbon_{end}_ugco2e"] / MICRO for end in ends}} for row in rows]

    return told
