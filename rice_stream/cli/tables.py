"""Tables for people: at the terminal's width, without breaking words; data is plain text, never rich's markup."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rice_stream.cli.base import STDERR

if TYPE_CHECKING:
    from rich.text import Text

# rich is loaded with the first table: with --json, none is printed.

_GAP = 2
"""Cells between two columns."""


class Styled(NamedTuple):
    """A cell with a style, such as `red`."""

    text: str
    style: str


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows on stdout; numbers are set to the right. Put the columns that matter least last.

    On a terminal texts continue on the next line between words, and the last columns are left out where the longest
    words of all do not fit; a remark on stderr names them. What is piped is whole lines.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    cells = [[_cell(value) for value in row] for row in rows]
    texts = [[cell.plain for cell in row] for row in cells]
    widths = fitting_widths(columns, texts, console.width if console.is_terminal else None)
    if not console.is_terminal:
        console.width = max(sum(widths) + _GAP * len(widths), 80)
    view = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, width in enumerate(widths):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        view.add_column(Text(columns[index]), justify="right" if numeric else "left", overflow="fold", width=width)
    for row in cells:
        view.add_row(*row[: len(widths)])
    console.print(view)
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
    from rich.cells import cell_len

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


def _cell(value: object) -> "Text":
    from rich.text import Text

    if isinstance(value, Styled):
        return Text(value.text, style=value.style)
    if value is None:
        return Text("-")
    if isinstance(value, float):
        return Text(f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}")
    if isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{value:,}")
    return Text(str(value))
