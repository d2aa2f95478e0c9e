"""What a table that is sent as a file holds: its columns, and rows in batches."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "whole", "large", "number", "instant", "flag"]


class ExportColumn(NamedTuple):
    """One column: its name, with its unit last, and what its values are.

    `instant` is epoch microseconds, `large` a whole number that may need more than 64 bits.
    """

    name: str
    kind: Kind


Rows = Iterable[Sequence[Sequence[Any]]]
"""Batches of rows, each with a value for every column."""
