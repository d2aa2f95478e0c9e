"""What a column of a reference table may hold, and what a table is."""

from dataclasses import dataclass
from typing import Literal

from rice_stream.quantities import Limits

Kind = Literal["text", "number", "flag", "date", "choice"]

FINITE = Limits()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what its cells may hold. A column of numbers has `limits`, one of choices has `choices`."""

    name: str
    kind: Kind = "text"
    required: bool = False
    limits: Limits = FINITE
    choices: tuple[str, ...] = ()

    def allowed(self) -> str:
        """What a cell may hold, in words, for error messages."""
        words = {
            "text": "text",
            "number": str(self.limits),
            "flag": "true or false",
            "date": "an ISO date (2025-03-01) or UTC time (2025-03-01T00:00:00Z)",
            "choice": "one of " + ", ".join(self.choices),
        }[self.kind]
        return words if self.required else f"{words}, or nothing"


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """One CSV file: its columns in order and the columns that identify a row (besides the dates, where dated)."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    dated: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.csv"


def text_column(name: str, *, required: bool = False) -> Column:
    """A column of words."""
    return Column(name, "text", required)


def number_column(name: str, limits: Limits, *, required: bool = False) -> Column:
    """A column of numbers within limits."""
    return Column(name, "number", required, limits)


def between(low: float, high: float, *, whole: bool = False) -> Limits:
    """Limits with both ends allowed."""
    return Limits(at_least=low, up_to=high, whole=whole)


def choice_column(name: str, *choices: str) -> Column:
    """A required column of one of several words."""
    return Column(name, "choice", required=True, choices=choices)


DATES = (Column("valid_from", "date"), Column("valid_to", "date"))
SOURCE = (text_column("source", required=True), text_column("note"))
YEAR = number_column("year", between(1990, 2100, whole=True))
