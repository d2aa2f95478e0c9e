"""Lines of CSV (RFC 4180) from columns: what many rows have in common becomes text once, and numbers without an object for each."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from rice_stream.instants import rfc3339
from rice_stream.reports.column_batches import Coded, Whole
from rice_stream.reports.exports.byte_matrices import (
    PAD,
    Matrix,
    in_lines,
    of_encoded,
    of_instants,
    of_numbers,
    of_texts,
)
from rice_stream.reports.exports.columns import DECIMALS, decimal_text
from rice_stream.store.copied import CopiedTexts

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FORMULA_BYTES = np.frombuffer("".join(_FORMULA_STARTS).encode(), dtype=np.uint8)
_QUOTED = re.compile(rb'[",\r\n]')
_BETWEEN = "\0"
_NEEDS_CARE = re.compile(r'[",\r\n]|(?:^|\0)[=+\-@\t]')
"""In texts that are joined by _BETWEEN: something to be quoted, or the start of a formula."""
_ROWS_AT_ONCE = 2_048
"""Bounds what is held of lines while they are made."""


def csv_row(values: Sequence[object]) -> str:
    """One line, without its end."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n")


def csv_lines(columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> bytes:
    """The lines of rows in UTF-8, given by column and with the kind of each; None is an empty cell."""
    rows = len(columns[0])
    pieces = (_between(columns, start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE))
    return b"".join(_lines(piece, kinds) for piece in pieces)


_Column = tuple[Sequence[Any], str]


def _between(columns: Sequence[Sequence[Any]], start: int, stop: int) -> list[Sequence[Any]]:
    """Some of the rows. Columns that share their codes share them still."""
    if start == 0 and stop >= len(columns[0]):
        return list(columns)
    codes = {id(column.codes): column.codes[start:stop] for column in columns if isinstance(column, Coded)}
    found: list[Sequence[Any]] = []
    for column in columns:
        if isinstance(column, Coded):
            found.append(Coded(column.values, codes[id(column.codes)]))
        elif isinstance(column, Whole):
            found.append(Whole(column.values[start:stop], column.missing[start:stop]))
        else:
            found.append(column[start:stop])
    return found


def _lines(columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> bytearray:
    cells = [_cells(run) for run in _runs(columns, kinds)]
    if len(columns) == 1:
        # A line of one empty cell would be an empty line, which readers leave out.
        is_empty = (cells[0] == PAD).all(axis=1)
        quotes = np.where(is_empty[:, None], np.frombuffer(b'""', dtype=np.uint8), np.uint8(PAD))
        cells = [np.concatenate([cells[0], quotes], axis=1)]
    return in_lines(cells, b",", b"\r\n")


def _runs(columns: Sequence[Sequence[Any]], kinds: Sequence[str]) -> Iterator[list[_Column]]:
    """Columns side by side that share their codes, together; every other one alone."""
    placed = list(enumerate(zip(columns, kinds, strict=True)))

    def shared(placed_column: tuple[int, _Column]) -> int:
        place, (column, _) = placed_column
        return id(column.codes) if isinstance(column, Coded) else -1 - place

    for _, run in groupby(placed, shared):
        yield [column for _, column in run]


def _cells(run: Sequence[_Column]) -> Matrix:
    """The cells of the columns of a run; those of columns that share their codes as one."""
    first, kind = run[0]
    if isinstance(first, Coded):
        made = (map(_CELLS[kind], column.values) for column, kind in run if isinstance(column, Coded))
        lines = list(map(csv_row, zip(*made, strict=True)))
        if len(run) == 1:
            lines = ["" if line == '""' else line for line in lines]
        matrix: Matrix = of_texts(lines)[first.codes]
        return matrix
    if isinstance(first, Whole):
        return _of_whole(first, kind)
    if kind == "text":
        return (
            of_encoded(first) if isinstance(first, CopiedTexts) and not _needs_care(first) else of_texts(_safe(first))
        )
    return of_texts(["" if value is None else str(_CELLS[kind](value)) for value in first])


def _of_whole(column: Whole, kind: str) -> Matrix:
    if kind in DECIMALS:
        matrix = of_texts([decimal_text(value, DECIMALS[kind]) for value in column.values.tolist()])
    else:
        matrix = of_instants(column.values) if kind == "instant" else of_numbers(column.values)
    if column.missing.any():
        matrix = np.where(column.missing[:, None], np.uint8(PAD), matrix)
    return matrix


def _needs_care(texts: CopiedTexts) -> bool:
    """As _NEEDS_CARE, of their bytes."""
    starts = texts.offsets[:-1][np.diff(texts.offsets) > 0]
    return bool(np.isin(texts.flat[starts], _FORMULA_BYTES).any() or _QUOTED.search(texts.flat.data))


def _safe(column: Sequence[str | None]) -> list[str]:
    """Texts as cells: quoted where they have to be, and no formulas."""
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
