"""The chart of the page Explore: stacked bars over time, as a still picture, as numbers, and for what draws over it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from rice_stream.api.console.drawing.stacks import stacks_of
from rice_stream.api.console.pages.explore_asked import SERIES_MAX, Measure
from rice_stream.api.console.pages.explore_rows import amount, amounts_of_sums, kind_of, name_of
from rice_stream.api.console.stretches import BarTime
from rice_stream.reports.totals_curves import Curve, Curves
from rice_stream.wording.amounts import DIGITS, Scale

_TICKS_MAX = 8


def chart_of(
    measure: Measure,
    by: str,
    bars: Sequence[BarTime],
    answers: tuple[Curves, dict[str, Any]],
    stretch: tuple[datetime, datetime],
    zone: str,
) -> dict[str, Any]:
    """From the sums by name and bucket, and the answer by bucket alone, of the same stretch; `stretch` ends now at the latest."""
    series, whole = answers
    bucket = whole["by"][-1]
    places = {bar.key: place for place, bar in enumerate(bars)}
    values = [[0.0] * len(bars) for _ in series.curves]
    for own, curve in zip(values, series.curves, strict=True):
        amounts = amounts_of_sums(measure, curve.by_bucket.values())
        for key, value in zip(curve.by_bucket, amounts, strict=True):
            own[places[key]] = value
    totals: list[Mapping[str, Any] | None] = [None] * len(bars)
    for row in whole["rows"]:
        totals[places[row[bucket]]] = row
    wholes = [0.0 if row is None else amount(measure, row) for row in totals]
    ranges = [_ends(row) if measure == "carbon" and row is not None else None for row in totals]
    start, end = stretch
    incomplete = [place for place, bar in enumerate(bars) if bar.start < start or bar.end > end]
    others = series.names_total - SERIES_MAX
    names = [name_of(by, _named(by, curve), others) for curve in series.curves]
    styles = ["other" if curve.names is None else f"s{place + 1}" for place, curve in enumerate(series.curves)]
    labels = _labels(bars, bucket, zone)
    drawn = stacks_of(
        list(zip(styles, names, values, strict=True)),
        kind_of(measure),
        _ticks(labels),
        incomplete=incomplete,
        ranges=ranges,
    )
    return {
        "still": drawn,
        "names": names,
        "labels": labels,
        "rows": [[*each, whole] for *each, whole in zip(*values, wholes, strict=True)],
        "totals": totals,
        "wholes": wholes,
        "of_series": amounts_of_sums(measure, [curve.whole for curve in series.curves]),
        "total": amount(measure, whole["total"]),
        "incomplete": incomplete,
        "moving": _moving(drawn.scale, names, styles, labels, values, ranges, incomplete),
    }


def _named(by: str, curve: Curve) -> dict[str, Any]:
    return {"other": True} if curve.names is None else {by: curve.names[0]}


def _ends(row: Mapping[str, Any]) -> tuple[float, float]:
    return row["carbon_gco2e"]["low"], row["carbon_gco2e"]["high"]


def _labels(bars: Sequence[BarTime], bucket: str, zone: str) -> list[str]:
    """What stands below the bars: all of it where a table lists them."""
    return [_label(bar.start, bucket, zone) for bar in bars]


@lru_cache(maxsize=4096)
def _label(start: datetime, bucket: str, zone: str) -> str:
    there = start.astimezone(ZoneInfo(zone))
    if bucket == "month":
        return f"{there:%b %Y}"
    day = f"{there.day} {there:%b}"
    return day if bucket == "day" else f"{day}, {there:%H:%M}"


def _ticks(labels: Sequence[str]) -> list[tuple[int, str]]:
    step = -(-len(labels) // _TICKS_MAX)
    return (
        [(place, labels[place]) for place in range(step // 2 if step > 1 else 0, len(labels), step)] if labels else []
    )


def _moving(
    scale: Scale,
    names: Sequence[str],
    styles: Sequence[str],
    labels: Sequence[str],
    values: Sequence[Sequence[float]],
    ranges: Sequence[tuple[float, float] | None],
    incomplete: Sequence[int],
) -> dict[str, Any]:
    """What charts.js needs: amounts in the chart's unit, to the digits that are shown."""

    def short(value: float) -> float:
        return float(f"{value / scale.size:.{DIGITS}g}")

    return {
        "kind": "bars",
        "stacked": True,
        "legend": False,
        "unit": scale.unit,
        "labels": labels,
        "hatched": incomplete,
        "ranges": [None if each is None else [short(end) for end in each] for each in ranges],
        "series": [
            {"name": name, "values": [short(value) for value in each], "other": style == "other"}
            for name, style, each in zip(names, styles, values, strict=True)
        ],
    }
