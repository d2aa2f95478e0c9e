"""The month's chart: carbon by day with its range, the days of the month before beside them, and today, which is not over. Pure."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from rice_stream.api.console.drawing.plots import Plot, Point, plot_of
from rice_stream.api.console.pages.overview_times import Times
from rice_stream.wording.amounts import Scale

Row = Mapping[str, Any]
_NOTHING = {"low": 0.0, "mid": 0.0, "high": 0.0}
_TICKS = (1, 8, 15, 22, 29)
_MIDDLE = 0.5
"""A day's point stands in its middle."""


class Unfinished(NamedTuple):
    """Today's column, in percent of the chart: from the left, its width, and from the top where its amount and its range end."""

    left: float
    width: float
    low: float
    mid: float
    high: float


class DayRow(NamedTuple):
    """One line of the table: a day of this month, and the same of the month before; None: not there."""

    number: int
    now: Mapping[str, float] | None
    before: Mapping[str, float] | None


class MonthChart(NamedTuple):
    """Ready to be drawn; `moving` is what charts.js needs to know."""

    plot: Plot
    today: Unfinished
    moving: dict[str, Any]
    rows: list[DayRow]
    scale: Scale
    largest: float


def month_chart(times: Times, begins: date, rows: Sequence[Row], rows_before: Sequence[Row]) -> MonthChart:
    """From the answers by day of both months. Days without prompts are zero; before the ledger begins there are none."""
    by_day = {row["day"]: row["carbon_gco2e"] for row in [*rows_before, *rows]}

    def of(day: date) -> Mapping[str, float] | None:
        return by_day.get(day.isoformat(), _NOTHING) if begins <= day <= times.today else None

    length = monthrange(times.month.year, times.month.month)[1]
    length_before = monthrange(times.month_before.year, times.month_before.month)[1]
    both = max(length, length_before)
    table = [
        DayRow(
            number + 1,
            of(times.month + timedelta(days=number)) if number < length else None,
            of(times.month_before + timedelta(days=number)) if number < length_before else None,
        )
        for number in range(both)
    ]
    today = table[times.today.day - 1].now or _NOTHING
    over = [row._replace(now=None) if row.number >= times.today.day else row for row in table]
    plot = plot_of(
        [
            ("before", f"{times.month_before:%B}", _points((row.number, row.before) for row in over)),
            ("now", f"{times.month:%B}", _points((row.number, row.now) for row in over)),
        ],
        "carbon",
        [(day - _MIDDLE, _label(times, day)) for day in _TICKS if day <= both],
        ends=(0, both),
        least_top=today["high"],
    )
    # A band around the month before as well would hide this one's.
    plot = plot._replace(lines=[plot.lines[0]._replace(band=""), *plot.lines[1:]])
    left, right = plot.place(times.today.day - 1), plot.place(times.today.day)
    heights = (plot.height(today[end]) for end in ("low", "mid", "high"))
    column = Unfinished(left, right - left, *heights)
    return MonthChart(plot, column, _moving(times, over, today, plot.scale), table, plot.scale, _largest(table))


def _points(days: Any) -> list[Point]:
    return [Point(number - _MIDDLE, value["low"], value["mid"], value["high"]) for number, value in days if value]


def _label(times: Times, number: int) -> str:
    """A day of this month; of the month before where this one has no such day."""
    length = monthrange(times.month.year, times.month.month)[1]
    return f"{number} {times.month if number <= length else times.month_before:%b}"


def _largest(rows: Sequence[DayRow]) -> float:
    return max((each["mid"] for row in rows for each in (row.now, row.before) if each), default=0.0)


def _moving(times: Times, rows: Sequence[DayRow], today: Mapping[str, float], scale: Scale) -> dict[str, Any]:
    def series(style: str, name: str, values: list[Mapping[str, float] | None], *, band: bool) -> dict[str, Any]:
        ends = ("low", "mid", "high") if band else ("mid",)
        return {
            "style": style,
            "name": name,
            **{end: [None if value is None else value[end] / scale.size for value in values] for end in ends},
        }

    so_far = [today if row.number == times.today.day else None for row in rows]
    return {
        "kind": "lines",
        "unit": scale.unit,
        "labels": [_label(times, row.number) for row in rows],
        "series": [
            series("now", f"{times.month:%B}", [row.now for row in rows], band=True),
            series("before", f"{times.month_before:%B}, same day", [row.before for row in rows], band=False),
            series("unfinished", "today so far", so_far, band=True),
        ],
    }
