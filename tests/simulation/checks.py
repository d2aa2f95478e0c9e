"""The truth of a schedule: what the store must hold once everything is worked off."""

from collections import Counter
from random import Random
from typing import Any

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from tests.simulation.broker import LogRecord
from tests.simulation.traffic import TENANTS, Meaning, digest
from tests.support.store_checks import Rows, expected_sums, tenant_sums

THRESHOLDS = (0.25, 0.5, 1.0)


def distinct(events: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(tenant, event id) -> the different things that were said about it, in order."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        said = found.setdefault((event["tenant_id"], event["event_id"]), [])
        if event not in said:
            said.append(event)
    return found


def check_records(rows: Rows, sent: list[dict[str, Any]], old: set[str]) -> None:
    """Every event sent is one record, with one of the contents that were sent; sums are those of the events.

    Those of the ids in `old` may have come when retention had dropped their month already: one record or none.
    """
    events = distinct(sent)
    tenants = {row["tenant_key"]: row["tenant_id"] for row in rows("tenant")}
    records, conflicts = rows("prompt_record"), rows("conflict")
    stored = Counter((tenants[row["tenant_key"]], row["event_id"]) for row in records)
    expected = {key for key in events if key[1] not in old or key in stored}
    assert stored == Counter(expected), "each event is counted exactly once"
    standing = []
    for row in records:
        said = events[tenants[row["tenant_key"]], row["event_id"]]
        matching = [event for event in said if event["output_tokens"] == row["output_tokens"]]
        assert len(matching) == 1, "the record says what one of the events said"
        standing += matching
    assert tenant_sums(rows) == expected_sums(standing)
    contradicted = Counter((tenants[row["tenant_key"]], row["event_id"]) for row in conflicts)
    for key, said in events.items():
        assert contradicted.pop(key, 0) == len(said) - 1, "what contradicts the record is kept, once, and nothing else"
    assert not contradicted


def check_quarantine(rows: Rows, log: list[LogRecord], meanings: dict[bytes | None, Meaning]) -> None:
    """What is no event is held, once for each place in a log where it stands; nothing else is."""
    expected = {
        (record.partition, record.offset, item, digest(record.value))
        for record in log
        for item in meanings[record.value].refused
    }
    held = Counter((row["partition"], row["offset"], row["item"], bytes(row["digest"])) for row in rows("quarantine"))
    assert held == Counter(expected)


def budgets_for(random: Random, meanings: list[dict[bytes | None, Meaning]]) -> list[Budget]:
    """A budget of the month and a rolling one for each tenant, with limits that are reached early, late or never."""
    sums = expected_sums([e for of in meanings for meaning in of.values() for e in meaning.events])
    budgets = []
    for tenant in TENANTS:
        total = sums.get(tenant, {}).get("carbon_mid_ugco2e", 0)
        for period in ("month", "rolling-30d"):
            limit_g = max(total, 1_000_000) / 1e6 / random.choice([0.2, 0.6, 0.9, 1.0, 3.0])
            budgets.append(
                parse_budget(
                    {
                        "name": period,
                        "tenant_id": tenant,
                        "limit_gco2e": limit_g,
                        "period": period,
                        "thresholds": list(THRESHOLDS),
                    }
                )
            )
    return budgets


def check_alerts(rows: Rows, budgets: list[Budget]) -> None:
    """Every threshold that the totals have reached was announced exactly once, and no other; sequences have no gap."""
    sums = tenant_sums(rows)
    alerts = rows("alert")
    for number, budget in enumerate(budgets, start=1):
        amount = sums.get(budget.tenant_id, {}).get("carbon_mid_ugco2e", 0)
        announced = [alert for alert in alerts if alert["budget_id"] == number]
        assert {alert["state"] for alert in announced} <= {"warning", "exceeded"}, "nothing resolves within the month"
        reached = [threshold for threshold in THRESHOLDS if budget.reached(threshold, amount)]
        assert sorted(alert["threshold"] for alert in announced) == reached, (budget, amount)
        assert sorted(alert["sequence"] for alert in announced) == list(range(1, len(announced) + 1))
    assert len({alert["id"] for alert in alerts}) == len(alerts)
