"""The judge writes down what is to be sent with what it announces, in one transaction."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from rice_stream.alerting import judge as judge_module
from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.channels.definition import Channel
from rice_stream.errors import UsageError
from rice_stream.reports.alerts import latest_alerts
from rice_stream.store import schema
from rice_stream.store.channel_health import disable
from rice_stream.store.channel_store import set_channel
from rice_stream.store.delivery_store import stored_delivery
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at, picked

MANY = 60


def set_budgets_of(store: Store, *names: str, **fields: Any) -> None:
    """Budgets of acme of 5 gCO2e a day, with what exceeds them."""
    wanted = [{"name": name, "tenant_id": "acme", "limit_gco2e": 5, "period": "day", **fields} for name in names]
    set_budgets(store.engine, [parse_budget(each) for each in wanted], NOON_US, OPERATOR)
    store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))


def add_channel(engine: Engine, name: str, **fields: Any) -> int:
    """A webhook."""
    channel = Channel(**{"name": name, "type": "webhook", "target": "x", **fields})
    return set_channel(engine, EVERYTHING, channel, None, None, OPERATOR).id


def stored(engine: Engine) -> list[Any]:
    """All deliveries."""
    with reading(engine) as connection:
        rows = connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).mappings()
        return [stored_delivery(row) for row in rows]


class TestAddressing:
    """On every database."""

    def test_an_alert_is_due_on_every_channel_that_wants_it(self, store: Store) -> None:
        """Under the alert's id, in the lane of its budget; on one that is disabled it is dead, and can be asked for."""
        set_budgets_of(store, "b", thresholds=[0.8, 1.0])
        ids = {name: add_channel(store.engine, name) for name in ("all", "gone")}
        ids["critical"] = add_channel(store.engine, "critical", min_severity="critical", tenants=frozenset({"acme"}))
        add_channel(store.engine, "others", tenants=frozenset({"globex"}))
        with writing(store.engine) as connection:
            disable(connection, ids["gone"], "HTTP 410")
        Judge(store.engine).judge_all(NOON)
        found = stored(store.engine)
        by_channel = Counter((each.channel, each.severity, each.state) for each in found)
        assert by_channel == {
            ("all", "warning", "due"): 1,
            ("all", "critical", "due"): 1,
            ("critical", "critical", "due"): 1,
            ("gone", "warning", "dead"): 1,
            ("gone", "critical", "dead"): 1,
        }
        alerts = {row["id"]: row for row in latest_alerts(store.engine, EVERYTHING)}
        for each in found:
            assert each.cause == each.alert_id == each.content["alerts"][0]["id"]
            assert alerts[each.alert_id]["threshold"] == each.content["alerts"][0]["data"]["threshold"]
        assert {each.lane for each in found} == {"budget:1"}
        own = [each.content["alerts"][0]["data"]["sequence"] for each in found if each.channel == "all"]
        assert own == [1, 2]
        assert Judge(store.engine).judge_all(NOON).changes == 0
        assert len(stored(store.engine)) == len(found)

    def test_alerts_without_their_deliveries_are_never_stored(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fails between the two takes both back, and the next judgement makes both."""

        def fail(*_arguments: object) -> None:
            raise UsageError("no")

        set_budgets_of(store, "b")
        add_channel(store.engine, "ops")
        with monkeypatch.context() as patched:
            patched.setattr(judge_module, "address", fail)
            with pytest.raises(UsageError):
                Judge(store.engine).judge_all(NOON)
        assert latest_alerts(store.engine, EVERYTHING) == stored(store.engine) == []
        changes = Judge(store.engine).judge_all(NOON).changes
        assert changes == len(stored(store.engine)) > 0

    def test_many_alerts_are_addressed_together(self, store: Store) -> None:
        """As few statements for all as for one; and none about channels where nothing is announced."""
        names = [f"b{number:02}" for number in range(MANY)]
        set_budgets_of(store, *names, thresholds=[1.0])
        statements: list[str] = []
        event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        Judge(store.engine).judge_all(NOON - timedelta(days=1))
        assert not any("channel" in each for each in statements)
        for channel in ("one", "two"):
            add_channel(store.engine, channel)
        statements.clear()
        Judge(store.engine).judge_all(NOON)
        assert sum(each.startswith("INSERT INTO delivery") for each in statements) == 1
        assert Counter(each.channel for each in stored(store.engine)) == {"one": MANY, "two": MANY}
        assert picked(latest_alerts(store.engine, EVERYTHING), "state") == [("exceeded",)] * MANY
