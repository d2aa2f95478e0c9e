"""Why the page Explore has nothing to show, and without which of its filters it would."""

from typing import Any

from rice_stream.api.access.rights import Right
from rice_stream.api.console.asking import Question
from rice_stream.api.console.nothing import kind_of_nothing
from rice_stream.api.console.pages.explore_asked import ExploreParameters
from rice_stream.instants import parse_instant
from rice_stream.reports.name_filter import NameFilter

COUNTED: dict[str, Any] = {"only": (), "ranges": False}
"""Of questions whether, and when, there is anything."""


def why_nothing(question: Question, asked: ExploreParameters, table: dict[str, Any]) -> dict[str, Any]:
    """Why there is nothing to be seen, and what to do about it."""
    everything = question.product.scope(question.caller, Right.READ, None)
    window = table["window"]
    without = _without_each(question, asked, window) if asked.is_narrowed and everything.tenants != frozenset() else []
    kind = kind_of_nothing(everything, table["meta"]["watermark"], window["from"], is_narrowed=bool(without))
    return {"kind": kind, "without": without}


def _without_each(question: Question, asked: ExploreParameters, window: dict[str, Any]) -> list[dict[str, Any]]:
    """The filters without which there would be something, each with how many prompts; all of them, where none alone empties it."""
    stretch = {name: parse_instant(window[end]) for name, end in (("start", "from"), ("end", "to")) if window[end]}
    found = []
    for field, names in [*([("tenant", (asked.tenant,))] if asked.tenant else []), *asked.where.names.items()]:
        other = question._replace(
            where=asked.where.without(field), tenant=None if field == "tenant" else question.tenant
        )
        count = other.totals(**stretch, **COUNTED)["total"]["prompts"]
        if count:
            found.append({"field": field, "names": names, "prompts": count, "address": asked.leaving_out(field)})
    if not found:
        count = question._replace(where=NameFilter(), tenant=None).totals(**stretch, **COUNTED)["total"]["prompts"]
        if count:
            found.append({"field": None, "names": (), "prompts": count, "address": asked.unnarrowed()})
    return found
