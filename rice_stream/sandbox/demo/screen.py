"""The live screen: the whole picture of a moment, for any size of terminal from about 80 x 20 on. Pure."""

from rich.text import Text

from rice_stream.sandbox.demo import panels
from rice_stream.sandbox.demo.layout import beside, cell
from rice_stream.sandbox.demo.view import View

_MIN_WIDTH = 72
_MIN_HEIGHT = 18
_LEFT_SHARE = 0.6
_ALERTS_WIDTH_MIN = 44
_UPPER_SHARE = 0.56
_HEADER_LINES = 2
_FOOTER_LINES = 3


def draw(view: View, width: int, height: int) -> Text:
    """The picture as `height` lines of `width` columns each."""
    columns, rows = max(width, _MIN_WIDTH), max(height, _MIN_HEIGHT)
    body = rows - _HEADER_LINES - panels.CARDS_HEIGHT - _FOOTER_LINES
    figures = view.figures
    needed = max(len(figures.tenants) + 1, panels.BUDGET_LINES * len(figures.budgets)) + 2
    upper = min(round(body * _UPPER_SHARE), max(needed, 8))
    left = round(columns * _LEFT_SHARE)
    alerts = max(columns // 2, _ALERTS_WIDTH_MIN)
    lines = [
        *panels.header(view, columns),
        *panels.cards(view, columns),
        *beside(panels.tenants(view, left, upper), panels.budgets(view, columns - left, upper)),
        *beside(panels.rankings(view, columns - alerts, body - upper), panels.alerts(view, alerts, body - upper)),
        *panels.footer(view, columns),
    ]
    if (columns, rows) != (width, height):
        lines = [cell(line, width) for line in lines[:height]]
    return Text("\n", no_wrap=True, end="").join(lines)
