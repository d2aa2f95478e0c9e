"""Why a page about a stretch of time has nothing to show: the five kinds of nothing, one rule for all pages. Pure."""

from typing import Any, Literal

from rice_stream.instants import parse_instant
from rice_stream.store.scope import Scope

Nothing = Literal["not-allowed", "no-events", "filtered", "not-yet", "zero"]


def kind_of_nothing(
    everything: Scope, watermark: str | None, start: str | None, *, is_narrowed: bool = False
) -> Nothing:
    """`everything`: all that the caller may see. `watermark`: the latest prompt of what was asked for, None where there is none.
    `start` of the time that was asked for, None where it has none. `is_narrowed`: there would be something without a filter.

    >>> kind_of_nothing(Scope(frozenset({"a"})), "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z")
    'not-yet'
    """
    if everything.tenants == frozenset():
        return "not-allowed"
    if is_narrowed:
        return "filtered"
    if watermark is None:
        return "no-events"
    return "not-yet" if start is not None and parse_instant(start) > parse_instant(watermark) else "zero"


def nothing_of_tenant(everything: Scope, answer: dict[str, Any], tenant: str | None, tenants: list[str]) -> Nothing:
    """The same of an answer that can be narrowed to a tenant alone: `{"meta", "window"}`; `tenants` are all that are seen."""
    others = tenant is not None and len(tenants) > 1 and answer["meta"]["watermark"] is not None
    return kind_of_nothing(everything, answer["meta"]["watermark"], answer["window"]["from"], is_narrowed=others)
