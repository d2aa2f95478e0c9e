"""Budgets are set, shown, announced and removed by the same functions for the command line, the API and the worker."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy.event import listens_for

from rice_stream.alerting import judge as judge_module
from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.rules import judge
from rice_stream.errors import UsageError
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.budgets import budget_statuses, named_budget_status
from rice_stream.reports.figures import read_figures
from rice_stream.store import budget_store
from rice_stream.store.budget_store import save_budget
from rice_stream.store.lease import Lease
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked


def budget(name: str, tenant_id: str = "acme", **changes: Any) -> Budget:
    """A budget of 5 gCO2e a day: two prompts of the fake method."""
    return parse_budget({"name": name, "tenant_id": tenant_id, "limit_gco2e": 5, "period": "day", **changes})


class TestBudgetsAndAlerts:
    """On every database."""

    def test_a_status_is_judged_on_the_totals_of_this_moment(self, store: Store) -> None:
        """Nobody has judged yet, and the budget is exceeded all the same; its day is that of its time zone."""
        set_budgets(store.engine, [budget("day", time_zone="Europe/Berlin")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        [row] = budget_statuses(store.engine, EVERYTHING, NOON)
        assert (row["state"], row["consumed"], row["ratio"]) == ("exceeded", 5.0, 1.0)
        assert (row["period_start"], row["period_end"]) == ("2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z")
        assert latest_alerts(store.engine, EVERYTHING) == []

    def test_statuses_are_by_tenant_and_name_and_can_be_narrowed(self, store: Store) -> None:
        """To a tenant, or to budgets by (tenant, name)."""
        set_budgets(store.engine, [budget("b", "globex"), budget("b"), budget("a")], NOON_US, OPERATOR)
        names = "tenant_id", "name"
        everything = [("acme", "a"), ("acme", "b"), ("globex", "b")]
        assert picked(budget_statuses(store.engine, EVERYTHING, NOON), *names) == everything
        assert picked(budget_statuses(store.engine, EVERYTHING, NOON, tenant="globex"), *names) == everything[2:]
        assert picked(budget_statuses(store.engine, EVERYTHING, NOON, only={("acme", "b")}), *names) == [("acme", "b")]

    def test_a_name_means_one_budget_or_is_asked_back(self, store: Store) -> None:
        """Of one tenant it needs no tenant; of several it does."""
        set_budgets(store.engine, [budget("shared", "globex"), budget("shared"), budget("own")], NOON_US, OPERATOR)
        assert named_budget_status(store.engine, EVERYTHING, "own", None, NOON)["tenant_id"] == "acme"
        assert named_budget_status(store.engine, EVERYTHING, "shared", "globex", NOON)["tenant_id"] == "globex"
        with pytest.raises(UsageError, match="several tenants have a budget 'shared': acme, globex; say which"):
            named_budget_status(store.engine, EVERYTHING, "shared", None, NOON)
        with pytest.raises(UsageError, match="there is no budget 'own'"):
            named_budget_status(store.engine, EVERYTHING, "own", "globex", NOON)

    def test_a_budget_on_a_user_has_that_users_past_as_well(self, store: Store) -> None:
        """Totals of single users are kept from the budget on; what came before is added up from the records."""
        store.add(at("2026-11-22T11:00:00Z", user_id="u-1"), at("2026-11-22T11:30:00Z", user_id="u-2"))
        set_budgets(store.engine, [budget("u", user_id="u-1")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:45:00Z", user_id="u-1"))
        [row] = budget_statuses(store.engine, EVERYTHING, NOON)
        assert row["consumed"] == 5.0

    def test_setting_a_budget_again_changes_it(self, store: Store) -> None:
        """Tenant and name are what it is; its state goes on."""
        set_budgets(store.engine, [budget("b")], NOON_US, OPERATOR)
        set_budgets(store.engine, [budget("b", limit_gco2e=50)], NOON_US, OPERATOR)
        assert picked(budget_statuses(store.engine, EVERYTHING, NOON), "name", "limit") == [("b", 50.0)]

    def test_those_who_set_one_new_budget_at_the_same_time_make_one(self, store: Store) -> None:
        """As workers do that start together with one file: none fails, and one of them has the last word."""
        with ThreadPoolExecutor(4) as pool:
            for number in range(15):
                start = Barrier(4)

                def make(limit: int, name: str, start: Barrier) -> None:
                    start.wait()
                    set_budgets(store.engine, [budget(name, limit_gco2e=limit)], NOON_US, OPERATOR)

                for made in [pool.submit(make, limit, f"b-{number}", start) for limit in range(1, 5)]:
                    made.result()
        rows = store.rows("SELECT name, limit_amount FROM budget")
        assert sorted(row["name"] for row in rows) == sorted(f"b-{number}" for number in range(15))
        assert {row["limit_amount"] for row in rows} <= {1_000_000, 2_000_000, 3_000_000, 4_000_000}

    def test_removing_leaves_other_budgets_and_the_alerts(self, store: Store) -> None:
        """Also a budget of the same name of another tenant; removing what is not there does nothing."""
        set_budgets(store.engine, [budget("b"), budget("b", "globex")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        Judge(store.engine).judge_all(NOON)
        for _ in range(2):
            remove_budget(store.engine, "acme", "b", OPERATOR)
        assert picked(budget_statuses(store.engine, EVERYTHING, NOON), "tenant_id") == [("globex",)]
        assert store.rows("SELECT COUNT(*) AS states FROM budget_state") == [{"states": 1}]
        assert {row["tenant_id"] for row in latest_alerts(store.engine, EVERYTHING)} == {"acme"}

    def test_alerts_have_the_latest_first_and_say_what_kafka_has(self, store: Store) -> None:
        """Of one judgement the last change comes first; a limit and a tenant narrow them."""
        set_budgets(store.engine, [budget("b", thresholds=[0.5, 1.0]), budget("c", "globex")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        store.add(at("2026-11-22T11:00:00Z", tenant_id="globex"))
        Judge(store.engine).judge_all(NOON)
        Judge(store.engine).judge_all(datetime.fromisoformat("2026-11-24T12:00:00Z"))
        store.execute("UPDATE alert SET delivered_at_us = :now WHERE sequence = 1", now=NOON_US + 500_000)
        alerts = latest_alerts(store.engine, EVERYTHING, tenant="acme")
        assert picked(alerts, "sequence", "state", "threshold") == [
            (4, "resolved", 0.5),
            (3, "resolved", 1.0),
            (2, "exceeded", 1.0),
            (1, "warning", 0.5),
        ]
        assert picked(alerts[2:], "time", "delivered", "delivered_at") == [
            ("2026-11-22T12:00:00.000Z", False, None),
            ("2026-11-22T12:00:00.000Z", True, "2026-11-22T12:00:00.500Z"),
        ]
        assert picked(latest_alerts(store.engine, EVERYTHING, tenant="acme", limit=1), "sequence") == [(4,)]
        assert {row["tenant_id"] for row in latest_alerts(store.engine, EVERYTHING)} == {"acme", "globex"}

    def test_a_change_is_judged_by_the_definition_of_this_moment(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A limit that is raised, or a budget that is removed, between the look and the change announces nothing."""
        set_budgets(store.engine, [budget("raised"), budget("removed")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        lock_budgets = budget_store.lock_budgets

        def change_first(connection: Any, budget_ids: Any) -> Any:
            save_budget(connection, budget("raised", limit_gco2e=5000), NOON_US)
            budget_store.remove_budget(connection, "acme", "removed")
            return lock_budgets(connection, budget_ids)

        monkeypatch.setattr(budget_store, "lock_budgets", change_first)
        assert Judge(store.engine).judge_all(NOON).changes == 0
        assert latest_alerts(store.engine, EVERYTHING) == []
        assert store.rows("SELECT budget_id FROM budget_state WHERE budget_id NOT IN (SELECT id FROM budget)") == []

    def test_a_budget_never_gets_the_id_of_one_that_is_gone(self, store: Store) -> None:
        """Both cross the same thresholds in the same period: all alerts are kept, each by an identity of its own."""
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        for name in ("first", "second", "second"):
            set_budgets(store.engine, [budget(name)], NOON_US, OPERATOR)
            assert Judge(store.engine).judge_all(NOON).changes == 3
            remove_budget(store.engine, "acme", name, OPERATOR)
        alerts = store.rows("SELECT DISTINCT id, budget, budget_id FROM alert")
        assert Counter(row["budget"] for row in alerts) == {"first": 3, "second": 6}
        assert len({row["budget_id"] for row in alerts}) == 3

    def test_many_budgets_are_judged_and_changed_together(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A handful of statements, however many budgets; more that change than fit into one transaction; and one whose
        judgement fails does not touch the others."""
        monkeypatch.setattr(judge_module, "_CHANGES_AT_ONCE", 7)
        names = [f"b-{number:02d}" for number in range(20)]
        scopes: list[dict[str, Any]] = [{}, {"team_id": "search"}, {"model": "small"}, {"team_id": "nobody"}]
        chosen = [budget(name, **scopes[number % 4]) for number, name in enumerate(names)]
        set_budgets(store.engine, chosen, NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z", team_id="search"), at("2026-11-22T11:30:00Z", team_id="search"))
        asked: list[str] = []

        @listens_for(store.engine, "before_cursor_execute")
        def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            asked.append(statement)

        def failing(budget: Budget, *arguments: Any) -> Any:
            if budget.name == "b-00":
                raise OverflowError("date value out of range")
            return judge(budget, *arguments)

        monkeypatch.setattr(judge_module, "judge", failing)
        changes, _, [unjudged], _ = Judge(store.engine).judge_all(NOON)
        assert changes == 14 * 3
        assert (unjudged.name, "OverflowError" in unjudged.problem) == ("b-00", True)
        assert Counter(row["budget"] for row in latest_alerts(store.engine, EVERYTHING, limit=100)) == {
            name: 3 for number, name in enumerate(names) if number % 4 != 3 and number
        }
        asked.clear()
        assert Judge(store.engine).judge_all(NOON).changes == 0
        assert len(asked) <= 8


class TestLease:
    """One worker at a time judges all budgets."""

    def test_it_is_kept_by_who_has_it_and_taken_over_when_it_has_run_out(self, store: Store) -> None:
        first, second = (Lease(store.engine, "work", name, seconds=3600) for name in ("first", "second"))
        assert [lease.acquire(NOON_US) for lease in (first, second, first)] == [True, False, True]
        assert Lease(store.engine, "other work", "second", seconds=1).acquire(NOON_US)
        store.execute("UPDATE lease SET until_us = 0")
        assert [lease.acquire(NOON_US) for lease in (second, first)] == [True, False]
        first.release()
        assert not first.acquire(NOON_US)
        second.release()
        assert first.acquire(NOON_US)


DAMAGES = {
    "state is no JSON": "UPDATE budget_state SET state = 'ok' WHERE budget_id = :id",
    "state is nothing": "UPDATE budget_state SET state = 'null' WHERE budget_id = :id",
    "state lacks fields": "UPDATE budget_state SET state = '{}' WHERE budget_id = :id",
    "state nested without end": "UPDATE budget_state SET state = REPLACE('$', '$', :deep) WHERE budget_id = :id",
    "time zone is unknown": "UPDATE budget SET time_zone = 'Mars/Olympus' WHERE id = :id",
    "thresholds are no list": "UPDATE budget SET thresholds = '5' WHERE id = :id",
    "thresholds are no JSON": "UPDATE budget SET thresholds = 'all' WHERE id = :id",
}


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, store: Store) -> Store:
    """The budget `bad` cannot be read; `good`, of another tenant and of its own, can. All have announced two changes."""
    budgets = [budget(name, tenant, thresholds=[0.5, 1.0]) for tenant in ("acme", "globex") for name in ("bad", "good")]
    set_budgets(store.engine, [b for b in budgets if (b.tenant_id, b.name) != ("globex", "bad")], NOON_US, OPERATOR)
    moments = ("2026-11-22T11:00:00Z", "2026-11-22T11:30:00Z")
    store.add(*(at(moment, tenant_id=tenant) for moment in moments for tenant in ("acme", "globex")))
    assert Judge(store.engine).judge_all(NOON)[:3] == (6, 3, [])
    [bad] = store.rows("SELECT id FROM budget WHERE name = 'bad'")
    statement = DAMAGES[request.param]
    values = {"deep": "[" * 100_000} if ":deep" in statement else {}
    assert store.execute(statement, **bad, **values) == 1
    return store


class TestUnreadableBudgets:
    """What is stored of one budget cannot be read: that is said, and concerns no other budget."""

    def test_it_is_left_out_and_named_and_the_others_are_judged(self, damaged: Store) -> None:
        """Their days end; its own does not."""
        changes, _, [unreadable], _ = Judge(damaged.engine).judge_all(datetime.fromisoformat("2026-11-24T12:00:00Z"))
        assert changes == 4
        assert (unreadable.tenant_id, unreadable.name) == ("acme", "bad")
        assert "set the budget again" in unreadable.problem
        resolved = {(row["tenant_id"], row["budget"]) for row in latest_alerts(damaged.engine, EVERYTHING)[:4]}
        assert resolved == {("acme", "good"), ("globex", "good")}

    def test_its_status_says_so_and_the_others_have_theirs(self, damaged: Store) -> None:
        """It comes last, with the problem in the place of figures; a dashboard shows the others."""
        rows = budget_statuses(damaged.engine, EVERYTHING, NOON)
        assert picked(rows, "name", "state") == [("good", "exceeded"), ("good", "exceeded"), ("bad", "unreadable")]
        assert "set the budget again" in rows[-1]["problem"]
        assert named_budget_status(damaged.engine, EVERYTHING, "bad", None, NOON) == rows[-1]
        assert [figure.name for figure in read_figures(damaged.engine, EVERYTHING, NOON).budgets] == ["good", "good"]

    def test_setting_it_again_mends_it(self, damaged: Store) -> None:
        """Its next alerts follow its last one: none has the identity of one that was sent already."""
        set_budgets(damaged.engine, [budget("bad", thresholds=[0.5, 1.0])], NOON_US, OPERATOR)
        damaged.add(at("2026-11-23T11:00:00Z"), at("2026-11-23T11:30:00Z"))
        changes, _, unreadable, _ = Judge(damaged.engine).judge_all(datetime.fromisoformat("2026-11-23T12:00:00Z"))
        assert unreadable == []
        stored = damaged.rows(
            "SELECT sequence FROM alert WHERE tenant_id = 'acme' AND budget = 'bad' ORDER BY sequence"
        )
        assert [row["sequence"] for row in stored] == list(range(1, len(stored) + 1))
        assert len(damaged.rows("SELECT id FROM alert")) == 6 + changes
        assert len(stored) > 2

    def test_removing_it_works(self, damaged: Store) -> None:
        """Its alerts stay, the others are untouched."""
        remove_budget(damaged.engine, "acme", "bad", OPERATOR)
        assert picked(budget_statuses(damaged.engine, EVERYTHING, NOON), "name") == [("good",), ("good",)]
        assert len(damaged.rows("SELECT budget_id FROM budget_state")) == 2
        assert len(latest_alerts(damaged.engine, EVERYTHING)) == 6
