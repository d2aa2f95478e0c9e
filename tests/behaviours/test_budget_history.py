"""What became of a budget: its changes, and how its period was used up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import NotFoundError
from rice_stream.reports.budget_history import budget_burn_down, budget_history
from rice_stream.reports.budgets import named_budget_status
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked


def budget(name: str = "b", **changes: Any) -> Budget:
    """A budget of 5 gCO2e a day: two prompts of the fake method."""
    return parse_budget({"name": name, "tenant_id": "acme", "limit_gco2e": 5, "period": "day", **changes})


class TestBudgetHistory:
    """On every database."""

    def test_changes_have_the_latest_first_with_what_was_said_of_them(self, store: Store) -> None:
        """Half of it, all of it, and both resolved with the next day; in pages as well. Another budget's are not among them."""
        set_budgets(store.engine, [budget(thresholds=[0.5, 1.0]), budget("other")], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        Judge(store.engine).judge_all(NOON)
        Judge(store.engine).judge_all(datetime.fromisoformat("2026-11-24T12:00:00Z"))
        rows = budget_history(store.engine, EVERYTHING, "acme", "b")["rows"]
        assert picked(rows, "sequence", "state", "threshold", "severity") == [
            (4, "resolved", 0.5, "info"),
            (3, "resolved", 1.0, "info"),
            (2, "exceeded", 1.0, "critical"),
            (1, "warning", 0.5, "warning"),
        ]
        assert rows[2] == {
            **{name: rows[2][name] for name in ("id", "delivered", "delivered_at")},
            "tenant_id": "acme",
            "budget": "b",
            "threshold": 1.0,
            "state": "exceeded",
            "sequence": 2,
            "time": "2026-11-22T12:00:00.000Z",
            "period_start": "2026-11-22T00:00:00Z",
            "period_end": "2026-11-23T00:00:00Z",
            "limit_gco2e": 5.0,
            "ratio": 1.0,
            "severity": "critical",
            "basis": "actual",
            "consumed_gco2e": {"low": 2.5, "mid": 5.0, "high": 10.0},
            "consumed_kwh": 0.0125,
        }
        first = budget_history(store.engine, EVERYTHING, "acme", "b", limit=3)
        second = budget_history(store.engine, EVERYTHING, "acme", "b", limit=3, after=first["next"])
        assert (first["rows"] + second["rows"], second["next"]) == (rows, None)

    def test_a_day_is_used_up_hour_by_hour(self, store: Store) -> None:
        """Kathmandu's day begins at 18:15Z: one prompt in its first hour, one in its seventeenth, in which it is now."""
        set_budgets(store.engine, [budget(time_zone="Asia/Kathmandu")], NOON_US, OPERATOR)
        store.add(at("2026-11-21T18:15:00Z"), at("2026-11-22T11:00:00Z"), at("2026-11-21T18:14:59Z"))
        told = budget_burn_down(store.engine, EVERYTHING, "acme", "b", datetime.fromisoformat("2026-11-22T11:05:00Z"))
        rows = told.pop("rows")
        assert (told["bucket"], told["consumed"], told["state"], told["limit"]) == ("hour", 5.0, "exceeded", 5.0)
        assert picked(rows, "start", "added", "consumed", "pace")[:2] == [
            ("2026-11-21T18:15:00Z", 2.5, 2.5, 5 / 24),
            ("2026-11-21T19:15:00Z", 0.0, 2.5, 10 / 24),
        ]
        assert picked(rows, "start", "end", "added", "consumed")[16:18] == [
            ("2026-11-22T10:15:00Z", "2026-11-22T11:15:00Z", 2.5, 5.0),
            ("2026-11-22T11:15:00Z", "2026-11-22T12:15:00Z", None, None),
        ]
        assert (len(rows), rows[-1]["pace"], rows[-1]["end"]) == (24, 5.0, told["period_end"])

    def test_longer_periods_are_used_up_day_by_day_also_when_clocks_change(self, store: Store) -> None:
        """Lord Howe puts its clocks on by half an hour on 4 October 2026: that day has 23.5 hours, and the month 31 days."""
        set_budgets(
            store.engine, [budget(time_zone="Australia/Lord_Howe", period="month", team_id="search")], NOON_US, OPERATOR
        )
        store.add(
            at("2026-10-03T13:29:00Z"),
            at("2026-10-03T13:31:00Z"),
            at("2026-10-04T12:59:00Z"),
            at("2026-10-04T13:01:00Z"),
        )
        told = budget_burn_down(store.engine, EVERYTHING, "acme", "b", datetime.fromisoformat("2026-10-20T00:00:00Z"))
        rows = told["rows"]
        assert (told["bucket"], len(rows), told["consumed"]) == ("day", 31, 10.0)
        assert picked(rows, "start", "added", "consumed")[2:5] == [
            ("2026-10-02T13:30:00Z", 2.5, 2.5),
            ("2026-10-03T13:30:00Z", 5.0, 7.5),
            ("2026-10-04T13:00:00Z", 2.5, 10.0),
        ]
        assert [row["consumed"] for row in rows].count(None) == 11

    @pytest.mark.parametrize(
        "period", ["day", "week", "month", "quarter", "year", "rolling-24h", "rolling-7d", "rolling-30d"]
    )
    @pytest.mark.parametrize(
        "narrowed",
        [{}, {"team_id": "search"}, {"estimate": "high"}, {"limit_gco2e": None, "limit_kwh": 1, "user_id": "u"}],
    )
    def test_the_last_of_it_is_the_status(self, store: Store, period: str, narrowed: dict[str, Any]) -> None:
        """Whatever the period, the scope and the estimate: what was added is what was consumed, and no hour counts twice."""
        set_budgets(
            store.engine, [budget(period=period, time_zone="Australia/Lord_Howe", **narrowed)], NOON_US, OPERATOR
        )
        now = NOON - timedelta(minutes=7)
        moments = [now - timedelta(minutes=minutes) for minutes in (0, 5, 59, 60, 61, 26 * 60, 4 * 1440, 20 * 1440)]
        store.add(*(at(each.strftime("%Y-%m-%dT%H:%M:%SZ"), user_id="u") for each in moments))
        told = budget_burn_down(store.engine, EVERYTHING, "acme", "b", now)
        status = named_budget_status(store.engine, EVERYTHING, "b", "acme", now)
        assert {name: told[name] for name in status} == status
        used = [row for row in told["rows"] if row["consumed"] is not None]
        middle = told["consumed_kwh"] if told["unit"] == "kwh" else told["consumed_gco2e"]["mid"]
        assert (used[-1]["consumed"], sum(row["added"] for row in used)) == (
            told["consumed"],
            pytest.approx(middle, rel=1e-12),
        )
        assert [row["start"] for row in told["rows"][1:]] == [row["end"] for row in told["rows"][:-1]]
        assert (told["rows"][0]["start"], told["rows"][-1]["end"]) == (told["period_start"], told["period_end"])

    def test_what_is_not_there_or_not_to_be_seen_is_not_found(self, store: Store) -> None:
        """With one message for both."""
        set_budgets(store.engine, [budget(), budget("team", team_id="search")], NOON_US, OPERATOR)
        now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        outside = Scope(frozenset({"acme"}), frozenset({"search"}))
        for scope, tenant, name in (
            (EVERYTHING, "acme", "c"),
            (outside, "acme", "b"),
            (Scope(frozenset({"x"})), "acme", "b"),
        ):
            said = f"tenant 'acme' has no budget '{name}'; see"
            with pytest.raises(NotFoundError, match=said):
                budget_history(store.engine, scope, tenant, name)
            with pytest.raises(NotFoundError, match=said):
                budget_burn_down(store.engine, scope, tenant, name, now)
        assert budget_history(store.engine, outside, "acme", "team") == {"rows": [], "next": None}
