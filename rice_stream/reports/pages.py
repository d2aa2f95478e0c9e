"""Pages of long lists: each begins after the position of the last row of the page before it. Pure.

A position is bytes that say where a row stands in its order; whoever hands one to others signs it, with what was asked for.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rice_stream.errors import UsageError

Row = TypeVar("Row")

PAGE_ROWS = 100
"""Rows of a page, where nobody says how many."""


def page(
    found: Sequence[Row], limit: int, position: Callable[[Row], bytes], described: Callable[[Row], Any]
) -> dict[str, Any]:
    """`{"rows": at most `limit`, "next": position of the last one, None where nothing follows}`.

    `found` is one row more than the page has, where there are so many.
    """
    shown = found[:limit]
    return {"rows": [described(row) for row in shown], "next": position(shown[-1]) if len(found) > limit else None}


def packed(*numbers: int) -> bytes:
    """Numbers of up to 63 bits as a position."""
    return b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)


def unpacked(position: bytes, count: int) -> list[int]:
    """The numbers of a position, without what follows them. UsageError: it is not one of such a list."""
    if len(position) < 8 * count:
        raise not_a_position()
    return [int.from_bytes(position[8 * k : 8 * k + 8], "big", signed=True) for k in range(count)]


def not_a_position() -> UsageError:
    """What to raise where a position is none of the list that it is given to."""
    return UsageError("after: this is no position in this list; take the `next` of a page of it")
