"""Lists page by page: positions of the reports become cursors, and back."""

from collections.abc import Callable
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.cursors import question_of
from rice_stream.api.parameters import Page
from rice_stream.api.product import Product


async def paged(
    product: Product, caller: Caller, route: str, asked: Page, report: Callable[[bytes | None], dict[str, Any]]
) -> dict[str, Any]:
    """One page, with a cursor as `next`. `report` takes the position after which the page begins; it runs in a thread."""
    cursors, question = await product.cursors(), question_of(route, asked.filters(), caller)
    after = None if asked.after is None else cursors.read(asked.after, question)
    found = await product.ask(report, after)
    position = found["next"]
    return {**found, "next": None if position is None else cursors.write(position, question)}
