"""Addresses of pages: every state of a page is in its address, so that a link is a report."""

from collections.abc import Iterable
from urllib.parse import urlencode

Pairs = list[tuple[str, str]]


def address(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path with its parameters; those without a value are left out."""
    given = [(name, value) for name, value in pairs if value]
    return f"{path}?{urlencode(given)}" if given else path


def changed(pairs: Iterable[tuple[str, str]], **changes: object) -> Pairs:
    """The parameters with some of them replaced; None takes one away. `from_` is `from`."""
    new = {name.rstrip("_"): value for name, value in changes.items()}
    kept = [(name, value) for name, value in pairs if name not in new]
    return [*kept, *((name, str(value)) for name, value in new.items() if value is not None)]
