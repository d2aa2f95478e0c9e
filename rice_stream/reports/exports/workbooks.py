"""Rows as an XLSX workbook whose bytes depend on nothing but what is in it: one sheet of rows, one that says what they are."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.reports.exports.columns import DECIMALS, ExportColumn, Rows, decimal_text

ROWS_MAX = 1_048_575
"""Rows of a sheet below its header."""
_EXACT_DIGITS = 15
"""A cell holds a double: longer numbers are written as text, digit by digit."""
_WIDTH_MIN, _WIDTH_MAX = 10, 28


def write_workbook(
    path: Path,
    columns: Sequence[ExportColumn],
    batches: Rows,
    facts: Callable[[], Sequence[tuple[str, str]]],
    *,
    created: datetime,
) -> None:
    """Write the rows to the first sheet and `facts`, asked for once the rows are written, to the second.

    Memory does not grow with the rows. Text is written as text: no cell is a formula. UsageError: more rows than a sheet holds, or
    the library is not installed. OSError: it cannot be written.
    """
    try:
        import xlsxwriter
        from xlsxwriter.exceptions import FileCreateError
    except ModuleNotFoundError as error:
        raise UsageError("format: no XLSX is written here; install rice-stream[reports], or ask for csv") from error
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    try:
        with _WholeWrites(path, "w") as file, xlsxwriter.Workbook(file, options) as book:
            book.set_properties({"created": created.replace(tzinfo=None), "comments": "rice-stream export"})
            bold = book.add_format({"bold": True})
            _write_rows(book, columns, batches, bold)
            _write_facts(book, facts(), bold)
    except FileCreateError as error:  # what the system said, in the library's own error
        raise error.args[0] from error


class _WholeWrites(io.FileIO):
    """A file that says once that it cannot be written: what is begun in it writes its end when it is forgotten, and would say so
    again where nobody listens."""

    _has_failed = False

    def write(self, data: Any, /) -> int:
        """All of it."""
        left = memoryview(data)
        while len(left) and not self._is_over:
            try:
                left = left[super().write(left) :]
            except OSError:
                self._has_failed = True
                raise
        return len(data)

    def seek(self, *place: int) -> int:
        """Nowhere, once it is over."""
        return 0 if self._is_over else super().seek(*place)

    def tell(self) -> int:
        """Where it is."""
        return 0 if self._is_over else super().tell()

    def flush(self) -> None:
        """What is written is written at once."""

    @property
    def _is_over(self) -> bool:
        return self._has_failed or self.closed


def _write_rows(book: Any, columns: Sequence[ExportColumn], batches: Rows, bold: Any) -> None:
    formats = {kind: book.add_format({"num_format": f"0.{'0' * decimals}"}) for kind, decimals in DECIMALS.items()} | {
        "whole": book.add_format({"num_format": "0"})
    }
    sheet = book.add_worksheet("Rows")
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, min(max(len(column.name) + 1, _WIDTH_MIN), _WIDTH_MAX))
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column.name, bold)
    number = 0
    for batch in batches:
        for values in batch:
            number += 1
            if number > ROWS_MAX:
                raise UsageError(f"format: a sheet holds {ROWS_MAX} rows; ask for csv or parquet")
            for place, (column, value) in enumerate(zip(columns, values, strict=True)):
                _write(sheet, number, place, column.kind, value, formats)


def _write_facts(book: Any, facts: Sequence[tuple[str, str]], bold: Any) -> None:
    about = book.add_worksheet("About")
    about.set_column(0, 0, 26)
    about.set_column(1, 1, 90)
    for row, (name, said) in enumerate(facts):
        about.write_string(row, 0, name, bold)
        about.write_string(row, 1, said)


def _write(sheet: Any, row: int, place: int, kind: str, value: Any, formats: dict[str, Any]) -> None:
    if value is None:
        return
    if kind in DECIMALS:
        text = decimal_text(value, DECIMALS[kind])
        if len(str(abs(value))) > _EXACT_DIGITS:
            sheet.write_string(row, place, text)
        else:
            sheet.write_number(row, place, float(text), formats[kind])
    elif kind in ("whole", "large"):
        if len(str(abs(value))) > _EXACT_DIGITS:
            sheet.write_string(row, place, str(value))
        else:
            sheet.write_number(row, place, int(value), formats["whole"])
    elif kind == "number":
        sheet.write_number(row, place, float(value))
    elif kind == "flag":
        sheet.write_boolean(row, place, bool(value))
    else:
        sheet.write_string(row, place, rfc3339(value) if kind == "instant" else str(value))
