"""Statements of teams' months: their figures, and that each is made once for every channel that wants it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.alerting.stating import Stating
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.definition import Channel
from rice_stream.channels.letters import letter_of
from rice_stream.errors import NotFoundError
from rice_stream.instants import epoch_us
from rice_stream.reports.statements import statement, statements
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime.delivery_chores import letters_of
from rice_stream.store import schema
from rice_stream.store.channel_store import set_channel
from rice_stream.store.engine import Connection, reading
from rice_stream.store.retention_state import changing_state, save_state
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import Store, at

THIRD = datetime(2026, 11, 3, 8, tzinfo=UTC)
PROMPT_GCO2E = 2.5


def months(store: Store) -> None:
    """September and October of two teams in Berlin, an hour of which is September and October elsewhere."""
    store.set_time_zone("acme", "Europe/Berlin")
    store.add(
        at("2026-09-30T21:59:59Z", project_id="p-1", user_id="u-1"),
        at("2026-09-30T22:00:00Z", project_id="p-1", user_id="u-1"),
        at("2026-10-15T12:00:00Z", project_id="p-2", user_id="u-1"),
        at("2026-10-15T12:00:01Z", project_id="p-2"),
        at("2026-10-31T22:59:59Z", project_id="p-2", request_model="large"),
        at("2026-10-31T23:00:00Z", project_id="p-2"),
        at("2026-09-15T12:00:00Z", team_id="ads:eu"),
        at("2026-08-15T12:00:00Z", team_id="gone"),
        at("2026-10-15T12:00:00Z", event_id="nobody's", team_id=...),
        at("2026-10-15T12:00:00Z", event_id="other", tenant_id="globex", team_id="search"),
    )


def made(store: Store, name: str, **fields: Any) -> int:
    """A channel that gets statements."""
    channel = Channel(**{"name": name, "type": "email", "target": "a@example.com", "statements": True, **fields})
    return set_channel(store.engine, EVERYTHING, channel, None, None, OPERATOR).id


def stating(now: datetime = THIRD) -> Stating:
    """A server's, that has made none so far."""

    def now_us(_connection: Connection) -> int:
        return epoch_us(now)

    return Stating(letters_of, now_us)


def causes(store: Store) -> list[tuple[int, str]]:
    """Channel and cause of all deliveries."""
    with reading(store.engine) as connection:
        table = schema.delivery.c
        query = select(table.channel_id, table.cause).order_by(table.channel_id, table.cause)
        return [(row.channel_id, row.cause) for row in connection.execute(query)]


