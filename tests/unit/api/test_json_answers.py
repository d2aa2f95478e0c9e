"""Documents of the routes that are asked most say what the standard library would write, to the last digit."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rice_stream.api.json_answers import encoded

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.none() | st.booleans() | st.integers() | _FINITE | st.text(st.characters(codec="utf-8"))
_DOCUMENTS = st.dictionaries(
    st.text(st.characters(codec="utf-8")), _VALUES | st.lists(_VALUES | st.dictionaries(st.text("ab"), _VALUES))
)


@given(_DOCUMENTS)
@example({"tiny": 1.5e-05, "large": 1e22, "whole": 2**70, "name": 'q"\\\n\x1f/\u2028'})
@example({"amount": 0.0001, "none": None, "\x7f": [True, -0.0, 123456.789]})
def test_a_document_reads_as_it_was_written_and_in_its_order(document: dict[str, object]) -> None:
    """Read and written again, it is to the digit what the standard library makes of it; without very small and very large numbers
    it is the same text."""
    written, standard = encoded(document), json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert json.dumps(json.loads(written)) == json.dumps(document)
    assert "e" in standard or written == standard.encode()


def test_what_is_no_json_is_an_error() -> None:
    with pytest.raises(TypeError):
        encoded({"what": object()})
