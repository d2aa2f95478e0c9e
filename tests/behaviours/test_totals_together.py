"""Questions about totals asked together, or without ranges, are answered to the digit as those asked alone."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event

from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_together import look_ahead
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.reports_store import NOON, Store, at

STRETCHES: list[dict[str, Any]] = [
    {"window": "mtd"},
    {"window": "7d"},
    {"start": date(2026, 11, 1), "end": date(2026, 11, 15)},
    {"start": datetime(2026, 11, 3, 4, 7, 30, tzinfo=UTC), "end": datetime(2026, 11, 21, 11, 1, tzinfo=UTC)},
    {"end": datetime(2026, 11, 10, tzinfo=UTC)},
    {},
]
BREAK_DOWNS: list[dict[str, Any]] = [{}, {"by": ["team"], "top": 2}, {"by": ["team", "model"]}, {"bucket": "day"}]
BREAK_DOWNS += [{"bucket": "month"}, {"by": ["user"]}]


def _filled(store: Store) -> None:
    draw = random.Random(11)
    teams, models, tenants = ("a", "b", "c", None), ("small", "big", "nobody-knows"), ("acme", "globex")
    moments = (NOON - timedelta(seconds=draw.randrange(45 * 86_400)) for _ in range(60))
    store.add(
        *(
            at(
                f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                tenant_id=draw.choice(tenants),
                team_id=draw.choice(teams),
                request_model=draw.choice(models),
            )
            for moment in moments
        )
    )
    store.set_time_zone("acme", "America/New_York")


def test_what_was_looked_ahead_is_what_is_answered_alone(store: Store) -> None:
    """Of any stretches and break-downs, of one tenant, of several, and of some teams; and nothing is added up again."""
    _filled(store)
    queries = [TotalsQuery(**stretch, **how) for stretch in STRETCHES for how in BREAK_DOWNS]
    for scope in (EVERYTHING, EVERYTHING.within("acme"), Scope(frozenset({"acme", "globex"}), frozenset({"a"}))):
        alone = [totals(store.engine, scope, query, NOON) for query in queries]
        asked: list[str] = []
        with one_moment(store.engine, scope):
            look_ahead(store.engine, scope, queries, NOON)
            event.listen(Engine, "before_cursor_execute", lambda *told, asked=asked: asked.append(told[2]))
            together = [totals(store.engine, scope, query, NOON) for query in queries]
        assert together == alone
        # Users are in no totals: of them alone it is asked again, each stretch once for them and once for all together.
        assert sum("used_factor" in statement for statement in asked) == 2 * len(STRETCHES)


def test_without_ranges_the_middles_are_the_same(store: Store) -> None:
    _filled(store)
    for stretch in STRETCHES:
        for how in BREAK_DOWNS:
            whole = totals(store.engine, EVERYTHING, TotalsQuery(**stretch, **how), NOON)
            alone = totals(store.engine, EVERYTHING, TotalsQuery(**stretch, **how, ranges=False), NOON)
            for row in (*whole["rows"], whole["total"]):
                row["carbon_gco2e"] = {"mid": row["carbon_gco2e"]["mid"]}
                del row["carbon_gco2e_median"], row["carbon_gco2e_linear"]
            assert alone == whole
