"""Leaves of a closed month: the canonical bytes of a record, made of keys and whole amounts.

A leaf holds no names. Keys stand for them, and a table of the ledger says for what: so a person's name can be erased there, and
every proof holds as before.
"""

import json
from collections.abc import Sequence

from rice_stream.canonical_json import INTEGER_MAX

LeafValue = int | bytes | str | None
"""A key or an amount; bytes are written in hexadecimal, integers that a double does not hold exactly in digits as text."""
Written = int | str
"""An integer that a double holds exactly, or JSON."""


class LeafWriter:
    """Makes the leaves of records of the same columns: canonical JSON (RFC 8785), several hundred thousand a second."""

    def __init__(self, columns: Sequence[str]) -> None:
        """The columns in the order in which records come. ValueError: one is there twice, or not named in plain letters."""
        if len(set(columns)) != len(columns):
            raise ValueError("a column of a leaf is there twice")
        if not all(name.isascii() and name.isidentifier() for name in columns):
            raise ValueError("columns of a leaf are named in letters, digits and underscores")
        self._order = sorted(range(len(columns)), key=columns.__getitem__)
        self._form = "{" + ",".join(f'"{columns[each]}":%s' for each in self._order) + "}"

    def leaf(self, record: Sequence[LeafValue]) -> bytes:
        """The leaf of a record."""
        [leaf] = self.leaves([[as_written(value)] for value in record])
        return leaf

    def leaves(self, columns: Sequence[Sequence[Written]]) -> list[bytes]:
        """The leaves of records, by column and as written: where that takes a look at every value, most columns need none."""
        form = self._form
        return [(form % record).encode() for record in zip(*(columns[each] for each in self._order), strict=True)]


def as_written(value: LeafValue) -> Written:
    """A value as it stands in a leaf."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return value if -INTEGER_MAX <= value <= INTEGER_MAX else f'"{value}"'
    if isinstance(value, bytes):
        return f'"{value.hex()}"'
    return json.dumps(value, ensure_ascii=False)
