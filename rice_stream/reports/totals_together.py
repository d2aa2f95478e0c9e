"""Questions about totals that belong together, added up in as few statements as they have break-downs."""

from collections.abc import Sequence
from datetime import datetime

from rice_stream.reports.sums import SLOTS
from rice_stream.reports.totals import asked_of
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_sums import Asked, several_later
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import find_later, is_held_open
from rice_stream.store.snapshot import snapshot


def look_ahead(engine: Engine, scope: Scope, queries: Sequence[TotalsQuery], now: datetime) -> None:
    """Add up what `totals` will be asked later in the same moment (`reports.one_moment`); outside of one there is no later.

    It answers from what was added up, to the digit what it would answer alone: only the ways to the database are fewer.
    """
    with snapshot(engine, scope) as connection:
        if not is_held_open(connection):
            return
        by_break_down: dict[object, list[Asked]] = {}
        for query in queries:
            asked, _, _ = asked_of(connection, scope.within(query.tenant), query, now)
            # Users, say, are in no totals.
            if asked.dimensions(asked.fields) <= SLOTS.dimensions:
                by_break_down.setdefault(
                    (asked.scope, asked.fields, asked.where, asked.knowledge, asked.ranges, asked.measures), []
                ).append(asked)
        for several in by_break_down.values():
            for asked, found in zip(several, several_later(several), strict=True):
                find_later(connection, asked.question, found)
