"""Leaves of records are canonical JSON."""

import pytest

from rice_stream.canonical_json import INTEGER_MAX, canonical_json
from rice_stream.transparency.leaves import LeafWriter

COLUMNS = ("tenant_key", "event_key", "carbon_mid_ugco2e", "user_key", "Zone", "note")


def test_a_leaf_is_the_canonical_json_of_its_columns() -> None:
    """In the order of names, whatever that of the columns; bytes as hexadecimal, what is too large for a double as text."""
    writer = LeafWriter(COLUMNS)
    for key, amount, user, note in (
        (b"\0\xff", 17, None, 'a "word"\n\u20ac'),
        (b"", INTEGER_MAX, 0, ""),
        (b"x", -INTEGER_MAX, -1, "\x7f"),
    ):
        record = (1, key, amount, user, 3, note)
        expected = dict(zip(COLUMNS, (1, key.hex(), amount, user, 3, note), strict=True))
        assert writer.leaf(record) == canonical_json(expected)
    assert LeafWriter(["a"]).leaf([INTEGER_MAX + 1]) == canonical_json({"a": str(INTEGER_MAX + 1)})


def test_columns_that_are_there_twice_or_need_quoting_are_refused() -> None:
    """A leaf is an object of JSON, whose order is that of plain letters."""
    for columns in (("a", "a"), ('a"b',), ("\u00e4",)):
        with pytest.raises(ValueError, match="column"):
            LeafWriter(columns)