class TestFigures:
    """On every database."""

    def test_a_month_is_that_of_the_tenants_time_zone_and_what_moved_it_is_named(self, store: Store) -> None:
        """Teams that used anything in it or the month before; the range is that of the same question to `totals`."""
        months(store)
        found = statements(store.engine, EVERYTHING, "acme", "2026-10", THIRD)
        assert [each["team_id"] for each in found] == ["ads:eu", "search"]
        ads, search = found
        assert (ads["total"], ads["before"]["prompts"]) == (None, 1)
        assert (search["from"], search["to"]) == ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z")
        assert (search["total"]["prompts"], search["before"]["prompts"]) == (4, 1)
        query = TotalsQuery(tenant="acme", by=("team",), bucket="month", time_zone="Europe/Berlin")
        rows = totals(store.engine, EVERYTHING, query, THIRD)["rows"]
        [row] = [row for row in rows if (row["team"], row["month"]) == ("search", "2026-10")]
        assert search["total"]["carbon_gco2e"] == row["carbon_gco2e"]
        moved = {
            kind: [(each["name"], each["change_gco2e"]) for each in rows] for kind, rows in search["movers"].items()
        }
        large = search["total"]["carbon_gco2e"]["mid"] - 3 * PROMPT_GCO2E
        assert moved == {
            "model": sorted([("small", 2 * PROMPT_GCO2E), ("large", large)], key=lambda each: (-each[1], each[0])),
            "project": [("p-2", 2 * PROMPT_GCO2E + large)],
            "user": [(None, PROMPT_GCO2E + large), ("u-1", PROMPT_GCO2E)],
        }

    def test_a_cost_centre_has_months_as_a_team_has(self, store: Store) -> None:
        """Of all that is charged to it, with its budgets; the letter names it, and leads to its page."""
        months(store)
        store.execute("UPDATE attribution SET cost_centre = 'CC-1' WHERE team_id = 'search'")
        own = parse_budget(
            {"name": "c", "tenant_id": "acme", "cost_centre": "CC-1", "limit_gco2e": 50, "period": "month"}
        )
        set_budgets(store.engine, [own], NOON_US, OPERATOR)
        [found] = statements(store.engine, EVERYTHING, "acme", "2026-10", THIRD, by="cost_centre")
        [team] = statements(store.engine, EVERYTHING, "acme", "2026-10", THIRD, only="search")
        assert (found["team_id"], found["cost_centre"]) == (None, "CC-1")
        assert [found[name] for name in ("total", "before", "movers")] == [
            team[name] for name in ("total", "before", "movers")
        ]
        assert [row["name"] for row in found["budgets"]] == ["c"]
        letters = letters_of(store.engine, "acme", "2026-10")
        assert set(letters) == {("ads:eu",), ("search",), ("cost_centre", "CC-1")}
        letter = letters["cost_centre", "CC-1"]
        assert letter.title.startswith("CC-1, October 2026: ")
        assert ("Cost centre", "CC-1") in letter.facts
        assert "cost_centre=CC-1" in (letter.path or "")

    def test_budgets_of_the_team_are_as_they_stood_at_the_months_end(self, store: Store) -> None:
        """With the alerts of the month; those of the whole tenant or of another team are not among them."""
        common = {"tenant_id": "acme", "limit_gco2e": 5, "thresholds": [0.5, 1.0], "time_zone": "Europe/Berlin"}
        fields = ({"name": "q", "period": "quarter"}, {"name": "r", "period": "rolling-24h"})
        own = [parse_budget({**common, **each, "team_id": "search"}) for each in fields]
        others = [parse_budget({**common, "name": "t", "period": "month"})]
        set_budgets(store.engine, [*own, *others], NOON_US, OPERATOR)
        months(store)
        Judge(store.engine).judge_all(datetime(2026, 10, 20, tzinfo=UTC))
        rows = statement(store.engine, EVERYTHING, "acme", "search", "2026-10", THIRD)["budgets"]
        large = statement(store.engine, EVERYTHING, "acme", "search", "2026-10", THIRD)["total"]["carbon_gco2e"]["mid"]
        assert [(row["name"], row["consumed"], row["alerts"]) for row in rows] == [
            ("q", large, 2),
            ("r", large - 3 * PROMPT_GCO2E, 0),
        ]

    def test_who_sees_another_tenant_or_team_gets_no_statement(self, store: Store) -> None:
        """Nor is there one of a team that was charged for nothing."""
        months(store)
        for scope, team in (
            (Scope(frozenset({"globex"})), "search"),
            (Scope(None, frozenset({"ads:eu"})), "search"),
            (EVERYTHING, "gone"),
        ):
            with pytest.raises(NotFoundError):
                statement(store.engine, scope, "acme", team, None, THIRD)

    def test_without_the_records_users_are_not_told_apart(self, store: Store) -> None:
        """Totals know models and projects still."""
        months(store)
        store.execute("DELETE FROM prompt_record")
        with changing_state(store.engine) as connection:
            save_state(connection, records_from_us=epoch_us(THIRD))
        found = statement(store.engine, EVERYTHING, "acme", "search", None, THIRD)
        assert (found["movers"]["user"], found["total"]["prompts"]) == (None, 4)


class TestStatements:
    """On every database."""

    def test_every_channel_that_wants_them_gets_one_for_each_team_of_its_tenants_once(self, store: Store) -> None:
        """However often it is looked, by however many servers, also by one that has just been started."""
        months(store)
        every, acme = made(store, "every"), made(store, "acme", tenants=frozenset({"acme"}), type="slack")
        made(store, "none", statements=False)
        made(store, "pages", type="pagerduty")
        assert stating(datetime(2026, 11, 2, 22, tzinfo=UTC)).make(store.engine) == 0
        barrier = Barrier(3)

        def make() -> None:
            server = stating()
            barrier.wait()
            server.make(store.engine)
            assert server.make(store.engine) == 0

        with ThreadPoolExecutor(3) as pool:
            for each in [pool.submit(make) for _ in range(3)]:
                each.result()
        of_acme = ["statement:acme:ads%3Aeu:2026-10", "statement:acme:search:2026-10"]
        assert causes(store) == [
            *((every, cause) for cause in of_acme),
            (every, "statement:globex:search:2026-10"),
            *((acme, cause) for cause in of_acme),
        ]
        assert stating().make(store.engine) == 0
        late = made(store, "late", tenants=frozenset({"globex"}))
        assert stating().make(store.engine) == 1
        assert causes(store)[-1] == (late, "statement:globex:search:2026-10")

    def test_a_statement_is_a_letter_with_the_figures_in_it(self, store: Store) -> None:
        """What a channel is sent is read back from what is stored."""
        months(store)
        made(store, "acme", tenants=frozenset({"globex"}))
        stating().make(store.engine)
        [row] = store.rows("SELECT kind, tenant_id, severity, lane, content FROM delivery")
        assert (row["kind"], row["tenant_id"], row["severity"], row["lane"]) == ("statement", "globex", "info", None)
        letter = letter_of(json.loads(row["content"]))
        assert letter.title.startswith("search, October 2026: ")
        assert letter.data["total"]["prompts"] == 1
