"""Addresses of pages: every state of a page is in its address, so that a link is a report."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote_plus

Pairs = list[tuple[str, str]]


def address(path: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A path with its parameters; those without a value are left out."""
    given = [(name, value) for name, value in pairs if value]
    return f"{path}?{query_of(given)}" if given else path


def query_of(pairs: Iterable[tuple[str, object]]) -> str:
    """Parameters as an address has them, as `urllib.parse.urlencode` writes them."""
    return "&".join([f"{_quoted(name)}={_quoted(str(value))}" for name, value in pairs])


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """Kept: a page has dozens of links with the same names, days and time zone."""
    return quote_plus(text)


def changed(pairs: Iterable[tuple[str, str]], **changes: object) -> Pairs:
    """The parameters with some of them replaced; None takes one away. `from_` is `from`."""
    new = {name.rstrip("_"): value for name, value in changes.items()}
    kept = [(name, value) for name, value in pairs if name not in new]
    return [*kept, *((name, str(value)) for name, value in new.items() if value is not None)]
