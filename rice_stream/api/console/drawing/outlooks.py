"""What becomes of a budget, in words and as a chart: from what `/v1/budgets/{name}/burn-down` answers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from rice_stream.api.console.drawing.plots import Plot, Point, plot_of
from rice_stream.instants import epoch_us, parse_instant
from rice_stream.wording.amounts import DASH, THIN, Kind, exact, exact_percent, percent

End = Literal["exceeded", "runs-out", "may-run-out", "lasts", "rolling", "begun", "unreadable"]
WH_PER_KWH = 1_000.0
_TICKS_MAX = 8
_BY_HOUR = ("day", "rolling-24h")
_ORDER: tuple[End, ...] = ("unreadable", "exceeded", "runs-out", "may-run-out", "rolling", "begun", "lasts")


class Ending(NamedTuple):
    """How it ends: the answer in a word or a date, and what else there is to say. Dates are those of the budget's own zone."""

    kind: End
    lead: str
    more: str


def kind_of(budget: Mapping[str, Any]) -> Kind:
    """What its amounts are."""
    return "energy" if budget["unit"] == "kwh" else "carbon"


def size_of(budget: Mapping[str, Any]) -> float:
    """How many of the drawing's units (grams, watt-hours) its own unit is."""
    return WH_PER_KWH if budget["unit"] == "kwh" else 1.0


def ending_of(budget: Mapping[str, Any], now: datetime) -> Ending:
    """Of a budget with its outlook, or of one that cannot be read."""
    if budget["state"] == "unreadable":
        return Ending("unreadable", "Not known", budget["problem"])
    ahead = budget["forecast"]
    if budget["ratio"] >= 1 or budget["state"] == "exceeded":
        return Ending("exceeded", "Exceeded", _since(budget))
    if ahead is None:
        return _without_forecast(budget)
    if ahead["exhausted_at"] is None:
        return Ending("lasts", "Lasts", f"{_end_range(budget)} used at its end")
    dates = {end: _local(value, budget) for end, value in ahead["exhausted_at"].items() if value is not None}
    if "mid" not in dates:
        return Ending("may-run-out", "May not last", _from(dates["low"], budget, now))
    return Ending("runs-out", _date(dates["mid"], budget), _between(dates, budget, now))


def most_urgent_first(budgets: Sequence[Mapping[str, Any]], now: datetime) -> list[tuple[Mapping[str, Any], Ending]]:
    """Budgets with how they end: what has ended first, then what ends soonest, then what is used most."""

    def urgency(each: tuple[Mapping[str, Any], Ending]) -> tuple[int, str, float, str, str]:
        budget, ending = each
        ahead = budget.get("forecast") or {}
        dates = ahead.get("exhausted_at") or {}
        date = (dates.get("mid") or dates.get("low") or "") if ending.kind in ("runs-out", "may-run-out") else ""
        return _ORDER.index(ending.kind), date, -budget.get("ratio", 0.0), budget["tenant_id"], budget["name"]

    return sorted(((budget, ending_of(budget, now)) for budget in budgets), key=urgency)


def _since(budget: Mapping[str, Any]) -> str:
    reached = [each for each in budget["open_alerts"] if each["basis"] == "actual" and each["threshold"] >= 1]
    times = [each["since"] for each in reached if each["since"]]
    if not times:
        return f"{percent(budget['ratio'])} of its limit; not announced yet"
    since = _local(min(times), budget)
    return f"since {_day(since)}, {since:%H:%M}"


def _without_forecast(budget: Mapping[str, Any]) -> Ending:
    if not budget["period"].startswith("rolling"):
        return Ending("begun", "Just begun", "too early to say")
    rate = next(each["burn_rate"] for each in budget["burn_rates"] if each["window"] == "24h")
    if rate > 1:
        return Ending("rolling", "Fills up", f"the last 24 h went at {percent(rate)} of the pace it allows")
    return Ending("lasts", "Lasts", f"the last 24 h went at {percent(rate)} of the pace it allows")


def _end_range(budget: Mapping[str, Any]) -> str:
    ends = budget["forecast"]["end_of_period"]
    low, high = (round(ends[end] / budget["limit"] * 100) for end in ("low", "high"))
    return f"{low}{THIN}%" if low == high else f"{low}{DASH}{high}{THIN}%"


