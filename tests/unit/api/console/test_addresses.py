"""Addresses of pages are written as Python's own library writes parameters, whatever names they have."""

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.addresses import address, query_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=5))
def test_parameters_are_those_of_urlencode(pairs: list[tuple[str, str]]) -> None:
    assert query_of(pairs) == urlencode(pairs)
    given_ones = [(name, value) for name, value in pairs if value]
    assert address("/explore", pairs) == (f"/explore?{urlencode(given_ones)}" if given_ones else "/explore")
