"""Tables for people: at the terminal's width, without breaking words; data is plain text, never markup."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import click
from rich.cells import cell_len

from rice_stream.cli.base import STDERR
from rice_stream.wording.plain_text import visible

_GAP = 2
"""Cells between two columns."""


class Styled(NamedTuple):
    """A cell with a style: a colour of click's, `bold`, or none."""

    text: str
    style: str | None = None


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows on stdout; numbers are set to the right. Put the columns that matter least last.

    On a terminal texts continue on the next line between words, and the last columns are left out where the longest
    words of all do not fit; a remark on stderr names them. What is piped is whole lines.
    """
    columns = [visible(name) for name in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [[cell.text for cell in row] for row in cells]
    widths = fitting_widths(columns, texts, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
    numeric = [bool(rows) and all(isinstance(row[index], int | float) for row in rows) for index in range(len(widths))]
    if title is not None:
        click.secho(visible(title), italic=True)
    for row in [[Styled(name, "bold") for name in columns], *cells]:
        for line in _lines(row, widths, numeric):
            click.echo(line.rstrip())
    left_out = columns[len(widths) :]
    if left_out:
        STDERR.print(f"Left out, as the terminal is too narrow: {', '.join(left_out)}. --json has everything.")


def fitting_widths(columns: Sequence[str], cells: Sequence[Sequence[str]], available: int | None) -> list[int]:
    """Widths of the columns that are shown: the first ones whose longest words fit, but one at least.

    `available` is the terminal's width; None: no terminal, so that all columns are shown in full.

    >>> fitting_widths(["id", "found"], [["a", "two words"]], None)
    [2, 9]
    >>> fitting_widths(["id", "found"], [["a", "two words"]], 9)
    [2, 5]
    >>> fitting_widths(["id", "found"], [["a", "two words"]], 8)
    [2]
    """
    texts = [[name, *(row[index] for row in cells)] for index, name in enumerate(columns)]
    full = [max(map(cell_len, column)) for column in texts]
    if available is None:
        return full
    words = [max((cell_len(word) for text in column for word in text.split()), default=1) for column in texts]
    shown = len(columns)
    while shown > 1 and sum(words[:shown]) + _GAP * (shown - 1) > available:
        shown -= 1
    spare = available - sum(words[:shown]) - _GAP * (shown - 1)
    widths = words[:shown]
    # What is left goes first to the columns that lack least, so that as many as possible are whole.
    for index in sorted(range(shown), key=lambda column: full[column] - words[column]):
        more = max(min(full[index] - words[index], spare), 0)
        widths[index] += more
        spare -= more
    return [min(width, available) for width in widths]


def _lines(row: Sequence[Styled], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    """A row as lines of the terminal: texts that are wider than their column continue below."""
    pieces = [
        textwrap.wrap(cell.text, width, break_on_hyphens=False) if cell_len(cell.text) > width else [cell.text]
        for cell, width in zip(row, widths, strict=False)
    ]
    lines = []
    for number in range(max(map(len, pieces))):
        line = []
        for cell, piece, width, right in zip(row, pieces, widths, numeric, strict=False):
            text = piece[number] if number < len(piece) else ""
            space = " " * (width - cell_len(text))
            styled = click.style(text, bold=True) if cell.style == "bold" else click.style(text, fg=cell.style)
            line.append(space + styled if right else styled + space)
        lines.append((" " * _GAP).join(line))
    return lines


def _cell(value: object) -> Styled:
    if isinstance(value, Styled):
        return value._replace(text=visible(value.text))
    if value is None:
        return Styled("-")
    if isinstance(value, float):
        return Styled(f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}")
    if isinstance(value, int) and not isinstance(value, bool):
        return Styled(f"{value:,}")
    return Styled(visible(str(value)))