def _between(dates: Mapping[str, datetime], budget: Mapping[str, Any], now: datetime) -> str:
    low, high = dates["low"], dates.get("high")
    if high is None or low <= now:
        begins = "now" if low <= now else _at(low, budget)
        return f"the range is from {begins} to {'beyond the period' if high is None else _at(high, budget)}"
    if budget["period"] in _BY_HOUR or low.date() == high.date():
        return "" if low == high else f"between {low:%H:%M} and {high:%H:%M}"
    if (low.year, low.month) == (high.year, high.month):
        return f"between the {_ordinal(low.day)} and the {_ordinal(high.day)}"
    return f"between {_day(low)} and {_day(high)}"


def _from(low: datetime, budget: Mapping[str, Any], now: datetime) -> str:
    return "now already, by its range" if low <= now else f"as early as {_at(low, budget)}, by its range"


def _at(moment: datetime, budget: Mapping[str, Any]) -> str:
    return f"{moment:%H:%M}" if budget["period"] in _BY_HOUR else _day(moment)


def _date(moment: datetime, budget: Mapping[str, Any]) -> str:
    return f"Today, {moment:%H:%M}" if budget["period"] in _BY_HOUR else _day(moment)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def _local(value: str, budget: Mapping[str, Any]) -> datetime:
    return parse_instant(value).astimezone(ZoneInfo(budget["time_zone"]))


class WhenReached(NamedTuple):
    """When the limit is reached, in percent from the left: from the earliest to the latest date; `mid` None: it lasts at its
    average pace."""

    left: float
    right: float
    mid: float | None
    height: float
    """Where the limit is, in percent from the top."""


class BurnDown(NamedTuple):
    """The chart of one budget: used so far, what is to come, the limit and an even use of it."""

    plot: Plot
    now: float
    """Where now is, in percent from the left."""
    runs_out: WhenReached | None
    """As far as it is on the chart."""


def burn_down_of(budget: Mapping[str, Any], now: datetime) -> BurnDown:
    """Of what `/v1/budgets/{name}/burn-down` answers."""
    size, limit = size_of(budget), budget["limit"] * size_of(budget)
    start, end = _epoch_s(budget["period_start"]), _epoch_s(budget["period_end"])
    now_s = min(max(now.timestamp(), start), end)
    used = _used(budget, start, now_s, size)
    series: list[tuple[str, str, Sequence[Point]]] = []
    if not budget["period"].startswith("rolling"):
        series.append(("before", "An even use of the limit", [_flat(start, 0.0), _flat(end, limit)]))
    ahead = budget["forecast"]
    if ahead is not None and now_s < end:
        at_end = Point(end, *(ahead["end_of_period"][each] * size for each in ("low", "mid", "high")))
        series.append(("forecast", "At the paces so far", [used[-1], at_end]))
    series.append(("now", "Used", used))
    series.append(("limit", "Limit", [_flat(start, limit), _flat(end, limit)]))
    plot = plot_of(series, kind_of(budget), _ticks(budget), ends=(start, end), least_top=limit * 1.05)
    return BurnDown(plot, plot.place(now_s), _runs_out(budget, plot, now_s, end))


def _used(budget: Mapping[str, Any], start: float, now_s: float, size: float) -> list[Point]:
    points = [_flat(start, 0.0)]
    for row in budget["rows"]:
        if row["consumed"] is None or (budget["unit"] != "kwh" and row["consumed_low"] is None):
            continue
        ends = [row[name] for name in ("consumed_low", "consumed", "consumed_high")]
        low, mid, high = (row["consumed"] if each is None else each for each in ends)
        points.append(Point(min(_epoch_s(row["end"]), now_s), low * size, mid * size, high * size))
    return points


def _flat(at: float, value: float) -> Point:
    return Point(at, value, value, value)


