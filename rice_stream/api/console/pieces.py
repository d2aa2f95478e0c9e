"""Long pieces of pages, made in one go: a template calls for each of hundreds of them, and takes ten times as long. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from rice_stream.api.console.drawing.day_bars import DayBar
from rice_stream.reference.sources import DataSource
from rice_stream.wording.amounts import Kind, Scale, count, in_column, number, percent, range_text

_STEP_DIGITS = 6
_NONE = "\N{EN DASH}"


def name_options(names: Sequence[str], chosen: str | None) -> Markup:
    """Each name as one to choose."""
    html = _options(tuple(names))
    if chosen is None:
        return html
    option = f"<option>{escape(chosen)}</option>"
    selected = option.replace("<option", "<option selected", 1)
    return Markup(str(html).replace(option, selected, 1))  # noqa: S704 - names are escaped already


@lru_cache(maxsize=64)
def _options(names: tuple[str, ...]) -> Markup:
    """Kept: whoever looks at several pages sees the same tenants on each."""
    return Markup("".join(f"<option>{escape(name)}</option>" for name in names))  # noqa: S704 - each is escaped


def cells(values: Sequence[float], kind: Kind, scale: Scale, largest: float) -> Markup:
    """Numbers of columns that have one unit, as the cells of a row."""
    return Markup(_numbers(_told(value, kind, scale, largest) for value in values))  # noqa: S704 - what is told is escaped


def _numbers(told: Iterable[str]) -> str:
    # Escaped all at once: no number has a line in it.
    between = str(escape("\n".join(told))).replace("\n", '</td><td class="n">')
    return f'<td class="n">{between}</td>'


def _told(value: float, kind: Kind, scale: Scale, largest: float) -> str:
    return count(int(value)) if kind == "count" else in_column(value, scale, largest)


def bar_rows(chart: Mapping[str, Any], kind: Kind, scale: Scale, largest: float, *, ranges: bool) -> Markup:
    """A row for each bar of a chart over time (`explore_chart`): when, each series, all of them, and with `ranges` the range."""
    in_part, rows = set(chart["incomplete"]), []
    for place, (label, values, total) in enumerate(zip(chart["labels"], chart["rows"], chart["totals"], strict=True)):
        told = [_told(value, kind, scale, largest) for value in values]
        if ranges:
            told.append("" if total is None else range_text(total["carbon_gco2e"], kind, scale))
        part = " (in part)" if place in in_part else ""
        rows.append(f'<tr><th scope="row">{escape(label)}{part}</th>{_numbers(told)}</tr>')
    return Markup("".join(rows))  # noqa: S704 - each is escaped


def day_rects(bars: Iterable[DayBar]) -> Markup:
    """The pieces of bars, each a rectangle in percent of the plane."""
    rectangles = [
        f'<rect class="{piece.style}" x="{bar.left}%" width="{bar.width}%" y="{piece.top}%" height="{piece.height}%"/>'
        for bar in bars
        for piece in bar.pieces
    ]
    return Markup("".join(rectangles))  # noqa: S704 - numbers, and words of ours


def day_rows(days: Iterable[Mapping[str, Any]], scale: Scale, largest: float) -> Markup:
    """A row for each day: the share of each tier, carbon and prompts."""
    rows = []
    for day in days:
        shares = [_share(tier["share_of_carbon"]) for tier in day["tiers"]]
        told = [*shares, in_column(day["carbon_gco2e"], scale, largest), count(day["prompts"])]
        rows.append(f'<tr><th scope="row">{escape(day["day"])}</th>{_numbers(told)}</tr>')
    return Markup("".join(rows))  # noqa: S704 - each is escaped


def step_value(step: Mapping[str, Any]) -> Markup:
    """The value of a step of an explanation with its unit, as it is in the API's answer."""
    value, unit = step["value"], step["unit"]
    if isinstance(value, int) and not isinstance(value, bool):
        told = count(value)
    elif isinstance(value, float):
        told = number(value, _STEP_DIGITS)
        told = told.rstrip("0").rstrip(".") if "." in told else told
    else:
        told = _NONE if value is None else str(value)
    return escape(f"{told} {unit}" if unit else told)


def step_source(step: Mapping[str, Any], licences: Iterable[DataSource]) -> Markup:
    """Where a figure is from, and under which licence."""
    named = "".join(f' <span class="of">({escape(each.licence)})</span>' for each in licences)
    return Markup(f"{escape(step['source'])}{named}")  # noqa: S704 - both are escaped


def step_rows(steps: Iterable[Mapping[str, Any]], licences: Mapping[str, Sequence[DataSource]]) -> Markup:
    """A row for each step: its name, value, formula and source."""
    rows = [
        f'<tr><th scope="row"><code>{escape(step["name"])}</code></th><td class="n">{step_value(step)}</td>'
        f'<td class="how-so">{escape(step["formula"])}</td>'
        f'<td class="how-so">{step_source(step, licences[step["name"]])}</td></tr>'
        for step in steps
    ]
    return Markup("".join(rows))  # noqa: S704 - each is escaped


def _share(share: float | None) -> str:
    return _NONE if share is None else percent(share)
