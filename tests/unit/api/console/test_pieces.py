"""Pieces of pages that are made in one go are what a template would make of them, name by name and number by number."""

from datetime import date

import pytest
from jinja2 import Environment

from rice_stream.api.console.drawing.day_bars import BarPiece, DayBar
from rice_stream.api.console.pieces import bar_rows, cells, day_rects, day_rows, name_options, step_rows, step_value
from rice_stream.reference.sources import DataSource
from rice_stream.wording.amounts import Kind, count, in_column, number, percent, scale_for

NAMES = ("acme", "<b>acme</b>", 'a"b', "x & y", "acme </option><option>")
OPTIONS = "{% for name in names %}<option{% if name == chosen %} selected{% endif %}>{{ name }}</option>{% endfor %}"
CELLS = '{% for each in told %}<td class="n">{{ each }}</td>{% endfor %}'


def _rendered(template: str, **values: object) -> str:
    return Environment(autoescape=True).from_string(template).render(**values)


def test_options_are_the_names_as_text_with_the_chosen_one_selected() -> None:
    for chosen in (*NAMES, None, "nobody"):
        assert name_options(NAMES, chosen) == _rendered(OPTIONS, names=NAMES, chosen=chosen)


def test_cells_hold_each_number_as_its_column_shows_it() -> None:
    values = [1_234.5, 0.0, 0.000_001, 77.25]
    for kind, largest in (("carbon", 1_234.5), ("energy", 5_000.0)):
        scale = scale_for(kind, [largest])  # type: ignore[arg-type]
        told = [in_column(value, scale, largest) for value in values]
        assert cells(values, kind, scale, largest) == _rendered(CELLS, told=told)  # type: ignore[arg-type]
    counted: Kind = "count"
    told = [count(int(value)) for value in values]
    assert cells(values, counted, scale_for(counted, values), 1.0) == _rendered(CELLS, told=told)


RECTANGLES = (
    '{% for bar in bars %}{% for piece in bar.pieces %}<rect class="{{ piece.style }}" x="{{ bar.left }}%"'
    ' width="{{ bar.width }}%" y="{{ piece.top }}%" height="{{ piece.height }}%"/>{% endfor %}{% endfor %}'
)
DAYS = (
    '{% for day in days %}<tr><th scope="row">{{ day.day }}</th>{% for share in day.shares %}<td class="n">{{ share }}</td>'
    "{% endfor %}</tr>{% endfor %}"
)
STEPS = (
    '{% for name, value, formula, source, licence in rows %}<tr><th scope="row"><code>{{ name }}</code></th>'
    '<td class="n">{{ value }}</td><td class="how-so">{{ formula }}</td>'
    '<td class="how-so">{{ source }} <span class="of">({{ licence }})</span></td></tr>{% endfor %}'
)


def test_bars_of_days_are_rectangles() -> None:
    bars = [
        DayBar(date(2026, 11, 1), 0.5, 9.0, [BarPiece("measured", 75, 25), BarPiece("missing", 0, 75)]),
        DayBar(date(2026, 11, 2), 10.5, 9.0, []),
    ]
    assert day_rects(bars) == _rendered(RECTANGLES, bars=bars)


def test_rows_of_days_have_shares_carbon_and_prompts() -> None:
    """A share that is next to nothing is told with a sign that is no markup."""
    shares = [0.25, 0.0001, None]
    day = {
        "day": "2026-11-01",
        "tiers": [{"share_of_carbon": share} for share in shares],
        "carbon_gco2e": 77.25,
        "prompts": 4000,
    }
    scale = scale_for("carbon", [1_234.5])
    told = [percent(0.25), percent(0.0001), "–", in_column(77.25, scale, 1_234.5), count(4000)]
    assert day_rows([day], scale, 1_234.5) == _rendered(DAYS, days=[{"day": day["day"], "shares": told}])


def test_rows_of_steps_are_text_whatever_they_say() -> None:
    steps = [{"name": "<a>", "value": "x & y", "unit": "", "formula": "a < b", "source": "'t\""}]
    rows = [("<a>", "x & y", "a < b", "'t\"", "CC <BY>")]
    licensed = DataSource("s", "t", "1", "CC <BY>", "https://s.example")
    assert step_rows(steps, {"<a>": [licensed]}) == _rendered(STEPS, rows=rows)


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (12_345, "ugCO2e", f"{count(12_345)} ugCO2e"),
        (0.25, "", "0.25"),
        (1.0, "Wh", "1 Wh"),
        (1234567.0, "J", f"{number(1234567.0, 6)} J"),
        (None, "", "–"),
        ("H100", "", "H100"),
    ],
)
def test_a_step_tells_its_value_as_the_api_does(value: object, unit: str, told: str) -> None:
    assert step_value({"value": value, "unit": unit}) == told


def test_rows_of_bars_tell_each_series_and_the_range_of_all() -> None:
    """A bar that is not over says so; one without prompts has no range; what a label says is never markup."""
    scale = scale_for("carbon", [5.0])
    whole = {"carbon_gco2e": {"low": 1.0, "mid": 5.0, "high": 9.0}}
    chart = {
        "labels": ["1 <Nov>", "2 Nov"],
        "rows": [[2.0, 3.0, 5.0], [0.0, 0.0, 0.0]],
        "totals": [whole, None],
        "incomplete": [1],
    }
    assert str(bar_rows(chart, "carbon", scale, 5.0, ranges=True)) == (
        '<tr><th scope="row">1 &lt;Nov&gt;</th><td class="n">2.000</td><td class="n">3.000</td><td class="n">5.000</td>'
        '<td class="n">1.00–9.00\u202fgCO₂e</td></tr>'
        '<tr><th scope="row">2 Nov (in part)</th><td class="n">0.000</td><td class="n">0.000</td><td class="n">0.000</td>'
        '<td class="n"></td></tr>'
    )
    assert "–" not in bar_rows(chart, "carbon", scale, 5.0, ranges=False)
