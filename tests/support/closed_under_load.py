"""Closing the month in which half of a load's events lie, while workers commit; and what must be in the store in the end."""

from datetime import UTC, datetime, timedelta

from rice_stream.channels.months import Month
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.period_verification import verify_months
from tests.support.closing import close
from tests.support.waiting import wait_until
from tests.support.worker_harness import WORK_DEADLINE_S, Deployment

_LAST_MONTH = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(day=1, hour=0, minute=0, second=0)
CLOSED = Month.of(f"{_LAST_MONTH:%Y-%m}", "UTC").previous
"""It was over a month ago."""
UNTIL_S = CLOSED.end.timestamp() + 10 * 3_600
"""Of a load whose events end in the twenty hours before: in this month, and in the one after it."""


def close_months(deployment: Deployment) -> None:
    """Close it for every tenant that is there, some softly, beside workers that commit; what is closed stays so."""

    def tenants() -> list[tuple[str]]:
        return deployment.rows("SELECT tenant_id FROM tenant ORDER BY tenant_id")

    for number, (tenant_id,) in enumerate(wait_until(tenants, WORK_DEADLINE_S, "a first tenant")):
        close(deployment.engine, CLOSED.name, tenant_id, soft=number % 2 == 1)


def assert_late_once(deployment: Deployment) -> None:
    """Each record of the closed months is in what was closed, or has one entry that says that it came late, and no other has one;
    proofs of months and of the trail hold."""
    low_us, high_us = (round(moment.timestamp() * 1e6) for moment in (CLOSED.start, CLOSED.end))
    closed = deployment.value("SELECT SUM(records) FROM period")
    within = {"low_us": low_us, "high_us": high_us}
    of_closed = (
        "r.ended_at_us >= :low_us AND r.ended_at_us < :high_us AND r.tenant_key IN (SELECT tenant_key FROM period)"
    )
    recorded = deployment.value(f"SELECT COUNT(*) FROM prompt_record r WHERE {of_closed}", **within)
    entries = deployment.rows(
        "SELECT r.tenant_key, r.event_key, e.counted, a.cause, e.carbon_mid_ugco2e - r.carbon_mid_ugco2e FROM adjustment_entry e"
        " JOIN adjustment a ON a.adjustment_key = e.adjustment_key"
        " JOIN prompt_record r ON r.tenant_key = e.tenant_key AND r.event_key = e.event_key"
        f" WHERE {of_closed}",
        **within,
    )
    assert len(entries) == len({entry[:2] for entry in entries}), "a late event was posted twice"
    assert len(entries) == deployment.value("SELECT COUNT(*) FROM adjustment_entry"), (
        "something was posted that was not late"
    )
    assert {entry[2:] for entry in entries} <= {(0, "late", 0)}
    assert recorded == closed + len(entries)
    found = verify_trail(deployment.engine)
    verify_months(deployment.engine, found)
    assert found.problems == []
