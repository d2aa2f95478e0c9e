"""Templates see what Jinja would let them see."""

from dataclasses import dataclass

import pytest
from jinja2 import Environment, StrictUndefined, UndefinedError

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


def test_a_field_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="has no attribute 'absent'"):
        PageTemplates(undefined=StrictUndefined).from_string("{{ row.absent }}").render(row={})
