"""Long pieces of pages, made in one go: a template calls for each of hundreds of them, and takes ten times as long. Pure."""

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from rice_stream.wording.amounts import Kind, Scale, count, in_column


def name_options(names: Sequence[str], chosen: str | None) -> Markup:
    """Each name as one to choose."""
    html = _options(tuple(names))
    if chosen is None:
        return html
    option = f"<option>{escape(chosen)}</option>"
    selected = option.replace("<option", "<option selected", 1)
    return Markup(str(html).replace(option, selected, 1))  # noqa: S704 - names are escaped already


@lru_cache(maxsize=64)
def _options(names: tuple[str, ...]) -> Markup:
    """Kept: whoever looks at several pages sees the same tenants on each."""
    return Markup("".join(f"<option>{escape(name)}</option>" for name in names))  # noqa: S704 - each is escaped


def cells(values: Sequence[float], kind: Kind, scale: Scale, largest: float) -> Markup:
    """Numbers of columns that have one unit, as the cells of a row."""
    # Escaped all at once: no number has a line in it.
    told = str(escape("\n".join(_told(value, kind, scale, largest) for value in values)))
    between = told.replace("\n", '</td><td class="n">')
    return Markup(f'<td class="n">{between}</td>')  # noqa: S704 - what is told is escaped


def _told(value: float, kind: Kind, scale: Scale, largest: float) -> str:
    return count(int(value)) if kind == "count" else in_column(value, scale, largest)
