"""From the text of one CSV file to checked rows. Pure: the loader hands the text in.

Every problem of a file is found before any is reported; the message names file, row (line of the file), column, the
value and what is allowed there.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rice_stream.errors import ReferenceDataError
from rice_stream.instants import BEGINNING_US, END_US, iso_from_us, us_from_iso
from rice_stream.reference.columns import Column, ReferenceTable
from rice_stream.reference.sets.hours import Hours

Cell = str | float | int | bool | None

MAX_PROBLEMS_SHOWN = 10
MAX_FIELD_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One checked row. `where` names file and line; dates are half-open UTC microseconds [valid_from, valid_to)."""

    where: str
    cells: dict[str, Cell]
    valid_from_us: int = BEGINNING_US
    valid_to_us: int = END_US
    overlaid: bool = False
    """Whether the row is of the user's own table or factor set."""
    lapses: bool = False
    """Whether it holds within its dates alone, as rows of factor sets do."""
    hours: Hours | None = None
    """Of a carbon intensity that changes by the hour; the cell has their mean."""
    provisional: bool = False
    """Whether a carbon intensity is an estimate that a final one will follow."""

    def text(self, column: str) -> str:
        cell = self.cells[column]
        return cell if isinstance(cell, str) else ""

    def number(self, column: str) -> float:
        """A required number."""
        cell = self.cells[column]
        if not isinstance(cell, int | float):
            raise ReferenceDataError(f"{self.where}, column {column}: a number is required here")
        return float(cell)

    def optional_number(self, column: str) -> float | None:
        cell = self.cells[column]
        return float(cell) if isinstance(cell, int | float) else None

    def optional_whole(self, column: str) -> int | None:
        cell = self.cells[column]
        return int(cell) if isinstance(cell, int) else None

    def flag(self, column: str) -> bool:
        return self.cells[column] is True

    def optional_flag(self, column: str) -> bool | None:
        return None if self.cells[column] is None else self.flag(column)

    @property
    def valid_from(self) -> str | None:
        """The start as ISO text, None where the row has always applied."""
        return None if self.valid_from_us == BEGINNING_US else iso_from_us(self.valid_from_us)


def key_of(table: ReferenceTable, row: Row) -> tuple[str, ...]:
    """What identifies the row in its table besides its dates, without regard to case."""
    return tuple(row.text(column).lower() for column in table.key)


def read_table(table: ReferenceTable, text: str, file_name: str) -> list[Row]:
    """The rows of one file.

    Raises ReferenceDataError for a wrong header, a cell that its column does not allow, a duplicate key or
    overlapping dates.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    problems: list[str] = []
    rows: list[Row] = []
    try:
        header = next(reader, [])
        _check_header(table, header, file_name)
        for fields in reader:
            if not any(fields):
                continue
            row = read_row(table, header, fields, f"{file_name} row {reader.line_num}", problems)
            if row is not None:
                rows.append(row)
    except csv.Error as error:
        problems.append(
            f"{file_name} row {reader.line_num}: not readable as CSV ({error}); quote text that holds quotes"
        )
    problems += overlaps(table, rows)
    raise_problems(problems)
    return rows


def raise_problems(problems: Sequence[str]) -> None:
    """Raises one ReferenceDataError that lists the problems, if there are any."""
    if not problems:
        return
    shown = "; ".join(problems[:MAX_PROBLEMS_SHOWN])
    left = len(problems) - MAX_PROBLEMS_SHOWN
    raise ReferenceDataError(shown + (f"; and {left} more" if left > 0 else ""))


def _check_header(table: ReferenceTable, header: Sequence[str], file_name: str) -> None:
    expected = [column.name for column in table.columns]
    unknown = [name for name in header if name not in expected]
    missing = [column.name for column in table.columns if column.required and column.name not in header]
    doubled = sorted({name for name in header if list(header).count(name) > 1})
    wrong = [
        *(f"column {name!r} is unknown" for name in unknown),
        *(f"column {name!r} is missing" for name in missing),
        *(f"column {name!r} appears twice" for name in doubled),
    ]
    columns = f"the columns are {', '.join(expected)}; those that may be empty may be left out"
    raise_problems([f"{file_name} row 1: {', '.join(wrong)}; {columns}"] if wrong else [])


def read_row(
    table: ReferenceTable, header: Sequence[str], fields: Sequence[str], where: str, problems: list[str]
) -> Row | None:
    """A checked row of the fields under the header's columns; None with what is wrong added to `problems`."""
    if len(fields) != len(header):
        problems.append(f"{where}: {len(fields)} cells where the header has {len(header)}")
        return None
    given = dict(zip(header, fields, strict=True))
    cells: dict[str, Cell] = {}
    found = len(problems)
    for column in table.columns:
        text = given.get(column.name, "").strip()
        try:
            cells[column.name] = _cell(column, text)
        except ValueError:
            shown = text if len(text) <= 60 else text[:57] + "..."
            problems.append(f"{where}, column {column.name}: {shown!r} is not allowed; it holds {column.allowed()}")
    if len(problems) > found:
        return None
    start, end = _dates(cells) if table.dated else (BEGINNING_US, END_US)
    if start >= end:
        problems.append(f"{where}, column valid_to: it must be later than valid_from")
        return None
    return Row(where, cells, start, end)


def _cell(column: Column, text: str) -> Cell:
    """The typed value of a cell, None for an empty one. Raises ValueError for what the column does not allow."""
    if not text:
        if column.required:
            raise ValueError
        return None
    if len(text) > MAX_FIELD_CHARACTERS:
        raise ValueError
    if column.kind == "number":
        value: float | int = int(text) if column.limits.whole else float(text)
        if not column.limits.allow(value):
            raise ValueError
        return value
    if column.kind == "flag":
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"
    if column.kind == "date":
        us_from_iso(text)
    if column.kind == "choice" and text not in column.choices:
        raise ValueError
    return text


def _dates(cells: dict[str, Cell]) -> tuple[int, int]:
    start, end = cells.get("valid_from"), cells.get("valid_to")
    return (
        us_from_iso(start) if isinstance(start, str) else BEGINNING_US,
        us_from_iso(end) if isinstance(end, str) else END_US,
    )


def overlaps(table: ReferenceTable, rows: Iterable[Row]) -> list[str]:
    """Rows of one file that claim the same thing for the same time."""
    problems: list[str] = []
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_key.setdefault(key_of(table, row), []).append(row)
    for key, same in by_key.items():
        ordered = sorted(same, key=lambda row: row.valid_from_us)
        for earlier, later in pairwise(ordered):
            if later.valid_from_us < earlier.valid_to_us:
                what = "its dates overlap with those of" if table.dated else "its key is that of"
                columns, values = ", ".join(table.key), ", ".join(key)
                problems.append(f"{later.where}, column {columns} ({values}): {what} {earlier.where}; keep one")
    return problems
