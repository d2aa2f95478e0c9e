"""Judging budgets against the committed totals: one transaction a budget, its state and its alerts together.

Alerts are a function of committed totals only, so a crash between a batch and its judgement loses nothing: the next
sweep, of this worker or another, judges the same totals.
"""

import json
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.rules import due_periods, judge
from rice_stream.budgets.states import BudgetState, Transition
from rice_stream.instants import datetime_of, epoch_us
from rice_stream.store import budget_store
from rice_stream.store.budget_store import UnreadableBudget
from rice_stream.store.consumption import consumed_in
from rice_stream.store.engine import Connection, Engine, reading, writing

SOURCE = "/rice-stream"
LATENESS = timedelta(days=2)
"""How long after its end a period is still judged, for events that arrive late."""


class Judgement(NamedTuple):
    """How many changes were put into the outbox, and the budgets that could not be judged."""

    changes: int
    unreadable: list[UnreadableBudget]


class Judge:
    """Judges budgets; `now` comes from the caller."""

    def __init__(self, engine: Engine, on_transition: Callable[[Budget, Transition], None] | None = None) -> None:
        self._engine = engine
        self._on_transition = on_transition or (lambda _budget, _transition: None)

    def judge_all(self, now: datetime, tenant_keys: Collection[int] | None = None) -> Judgement:
        """Judge every budget, or those of some tenants; one that cannot be read is left out, whatever its trouble."""
        # Most judgements change nothing: look first without a lock, and lock only what is about to change.
        with reading(self._engine) as connection:
            stored = budget_store.load_budgets(connection, tenant_keys=tenant_keys)
            about_to_change = [
                budget for budget, state in stored.readable if _judged(connection, budget, state, now)[0] != state
            ]
        changes = sum(self._change(budget.budget_id, now) for budget in about_to_change if budget.budget_id is not None)
        return Judgement(changes, stored.unreadable)

    def _change(self, budget_id: int, now: datetime) -> int:
        with writing(self._engine) as connection:
            # Read again under the lock: it may have been changed or removed since it was looked at.
            locked = budget_store.lock_budget(connection, budget_id)
            if locked is None:
                return 0
            budget, state = locked
            new, transitions = _judged(connection, budget, state, now)
            if new != state:
                budget_store.save_state(connection, budget_id, new)
            watermark_us = budget_store.watermark_us(connection, budget.tenant_id) if transitions else None
            budget_store.add_alerts(connection, [_alert_row(budget, t, watermark_us, now) for t in transitions])
        for transition in transitions:
            self._on_transition(budget, transition)
        return len(transitions)


def _judged(
    connection: Connection, budget: Budget, state: BudgetState, now: datetime
) -> tuple[BudgetState, list[Transition]]:
    transitions: list[Transition] = []
    for period in due_periods(budget, state, now, lateness=LATENESS):
        consumed = consumed_in(connection, budget, period)
        state, changes = judge(budget, state, consumed, period, now)
        transitions += changes
    return state, transitions


def _alert_row(budget: Budget, transition: Transition, watermark_us: int | None, now: datetime) -> dict[str, Any]:
    watermark = None if watermark_us is None else datetime_of(watermark_us)
    event = alert_event(budget, transition, source=SOURCE, event_time_watermark=watermark, time=now)
    return {
        "id": event["id"],
        "tenant_id": budget.tenant_id,
        "budget_id": budget.budget_id,
        "budget": budget.name,
        "period_start_us": epoch_us(transition.period.start) if transition.period.calendar else 0,
        "threshold": transition.threshold,
        "state": transition.state,
        "sequence": transition.sequence,
        "created_at_us": epoch_us(now),
        "delivered_at_us": None,
        "event": json.dumps(event),
    }
