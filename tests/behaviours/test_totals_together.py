"""Questions about totals asked together, or without ranges, are answered to the digit as those asked alone."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Engine, event

from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import Only, TotalsQuery
from rice_stream.reports.totals_together import look_ahead
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.reports_store import NOON, Store, at

STRETCHES: list[dict[str, Any]] = [
    {"window": "mtd"},
    {"window": "7d"},
    {"start": date(2026, 11, 1), "end": date(2026, 11, 15)},
    {"start": datetime(2026, 11, 3, 4, 7, 30, tzinfo=UTC), "end": datetime(2026, 11, 21, 11, 1, tzinfo=UTC)},
    {"end": datetime(2026, 11, 10, tzinfo=UTC)},
    {"start": datetime(2026, 11, 3, 4, 7, 30, tzinfo=UTC), "end": NOON + timedelta(minutes=1, seconds=7)},
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
        event.listen(Engine, "before_cursor_execute", lambda *told, asked=asked: asked.append(told[2]))
        with one_moment(store.engine, scope):
            look_ahead(store.engine, scope, queries, NOON)
            together = [totals(store.engine, scope, query, NOON) for query in queries]
        assert together == alone
        # Users are in no totals: of them alone it is asked again, each stretch once for them and once for all together.
        expected = len(BREAK_DOWNS) - 1 + 2 * len(STRETCHES)
        assert sum("used_factor" in statement for statement in asked) == expected


@pytest.mark.parametrize("seconds", [-1, 0, 1, 59, 60, 61, 16 * 60])
def test_a_stretch_has_no_edge_where_there_are_no_more_prompts(seconds: int, store: Store) -> None:
    """Of one tenant, whose last prompt ended at noon: nothing is looked for among the records that whole hours have as well. To the
    digit the answer is that of the edge, also where the last prompt lies beyond the end."""
    _filled(store)
    store.add(at(f"{NOON:%Y-%m-%dT%H:%M:%SZ}", tenant_id="acme", team_id="a", request_model="small"))
    scope = EVERYTHING.within("acme")
    end = NOON + timedelta(seconds=seconds)
    for how in ({}, {"by": ["team"]}, {"bucket": "hour"}, {"bucket": "day", "amounts": "reported"}):
        query = TotalsQuery(start=datetime(2026, 11, 3, 4, tzinfo=UTC), end=end, **how)
        asked: list[str] = []
        with one_moment(store.engine, scope):
            event.listen(Engine, "before_cursor_execute", lambda *told, asked=asked: asked.append(told[2]))
            in_a_moment = totals(store.engine, scope, query, NOON)
        assert in_a_moment == totals(store.engine, scope, query, NOON)
        [summed] = [statement for statement in asked[:2] if "used_factor" in statement]
        assert ("prompt_record" in summed) == (seconds in {-1, 1, 59})


BESIDE = ("carbon_market_gco2e", "impact_prompts", "embodied_gco2e", "water_l", "data_tiers")
"""Told where nothing is left out."""


def test_without_ranges_the_middles_are_the_same(store: Store) -> None:
    _filled(store)
    for stretch in STRETCHES:
        for how in BREAK_DOWNS:
            whole = totals(store.engine, EVERYTHING, TotalsQuery(**stretch, **how), NOON)
            alone = totals(store.engine, EVERYTHING, TotalsQuery(**stretch, **how, ranges=False), NOON)
            for row in (*whole["rows"], whole["total"]):
                row["carbon_gco2e"] = {"mid": row["carbon_gco2e"]["mid"]}
                del row["carbon_gco2e_median"], row["carbon_gco2e_linear"]
                for beside in BESIDE:
                    del row[beside]
            assert alone == whole


@pytest.mark.parametrize("only", [(), ("energy",), ("tokens",), ("energy", "tokens")])
def test_amounts_that_are_left_out_change_no_other(only: Only, store: Store) -> None:
    """Prompts and carbon are always told, and the energy or the tokens where they are asked for; nothing else is, not even as 0."""
    _filled(store)
    left_out = {"energy", "tokens"}.difference(only)
    for stretch, how, ranges in product(STRETCHES, BREAK_DOWNS, (True, False)):
        asked: dict[str, Any] = {**stretch, **how, "ranges": ranges}
        whole = totals(store.engine, EVERYTHING, TotalsQuery(**asked), NOON)
        alone = totals(store.engine, EVERYTHING, TotalsQuery(**asked, only=only), NOON)
        for row in (*whole["rows"], whole["total"]):
            for name in [name for name in row if name in BESIDE or any(word in name for word in left_out)]:
                del row[name]
        assert alone == whole
