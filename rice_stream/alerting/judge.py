"""Judging budgets against the committed totals: a budget's state changes in one transaction with its alerts and their deliveries.

Alerts are a function of committed totals only, so a crash between a batch and its judgement loses nothing: the next
sweep, of this worker or another, judges the same totals.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rice_stream.alerting.addressing import Announced, address
from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.early_warning import RecentStretch, judge_early, stretches_to_ask
from rice_stream.budgets.periods import Period
from rice_stream.budgets.room import Room, narrowest, room_of
from rice_stream.budgets.rules import due_periods, judge
from rice_stream.budgets.states import BudgetState, Consumed, Transition
from rice_stream.errors import RiceError
from rice_stream.instants import datetime_of, epoch_us
from rice_stream.store import budget_store
from rice_stream.store.budget_store import UnreadableBudget
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine, reading, writing

SOURCE = "/rice-stream"
LATENESS = timedelta(days=2)
"""How long after its end a period is still judged, for events that arrive late."""
_CHANGES_AT_ONCE = 500
"""Budgets that change in one transaction: at the end of a month all do, and one by one they would take a minute."""
_NOT_JUDGED = (RiceError, ValueError, TypeError, ArithmeticError)
"""What a stored definition or state that makes no sense runs into; a database that fails is none of them."""


class Judgement(NamedTuple):
    """How many changes were put into the outbox, of how many budgets, the budgets that could not be judged, and what tenants may
    yet consume before anything else changes."""

    changes: int
    budgets: int
    unreadable: list[UnreadableBudget]
    rooms: dict[str, Room]
    """By tenant_id, of those that have budgets: as of when judging began."""


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
            verdicts, unjudged = _judged(connection, stored.readable, now, with_ranges=False)
        changing = [verdict.budget_id for verdict in verdicts if verdict.state != verdict.before]
        changes = sum(
            self._change(changing[first : first + _CHANGES_AT_ONCE], now)
            for first in range(0, len(changing), _CHANGES_AT_ONCE)
        )
        count = len(stored.readable) + len(stored.unreadable)
        return Judgement(changes, count, [*stored.unreadable, *unjudged], _rooms(verdicts))

    def has_budgets(self) -> bool:
        """Whether any tenant has a budget."""
        with reading(self._engine) as connection:
            return budget_store.has_budgets(connection)

    def _change(self, budget_ids: Sequence[int], now: datetime) -> int:
        with writing(self._engine) as connection:
            # Read again under the lock: they may have been changed or removed since they were looked at.
            locked = budget_store.lock_budgets(connection, budget_ids)
            verdicts, _ = _judged(connection, locked, now, with_ranges=False)
            # What is announced is announced with ranges. At the turn of a month all budgets change, and few announce anything.
            announcing = {verdict.budget_id for verdict in verdicts if verdict.transitions}
            if announcing:
                chosen = [each for each in locked if _id_of(each[0]) in announcing]
                ranged, _ = _judged(connection, chosen, now, with_ranges=True)
                verdicts = [verdict for verdict in verdicts if verdict.budget_id not in announcing] + ranged
            changed = {verdict.budget_id: verdict.state for verdict in verdicts if verdict.state != verdict.before}
            budget_store.save_states(connection, changed)
            announced = [(verdict.budget, each) for verdict in verdicts for each in verdict.transitions]
            watermarks = budget_store.watermarks_us(connection, {budget.tenant_id for budget, _ in announced})
            told = [_announced(budget, each, watermarks.get(budget.tenant_id), now) for budget, each in announced]
            budget_store.add_alerts(connection, [_alert_row(each, now) for each in told])
            address(connection, told)
        for budget, transition in announced:
            self._on_transition(budget, transition)
        return len(announced)


class _Verdict(NamedTuple):
    """A budget judged: its state before and now, and what is to be announced."""

    budget_id: int
    budget: Budget
    before: BudgetState
    state: BudgetState
    transitions: list[Transition]
    room: Room


def _rooms(verdicts: Iterable[_Verdict]) -> dict[str, Room]:
    """What each tenant's budgets leave."""
    found: dict[str, Room] = {}
    for verdict in verdicts:
        tenant_id = verdict.budget.tenant_id
        found[tenant_id] = narrowest((found[tenant_id], verdict.room)) if tenant_id in found else verdict.room
    return found


