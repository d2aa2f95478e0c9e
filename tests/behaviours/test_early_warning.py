"""Early warnings are alerts like the others: stored with the budget's state, once, in the order of its sequence."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import ServiceUnavailableError
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.budgets import budget_statuses
from rice_stream.store import budget_store
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked


def budget(name: str = "b", **changes: Any) -> Budget:
    """100 gCO2e in November, 40 prompts of the fake method; 21.5 of its 30 days are over."""
    values = {"name": name, "tenant_id": "acme", "limit_gco2e": 100, "period": "month", "thresholds": [1.0]}
    return parse_budget({**values, "early_warning": True, **changes})


def prompts(count: int, minute: int = 50, **fields: Any) -> list[object]:
    """Each is 2.5 gCO2e, dated in the hour before noon."""
    return [at(f"2026-11-22T11:{minute}:00Z", event_id=f"p-{minute}-{number}", **fields) for number in range(count)]


CHANGE = ("sequence", "basis", "threshold", "state")


class TestEarlyWarnings:
    """On every database."""

    def test_burn_rates_and_the_forecast_are_announced_beside_the_thresholds(self, store: Store) -> None:
        """5 g within the hour; then 72.5 of 100 g, which lead to 101; then the limit, which takes the warnings back."""
        set_budgets(store.engine, [budget()], NOON_US, OPERATOR)
        store.add(*prompts(2))
        assert Judge(store.engine).judge_all(NOON).changes == 1
        store.add(*prompts(27, 51))
        assert Judge(store.engine).judge_all(NOON).changes == 2
        [status] = budget_statuses(store.engine, EVERYTHING, NOON, outlook=True)
        assert (status["state"], status["early_warning"]) == ("ok", True)
        assert picked(status["open_alerts"], "basis", "threshold", "state", "since") == [
            ("burn_rate", 14.4, "warning", "2026-11-22T12:00:00.000Z"),
            ("burn_rate", 3.0, "warning", "2026-11-22T12:00:00.000Z"),
            ("forecast", 1.0, "warning", "2026-11-22T12:00:00.000Z"),
        ]
        store.add(*prompts(20, 52))
        assert Judge(store.engine).judge_all(NOON).changes == 4
        assert Judge(store.engine).judge_all(NOON).changes == 0
        assert picked(latest_alerts(store.engine, EVERYTHING)[::-1], *CHANGE) == [
            (1, "burn_rate", 14.4, "warning"),
            (2, "burn_rate", 3.0, "warning"),
            (3, "forecast", 1.0, "warning"),
            (4, "actual", 1.0, "exceeded"),
            (5, "burn_rate", 14.4, "resolved"),
            (6, "burn_rate", 3.0, "resolved"),
            (7, "forecast", 1.0, "resolved"),
        ]
        told = [json.loads(row["event"])["data"] for row in store.rows("SELECT event FROM alert ORDER BY sequence")]
        assert [each["basis"] for each in told] == ["burn_rate"] * 2 + [
            "forecast",
            "actual",
            *["burn_rate"] * 2,
            "forecast",
        ]
        dates = told[2]["forecast"]["exhausted_at"]
        assert dates["low"] < dates["mid"] < "2026-12-01"
        assert told[2]["consumed_gco2e"]["low"] < told[2]["consumed_gco2e"]["mid"]

    def test_parts_of_a_tenant_are_warned_of_their_own_use(self, store: Store) -> None:
        """By quarter hours, which is what their totals have; and a budget that does not ask hears nothing."""
        chosen = [
            budget("search", team_id="search"),
            budget("ads", team_id="ads"),
            budget("silent", early_warning=False),
        ]
        set_budgets(store.engine, chosen, NOON_US, OPERATOR)
        store.add(*prompts(3, team_id="search"))
        Judge(store.engine).judge_all(NOON)
        assert picked(latest_alerts(store.engine, EVERYTHING), "budget", "basis") == [("search", "burn_rate")]

    def test_a_burn_that_has_stopped_resolves_without_anything_arriving(self, store: Store) -> None:
        set_budgets(store.engine, [budget()], NOON_US, OPERATOR)
        store.add(*prompts(2))
        judge = Judge(store.engine)
        assert [judge.judge_all(NOON + timedelta(minutes=late)).changes for late in (0, 15, 60)] == [1, 0, 1]
        assert picked(latest_alerts(store.engine, EVERYTHING), "sequence", "state") == [(2, "resolved"), (1, "warning")]

    def test_a_crash_between_state_and_alert_keeps_neither_and_the_next_judgement_says_the_same(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_budgets(store.engine, [budget()], NOON_US, OPERATOR)
        store.add(*prompts(29))
        kept: list[str] = []

        def fail(_connection: Any, rows: Any) -> None:
            kept.extend(row["id"] for row in rows)
            raise ServiceUnavailableError("the database is gone")

        with monkeypatch.context() as broken:
            broken.setattr(budget_store, "add_alerts", fail)
            with pytest.raises(ServiceUnavailableError):
                Judge(store.engine).judge_all(NOON)
        assert store.rows("SELECT id FROM alert") == store.rows("SELECT budget_id FROM budget_state") == []
        assert Judge(store.engine).judge_all(NOON).changes == 3
        assert [row["id"] for row in store.rows("SELECT id FROM alert ORDER BY sequence")] == kept

    def test_workers_that_judge_at_the_same_time_announce_once(self, store: Store) -> None:
        set_budgets(store.engine, [budget(f"b-{number}") for number in range(5)], NOON_US, OPERATOR)
        store.add(*prompts(29))
        with ThreadPoolExecutor(4) as pool:
            changes = list(pool.map(lambda _: Judge(store.engine).judge_all(NOON).changes, range(4)))
        assert sum(changes) == 15
        rows = store.rows("SELECT budget_id, sequence FROM alert ORDER BY budget_id, sequence")
        assert [row["sequence"] for row in rows] == [1, 2, 3] * 5
