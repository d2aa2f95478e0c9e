"""Pieces of pages that are made in one go are what a template would make of them, name by name and number by number."""

from jinja2 import Environment

from rice_stream.api.console.pieces import cells, name_options
from rice_stream.wording.amounts import Kind, count, in_column, scale_for

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
