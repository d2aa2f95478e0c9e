"""What a table that leaves as a file holds: its columns, and rows in batches."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["text", "whole", "large", "number", "instant", "flag", "micro", "nano", "pico"]
DECIMALS = {"micro": 6, "nano": 9, "pico": 12}
"""Kinds whose values are whole numbers of a small unit, shown in a larger one with all their decimals: nothing is rounded."""


class ExportColumn(NamedTuple):
    """One column: its name, with its unit last, and what its values are.

    `instant` is epoch microseconds, `large` a whole number that may need more than 64 bits, `micro` one of millionths of the unit.
    """

    name: str
    kind: Kind


Rows = Iterable[Sequence[Sequence[Any]]]
"""Batches of rows, each with a value for every column."""


def decimal_text(value: int, decimals: int) -> str:
    """A whole number of small units as an exact decimal of the large one.

    >>> decimal_text(2_500_000, 6), decimal_text(-1, 9)
    ('2.500000', '-0.000000001')
    """
    digits = f"{abs(value):0{decimals + 1}}"
    return f"{'-' if value < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"
