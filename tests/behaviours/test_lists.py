"""Lists page by page, and what every answer rests on."""

from datetime import datetime

import pytest
from sqlalchemy import text

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.alerts import alert_page, latest_alerts
from rice_stream.reports.budgets import budget_page, budget_statuses
from rice_stream.reports.meta import report_meta
from rice_stream.reports.quarantine import quarantine_page, quarantined
from rice_stream.reports.tenants import named_tenant, tenant_page, tenants
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked


class TestLists:
    """On every database."""

    def test_alerts_in_pages_are_the_alerts(self, store: Store) -> None:
        """Of one instant there are several, of several budgets: none is left out, and none comes twice."""
        names = ("a", "b", "c")
        wanted = [
            {"name": name, "tenant_id": "acme", "limit_gco2e": 5, "period": "day", "thresholds": [0.5, 1.0]}
            for name in names
        ]
        set_budgets(store.engine, [parse_budget(each) for each in wanted], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        Judge(store.engine).judge_all(NOON)
        Judge(store.engine).judge_all(datetime.fromisoformat("2026-11-24T12:00:00Z"))
        found, after = [], None
        for expected in (5, 5, 2):
            page = alert_page(store.engine, EVERYTHING, tenant="acme", limit=5, after=after)
            assert len(page["rows"]) == expected
            found += page["rows"]
            after = page["next"]
        assert after is None
        assert sorted(found, key=str) == sorted(latest_alerts(store.engine, EVERYTHING), key=str)
        assert picked(found, "time", "sequence") == sorted(picked(found, "time", "sequence"), reverse=True)

    def test_quarantine_in_pages_is_the_quarantine(self, store: Store) -> None:
        """Latest first, of the status that is asked for."""
        store.add(*(at("2026-11-22T11:00:00Z", event_id=f"e{n}", input_tokens=-1) for n in range(5)))
        first = quarantine_page(store.engine, EVERYTHING, Choice(), limit=3)
        second = quarantine_page(store.engine, EVERYTHING, Choice(), limit=3, after=first["next"])
        assert first["rows"] + second["rows"] == quarantined(store.engine, EVERYTHING, Choice())["rows"]
        assert (len(first["rows"]), second["next"]) == (3, None)
        assert quarantine_page(store.engine, EVERYTHING, Choice(), status="dropped")["rows"] == []

    def test_tenants_in_pages_are_the_tenants(self, store: Store) -> None:
        """By id, whatever characters they are of."""
        store.add(*(at("2026-11-22T11:00:00Z", tenant_id=tenant) for tenant in ("a", "b", "Ünïted", "z")))
        found, after = [], None
        for _ in range(2):
            page = tenant_page(store.engine, EVERYTHING, limit=2, after=after)
            found += page["rows"]
            after = page["next"]
        assert (found, after) == (tenants(store.engine, EVERYTHING), None)
        assert named_tenant(store.engine, EVERYTHING, "a") == {"tenant_id": "a", "time_zone": "UTC"}
        with pytest.raises(NotFoundError, match="there is no tenant 'a'; see `rice-stream tenant list`"):
            named_tenant(store.engine, Scope(frozenset({"b"})), "a")

    def test_budgets_in_pages_are_the_budgets(self, store: Store) -> None:
        """By tenant and name, one that cannot be read after all others; each page adds up its own alone."""
        names = [(tenant, name) for tenant in ("acme", "globex") for name in ("a", "b", "c d")]
        wanted = [{"name": name, "tenant_id": tenant, "limit_gco2e": 5, "period": "day"} for tenant, name in names]
        set_budgets(store.engine, [parse_budget(each) for each in wanted], NOON_US, OPERATOR)
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z", tenant_id="globex"))
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE budget SET thresholds = 'none' WHERE tenant_id = 'acme' AND name = 'a'"))
        whole = budget_statuses(store.engine, EVERYTHING, NOON, outlook=True)
        found, after = [], None
        for expected in (4, 2):
            page = budget_page(store.engine, EVERYTHING, NOON, outlook=True, limit=4, after=after)
            assert len(page["rows"]) == expected
            found += page["rows"]
            after = page["next"]
        assert (found, after) == (whole, None)
        assert [(row["tenant_id"], row["name"]) for row in found] == [*names[1:], names[0]]
        of_one = budget_page(store.engine, EVERYTHING, NOON, tenant="globex", limit=3)
        assert (of_one["next"], {row["tenant_id"] for row in of_one["rows"]}) == (None, {"globex"})

    def test_positions_of_other_lists_are_refused(self, store: Store) -> None:
        """They are bytes that are not of this list."""
        for page in (alert_page, tenant_page):
            with pytest.raises(UsageError, match="no position in this list"):
                page(store.engine, EVERYTHING, after=b"\xff")
        with pytest.raises(UsageError, match="no position in this list"):
            budget_page(store.engine, EVERYTHING, NOON, after=b"1")
        with pytest.raises(UsageError, match="no position in this list"):
            quarantine_page(store.engine, EVERYTHING, Choice(), after=b"1")

    def test_meta_says_how_far_the_data_reach(self, store: Store) -> None:
        """The latest minute with prompts, of a tenant or a team where that is asked; what made the estimates, latest first."""
        nothing = report_meta(store.engine, EVERYTHING, NOON)
        assert nothing == {
            "as_of": "2026-11-22T12:00:00Z",
            "watermark": None,
            "committed_at": None,
            "time_zone": None,
            "versions": [],
        }
        store.add(at("2026-11-22T11:20:30Z", team_id="a"), at("2026-11-22T11:50:00Z", tenant_id="globex"))
        told = report_meta(store.engine, EVERYTHING, NOON, time_zone="Asia/Kathmandu")
        assert (told["watermark"], told["committed_at"]) == ("2026-11-22T11:50:00Z", "2026-11-22T12:00:00Z")
        assert (told["time_zone"], told["versions"]) == (
            "Asia/Kathmandu",
            [{"method": "fake-1", "factors": "factors-1"}],
        )
        of_tenant = report_meta(store.engine, Scope(frozenset({"acme"})), NOON)
        assert (of_tenant["watermark"], of_tenant["committed_at"]) == ("2026-11-22T11:20:00Z", None)
        assert report_meta(store.engine, EVERYTHING, NOON, tenant="acme")["watermark"] == "2026-11-22T11:20:00Z"
        assert report_meta(store.engine, Scope(None, frozenset({"a"})), NOON)["watermark"] == "2026-11-22T11:15:00Z"
