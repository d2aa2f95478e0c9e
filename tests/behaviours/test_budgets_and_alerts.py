"""Budgets are set, shown, announced and removed by the same functions for the command line, the API and the worker."""

from datetime import datetime
from typing import Any

import pytest

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.budgets import budget_statuses, named_budget_status
from tests.support.fakes import NOON_US
from tests.support.reports_store import NOON, Store, at, picked


def budget(name: str, tenant_id: str = "acme", **changes: Any) -> Budget:
    """A budget of 5 gCO2e a day: two prompts of the fake method."""
    return parse_budget({"name": name, "tenant_id": tenant_id, "limit_gco2e": 5, "period": "day", **changes})


class TestBudgetsAndAlerts:
    """On every database."""

    def test_a_status_is_judged_on_the_totals_of_this_moment(self, store: Store) -> None:
        """Nobody has judged yet, and the budget is exceeded all the same; its day is that of its time zone."""
        set_budgets(store.engine, [budget("day", time_zone="Europe/Berlin")], NOON_US)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        [row] = budget_statuses(store.engine, NOON)
        assert (row["state"], row["consumed"], row["ratio"]) == ("exceeded", 5.0, 1.0)
        assert (row["period_start"], row["period_end"]) == ("2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z")
        assert latest_alerts(store.engine) == []

    def test_statuses_are_by_tenant_and_name_and_can_be_narrowed(self, store: Store) -> None:
        """To a tenant, or to budgets by (tenant, name)."""
        set_budgets(store.engine, [budget("b", "globex"), budget("b"), budget("a")], NOON_US)
        names = "tenant_id", "name"
        everything = [("acme", "a"), ("acme", "b"), ("globex", "b")]
        assert picked(budget_statuses(store.engine, NOON), *names) == everything
        assert picked(budget_statuses(store.engine, NOON, tenant="globex"), *names) == everything[2:]
        assert picked(budget_statuses(store.engine, NOON, only={("acme", "b")}), *names) == [("acme", "b")]

    def test_a_name_means_one_budget_or_is_asked_back(self, store: Store) -> None:
        """Of one tenant it needs no tenant; of several it does."""
        set_budgets(store.engine, [budget("shared", "globex"), budget("shared"), budget("own")], NOON_US)
        assert named_budget_status(store.engine, "own", None, NOON)["tenant_id"] == "acme"
        assert named_budget_status(store.engine, "shared", "globex", NOON)["tenant_id"] == "globex"
        with pytest.raises(UsageError, match="several tenants have a budget 'shared': acme, globex; say which"):
            named_budget_status(store.engine, "shared", None, NOON)
        with pytest.raises(UsageError, match="there is no budget 'own'"):
            named_budget_status(store.engine, "own", "globex", NOON)

    def test_a_budget_on_a_user_has_that_users_past_as_well(self, store: Store) -> None:
        """Totals of single users are kept from the budget on; what came before is added up from the records."""
        store.add(at("2026-11-22T11:00:00Z", user_id="u-1"), at("2026-11-22T11:30:00Z", user_id="u-2"))
        set_budgets(store.engine, [budget("u", user_id="u-1")], NOON_US)
        store.add(at("2026-11-22T11:45:00Z", user_id="u-1"))
        [row] = budget_statuses(store.engine, NOON)
        assert row["consumed"] == 5.0

    def test_setting_a_budget_again_changes_it(self, store: Store) -> None:
        """Tenant and name are what it is; its state goes on."""
        set_budgets(store.engine, [budget("b")], NOON_US)
        set_budgets(store.engine, [budget("b", limit_gco2e=50)], NOON_US)
        assert picked(budget_statuses(store.engine, NOON), "name", "limit") == [("b", 50.0)]

    def test_removing_leaves_other_budgets_and_the_alerts(self, store: Store) -> None:
        """Also a budget of the same name of another tenant; removing what is not there does nothing."""
        set_budgets(store.engine, [budget("b"), budget("b", "globex")], NOON_US)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        Judge(store.engine).judge_all(NOON)
        for _ in range(2):
            remove_budget(store.engine, "acme", "b")
        assert picked(budget_statuses(store.engine, NOON), "tenant_id") == [("globex",)]
        assert store.rows("SELECT COUNT(*) AS states FROM budget_state") == [{"states": 1}]
        assert {row["tenant_id"] for row in latest_alerts(store.engine)} == {"acme"}

    def test_alerts_have_the_latest_first_and_say_what_kafka_has(self, store: Store) -> None:
        """Of one judgement the last change comes first; a limit and a tenant narrow them."""
        set_budgets(store.engine, [budget("b", thresholds=[0.5, 1.0]), budget("c", "globex")], NOON_US)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        store.add(at("2026-11-22T11:00:00Z", tenant_id="globex"))
        Judge(store.engine).judge_all(NOON)
        Judge(store.engine).judge_all(datetime.fromisoformat("2026-11-24T12:00:00Z"))
        store.execute("UPDATE alert SET delivered_at_us = :now WHERE sequence = 1", now=NOON_US + 500_000)
        alerts = latest_alerts(store.engine, tenant="acme")
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
        assert picked(latest_alerts(store.engine, tenant="acme", limit=1), "sequence") == [(4,)]
        assert {row["tenant_id"] for row in latest_alerts(store.engine)} == {"acme", "globex"}
