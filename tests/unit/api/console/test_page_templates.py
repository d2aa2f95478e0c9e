"""Templates see what Jinja would let them see."""

from dataclasses import dataclass

import pytest
from jinja2 import Environment, StrictUndefined, UndefinedError
from markupsafe import escape

from rice_stream.api.console.page_templates import PageTemplates


@dataclass
class Thing:
    name: str


TEMPLATES = (
    "{{ row.name }}",
    "{{ row.items() | list }} {{ row.get('name') }} {{ row.keys() | list }}",
    "{{ row['items'] }}",
    "{{ thing.name }}",
    "{{ row.absent is defined }} {{ thing.absent is defined }}",
    "{{ row.thing.name }} {{ 'text'.upper() }}",
    "{{ row | map(attribute='x') | list if none else rows | map(attribute='name') | join }}",
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_filled_in_as_by_jinja(template: str) -> None:
    """Fields of dicts, also those that are called as a method is, attributes of others, and what is not there."""
    row = {"name": "<a>", "items": 1, "thing": Thing("b")}
    told = {"row": row, "rows": [row], "thing": Thing("c")}
    ours, jinjas = (
        kind(autoescape=True, undefined=StrictUndefined).from_string(template).render(told)
        for kind in (PageTemplates, Environment)
    )
    assert ours == jinjas


class _OfItsOwn:
    """Says what it is in HTML."""

    def __html__(self) -> str:
        return "<i>'own'</i>"


class _Text(str):
    """Text of another kind."""


@pytest.mark.parametrize(
    "value", ["plain", "<a href='x' title=\"y\">&amp;</a>", "", 7, 1.5, None, _OfItsOwn(), _Text("<b>")]
)
def test_what_is_written_is_escaped_as_ever(value: object) -> None:
    """Text of a name is never markup; what is markup already stays it, also through macros, filters and blocks."""
    template = (
        "{{ value }}{% macro own(x) %}[{{ x }}]{% endmacro %}{{ own(value) }}{{ own(own(value)) }}"
        "{% set said %}{{ value }}<b>{% endset %}{{ said }}{{ value | string | upper }}"
        "{{ (value | string) ~ '<' }}{{ value | string | safe }}"
    )
    ours, jinjas = (
        kind(autoescape=True, undefined=StrictUndefined).from_string(template).render(value=value)
        for kind in (PageTemplates, Environment)
    )
    assert ours == jinjas
    assert PageTemplates.written(value) == escape(value)


def test_what_is_not_there_is_an_error_where_it_is_written() -> None:
    with pytest.raises(UndefinedError, match="'absent' is undefined"):
        PageTemplates(autoescape=True, undefined=StrictUndefined).from_string("{{ absent }}").render()


def test_a_field_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="has no attribute 'absent'"):
        PageTemplates(undefined=StrictUndefined).from_string("{{ row.absent }}").render(row={})
