"""Lines of exact width: cells, boxes and bars of text. Every block is a list of lines of equal width."""

from collections.abc import Sequence

from rich.text import Text

BORDER = "bright_black"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"


def cell(content: str | Text, width: int, style: str = "", *, right: bool = False) -> Text:
    """The content in exactly `width` columns: cut with an ellipsis, or filled up with blanks."""
    text = content.copy() if isinstance(content, Text) else Text(content, style=style)
    text.no_wrap = True
    text.truncate(max(width, 0), overflow="ellipsis")
    missing = width - text.cell_len
    if right:
        text.pad_left(missing)
    else:
        text.pad_right(missing)
    return text


def line(*cells: Text, gap: int = 1) -> Text:
    """Cells beside each other."""
    return Text(" " * gap, no_wrap=True, end="").join(cells)


def spread(left: Text, right: Text, width: int) -> Text:
    """One to the left and one to the right; the left one is cut where both do not fit."""
    right = cell(right, min(right.cell_len, width))
    gap = 1 if right.cell_len < width else 0
    return Text.assemble(cell(left, width - right.cell_len - gap), " " * gap, right)


def box(title: str, lines: Sequence[Text], width: int, height: int, note: str = "") -> list[Text]:
    """A frame of `width` x `height` with as many of the lines as fit; `note` stands to the right of the title."""
    inner = width - 4
    top = Text(f"╭─ {title} ", style=BORDER)
    top.stylize("bold default", 3, 3 + len(title))
    top.truncate(width - 1)
    remark = f" {note} ─" if note and top.cell_len + len(note) + 4 <= width else ""
    top.append("─" * (width - 1 - top.cell_len - len(remark)) + remark + "╮", style=BORDER)
    rows = [*lines[: height - 2], *[Text()] * (height - 2 - len(lines))]
    side = Text("│", style=BORDER)
    framed = [Text.assemble(side, " ", cell(row, inner), " ", side) for row in rows]
    return [top, *framed, Text("╰" + "─" * (width - 2) + "╯", style=BORDER)]


def beside(*blocks: Sequence[Text]) -> list[Text]:
    """Blocks of equal height, joined line by line."""
    return [Text.assemble(*parts) for parts in zip(*blocks, strict=True)]


def bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of the width, to an eighth of a column; what is not nothing is seen."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    eighths = max(eighths, 1) if share > 0 else eighths
    full, left_over = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[left_over] if left_over else "")
    return drawn.ljust(width)


def sparkline(values: Sequence[float], width: int) -> str:
    """The latest `width` values, the newest at the right, scaled to their highest; blank where there are none yet."""
    shown = list(values)[-width:]
    highest = max(shown, default=0.0)
    steps = [min(int(value / highest * len(_SPARKS)), len(_SPARKS) - 1) if highest else 0 for value in shown]
    return "".join(_SPARKS[step] for step in steps).rjust(width)


def gauge(ratio: float, marks: Sequence[float], width: int, style: str, scale: float) -> Text:
    """A bar from 0 to `scale` with a mark at each threshold, seen in the filled part as well as in the empty one."""
    filled = min(round(ratio / scale * width), width)
    filled = max(filled, 1) if ratio > 0 else filled
    text = Text("━" * filled, style=style)
    text.append("─" * (width - filled), style=BORDER)
    plain = text.plain
    for mark in marks:
        place = min(round(mark / scale * width), width - 1)
        plain = plain[:place] + "┃" + plain[place + 1 :]
        text.stylize("bold default" if place >= filled else "", place, place + 1)
    text.plain = plain
    return text