def _judged(
    connection: Connection, budgets: Sequence[tuple[Budget, BudgetState]], now: datetime, *, with_ranges: bool
) -> tuple[list[_Verdict], list[UnreadableBudget]]:
    """All of them, with what they consumed asked for together; one whose judgement fails does not touch the others."""
    due: list[tuple[Budget, BudgetState, list[Period]]] = []
    unjudged: list[UnreadableBudget] = []
    for budget, state in budgets:
        try:
            due.append((budget, state, due_periods(budget, state, now, lateness=LATENESS)))
        except _NOT_JUDGED as error:
            unjudged.append(_unjudged(budget, error))
    asked = [(budget, each) for budget, _, periods in due for each in periods]
    consumed = iter(consumed_in_each(connection, asked, with_ranges=with_ranges))
    verdicts: list[tuple[_Verdict, Period, Consumed]] = []
    for budget, before, periods in due:
        amounts = [(period, next(consumed)) for period in periods]
        try:
            verdicts.append((_verdict(budget, before, amounts, now), *amounts[-1]))
        except _NOT_JUDGED as error:
            unjudged.append(_unjudged(budget, error))
    return _judged_early(connection, verdicts, now, unjudged, with_ranges=with_ranges), unjudged


def _judged_early(
    connection: Connection,
    verdicts: Sequence[tuple[_Verdict, Period, Consumed]],
    now: datetime,
    unjudged: list[UnreadableBudget],
    *,
    with_ranges: bool,
) -> list[_Verdict]:
    """The verdicts, with the early warnings of budgets that want them; those whose judgement fails go to `unjudged`."""
    asked: list[tuple[Budget, Period]] = []
    stretches: list[list[RecentStretch]] = []
    for verdict, period, consumed in verdicts:
        budget, state = verdict.budget, verdict.state
        wanted = []
        if budget.early_warning:
            wanted = stretches_to_ask(budget, state, consumed, period, now, with_range=with_ranges)
        stretches.append(wanted)
        asked += [(budget, each.period) for each in wanted]
    answers = iter(consumed_in_each(connection, asked, with_ranges=False)) if asked else iter(())
    found: list[_Verdict] = []
    for (verdict, period, consumed), wanted in zip(verdicts, stretches, strict=True):
        recent = [(each, next(answers)) for each in wanted]
        try:
            state, changes = judge_early(verdict.budget, verdict.state, consumed, period, now, recent)
        except _NOT_JUDGED as error:
            unjudged.append(_unjudged(verdict.budget, error))
            continue
        found.append(
            verdict._replace(state=state, transitions=[*verdict.transitions, *changes]) if changes else verdict
        )
    return found


def _verdict(
    budget: Budget, before: BudgetState, amounts: Sequence[tuple[Period, Consumed]], now: datetime
) -> _Verdict:
    state = before
    transitions: list[Transition] = []
    for period, consumed in amounts:
        state, changes = judge(budget, state, consumed, period, now)
        transitions += changes
    return _Verdict(_id_of(budget), budget, before, state, transitions, room_of(budget, amounts))


def _unjudged(budget: Budget, error: Exception) -> UnreadableBudget:
    problem = f"it cannot be judged ({type(error).__name__}: {error}); set the budget again, or remove it"
    return UnreadableBudget(_id_of(budget), budget.tenant_id, budget.name, problem)


def _id_of(budget: Budget) -> int:
    if budget.budget_id is None:
        raise ValueError(f"budget {budget.name!r} is not stored")
    return budget.budget_id


def _announced(budget: Budget, transition: Transition, watermark_us: int | None, now: datetime) -> Announced:
    watermark = None if watermark_us is None else datetime_of(watermark_us)
    event = alert_event(budget, transition, source=SOURCE, event_time_watermark=watermark, time=now)
    return Announced(budget, transition, event)


def _alert_row(announced: Announced, now: datetime) -> dict[str, Any]:
    budget, transition, event = announced
    return {
        "id": event["id"],
        "tenant_id": budget.tenant_id,
        "budget_id": budget.budget_id,
        "budget": budget.name,
        "period_start_us": epoch_us(transition.period.start) if transition.period.calendar else 0,
        "threshold": transition.threshold,
        "state": transition.state,
        "basis": transition.basis,
        "sequence": transition.sequence,
        "created_at_us": epoch_us(now),
        "delivered_at_us": None,
        "event": json.dumps(event),
    }