def _runs_out(budget: Mapping[str, Any], plot: Plot, now_s: float, end: float) -> WhenReached | None:
    dates = None if budget["forecast"] is None else budget["forecast"]["exhausted_at"]
    if dates is None or budget["ratio"] >= 1:
        return None
    low = max(_epoch_s(dates["low"]), now_s)
    high = end if dates["high"] is None else _epoch_s(dates["high"])
    mid = None if dates["mid"] is None else round(plot.place(_epoch_s(dates["mid"])), 2)
    height = round(plot.height(budget["limit"] * size_of(budget)), 2)
    return WhenReached(round(plot.place(low), 2), round(plot.place(max(high, low)), 2), mid, height)


def _ticks(budget: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Of so many rows at most, each at its beginning in the budget's own zone."""
    rows = budget["rows"]
    starts = [_local(row["start"], budget) for row in rows]
    if budget["bucket"] == "hour":
        starts = [start for start in starts if start.hour % 4 == 0]
        return [(start.timestamp(), f"{start:%H:%M}") for start in starts]
    if len(starts) > 100 * _TICKS_MAX / 7:
        return [(start.timestamp(), f"{start:%b}") for start in starts if start.day == 1]
    step = -(-len(starts) // _TICKS_MAX)
    return [(start.timestamp(), _day(start)) for start in starts[::step]]


def alert_words(alert: Mapping[str, Any]) -> str:
    """What an alert is about: a threshold, a burn rate, or the forecast."""
    if alert["basis"] == "forecast":
        return "will not last"
    if alert["basis"] == "burn_rate":
        return f"burns at over {exact(alert['threshold'])} times its pace"
    return exact_percent(alert["threshold"])


class Happening(NamedTuple):
    """Thresholds, or early warnings, whose changes were announced together."""

    state: str
    words: list[str]
    early: bool
    rows: list[Mapping[str, Any]]
    """As `/v1/budgets/{name}/history` has them."""


def happenings(changes: Sequence[Mapping[str, Any]]) -> list[Happening]:
    """Changes of one moment are one thing that happened: thresholds reached, the worst of them first, or resolved. Early warnings
    are others."""
    found = []
    for (_, resolved, early), same in groupby(changes, key=_when_and_what):
        rows = list(same)
        words = [alert_words(each) for each in sorted(rows, key=lambda each: float(each["threshold"]))]
        worst = "resolved" if resolved else max(rows, key=lambda each: each["threshold"])["state"]
        found.append(Happening(worst, words, early, rows))
    return found


def _when_and_what(change: Mapping[str, Any]) -> tuple[str, bool, bool]:
    return change["time"], change["state"] == "resolved", change["basis"] != "actual"


class Marked(NamedTuple):
    """A meter: shares of its whole width in percent. `limit` is where the whole limit is."""

    used: float
    low: float
    high: float
    limit: float
    thresholds: list[float]


def meter_of(budget: Mapping[str, Any]) -> Marked:
    """How much of its limit is used, with the ends of the range and the thresholds; what is over the limit is seen as well."""
    limit = budget["limit"]
    carbon = budget["unit"] == "gco2e"
    low, high = (budget["consumed_gco2e"][end] / limit if carbon else budget["ratio"] for end in ("low", "high"))
    whole = max(1.0, budget["ratio"] * 1.02, min(high * 1.02, 1.5), *budget["thresholds"])

    def place(share: float) -> float:
        return float(round(max(0.0, min(1.0, share / whole)) * 100, 2))

    thresholds = [place(each) for each in budget["thresholds"] if each != 1.0]
    return Marked(place(budget["ratio"]), place(low), place(high), place(1.0), thresholds)


class Pace(NamedTuple):
    """The bar of a burn rate: how long it is, and where the pace that lasts is, in percent."""

    rate: float
    lasting: float


def pace_of(rate: float, rates: Sequence[float]) -> Pace:
    """Of one among `rates`."""
    whole = max(1.5, *rates)
    return Pace(round(rate / whole * 100, 2), round(100 / whole, 2))


def rest(budget: Mapping[str, Any], now: datetime) -> timedelta:
    """How long its period still is."""
    return parse_instant(budget["period_end"]) - now


def _epoch_s(value: datetime | str) -> float:
    """Seconds since 1970, for the axis of a chart."""
    return epoch_us(parse_instant(value) if isinstance(value, str) else value) / 1e6
