"""The alert of a trial: shaped as those of budgets, and marked so that nobody takes it for one. Pure."""

from datetime import datetime, timedelta
from typing import Any

from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.states import Consumed, Transition
from rice_stream.channels.definition import Channel

BUDGET = "trial-of-this-channel"
_NOBODY = "example"
"""The tenant of a trial on a channel for every tenant."""
_LIMIT_UGCO2E, _CONSUMED_UGCO2E = 50_000_000_000, 40_000_000_000


def trial_event(channel: Channel, number: str, now: datetime) -> dict[str, Any]:
    """A warning of a budget that does not exist, as CloudEvents 1.0; `data.test` is true. `number` makes its id."""
    tenant_id = min(channel.tenants) if channel.tenants else _NOBODY
    budget = Budget(name=BUDGET, tenant_id=tenant_id, limit=_LIMIT_UGCO2E, unit="gco2e", period="month")
    half = _CONSUMED_UGCO2E // 2
    consumed = Consumed(_CONSUMED_UGCO2E - half, _CONSUMED_UGCO2E, _CONSUMED_UGCO2E + half, 100_000_000_000)
    change = Transition(
        sequence=1,
        threshold=0.8,
        state="warning",
        period=period_at(budget, now),
        consumed=consumed,
        ratio=consumed.ratio(budget),
    )
    event = alert_event(
        budget, change, source="/rice-stream", event_time_watermark=now - timedelta(minutes=1), time=now
    )
    return {**event, "id": f"test-{number}", "data": {**event["data"], "test": True}}
