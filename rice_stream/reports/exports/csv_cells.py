"""Lines of CSV (RFC 4180) from columns: what many rows have in common becomes text once."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from rice_stream.instants import SECOND_US, rfc3339
from rice_stream.reports.column_batches import Coded, Whole
from rice_stream.reports.exports.columns import DECIMALS, decimal_text

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BETWEEN = "\0"
_NEEDS_CARE = re.compile(r'[",\r\n]|(?:^|\0)[=+\-@\t]')
"""In texts that are joined by _BETWEEN: something to be quoted, or the start of a formula."""
_UNITS_US = {"s": SECOND_US, "ms": 1000, "us": 1}


def csv_row(values: Sequence[object]) -> str:
    """One line, without its end."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n")


def csv_lines(columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> str:
    """The lines of rows, given by column and with the kind of each; None is an empty cell."""
    cells = [text for run in _runs(columns, kinds) for text in _texts(run)]
    # A line of one empty cell would be an empty line, which readers leave out.
    empty = '""' if len(columns) == 1 else ""
    return "".join(f"{line or empty}\r\n" for line in map(",".join, zip(*cells, strict=True)))


_Column = tuple[Sequence[Any], str]


def _runs(columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> Iterator[list[_Column]]:
    """Columns side by side that share their codes, together; every other one alone."""
    placed = list(enumerate(zip(columns, kinds, strict=True)))

    def shared(placed_column: tuple[int, _Column]) -> int:
        place, (column, _) = placed_column
        return id(column.codes) if isinstance(column, Coded) else -1 - place

    for _, run in groupby(placed, shared):
        yield [column for _, column in run]


def _texts(run: Sequence[_Column]) -> Iterator[Sequence[str]]:
    """The cells of the columns of a run; those of columns that share their codes as one."""
    first, kind = run[0]
    if isinstance(first, Coded):
        made = (map(_CELLS[kind], column.values) for column, kind in run if isinstance(column, Coded))
        lines = list(map(csv_row, zip(*made, strict=True)))
        if len(run) == 1:
            lines = ["" if line == '""' else line for line in lines]
        yield list(map(lines.__getitem__, first.codes.tolist()))
    elif isinstance(first, Whole):
        yield _of_numbers(first, kind)
    elif kind == "text":
        yield _of_texts(first)
    else:
        yield ["" if value is None else str(_CELLS[kind](value)) for value in first]


def _of_numbers(column: Whole, kind: str) -> list[str]:
    if kind == "instant":
        texts = _instants(column)
    elif kind in DECIMALS:
        texts = [decimal_text(value, DECIMALS[kind]) for value in column.values.tolist()]
    else:
        texts = list(map(str, column.values.tolist()))
    for row in np.flatnonzero(column.missing).tolist():
        texts[row] = ""
    return texts


def _instants(column: Whole) -> list[str]:
    """As `rfc3339` writes them."""
    texts = np.empty(len(column), dtype=object)
    written = np.zeros(len(column), dtype=bool)
    for unit, microseconds in _UNITS_US.items():
        now = ~written & (column.values % microseconds == 0)
        if now.any():
            moments = (column.values[now] // microseconds).astype(f"datetime64[{unit}]")
            texts[now] = np.datetime_as_string(moments, timezone="UTC")
            written |= now
    return list(texts)


def _of_texts(column: Sequence[str | None]) -> list[str]:
    texts = ["" if value is None else value for value in column]
    if not _NEEDS_CARE.search(_BETWEEN.join(texts)):
        return texts
    return [csv_row([_text(value)]) if value else "" for value in texts]


def _text(value: str | None) -> str:
    return "" if value is None else f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _number(value: float | None) -> object:
    return "" if value is None else float(value)


def _whole(value: int | None) -> object:
    return "" if value is None else int(value)


def _instant(value: int | None) -> str:
    return "" if value is None else rfc3339(value)


def _decimal(kind: str, value: int | None) -> str:
    return "" if value is None else decimal_text(value, DECIMALS[kind])


def _flag(value: bool | None) -> str:  # noqa: FBT001 - a cell's value
    return "" if value is None else "true" if value else "false"


_CELLS: dict[str, Callable[[Any], object]] = {
    "text": _text,
    "whole": _whole,
    "large": _whole,
    "number": _number,
    "instant": _instant,
    "flag": _flag,
    **{kind: partial(_decimal, kind) for kind in DECIMALS},
}
