"""Judging a budget: from the last state and the committed totals to the changes that must be announced. Pure.

Every threshold is judged by itself: it fires when the amount reaches it, and resolves when the amount has fallen below it
by more than the hysteresis, when it is no longer one of the budget's thresholds, or when its period is over. The same
judgement made twice announces nothing the second time, so a caller may repeat it after any failure as long as it keeps
the state and the transitions in one transaction.

What keeps a crossing from being missed around the end of a calendar period: `due_periods` names the periods whose end
the state has not seen yet. Judged after its end, a period announces what was crossed late and resolves all of it, with
its final figures; the same happens when events arrive for a period that was over long ago.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period, period_at, previous_period
from rice_stream.budgets.states import BudgetState, ClosedPeriod, Consumed, State, Transition, crossing_state
from rice_stream.instants import in_utc

CLOSED_PERIODS_MAX = 35
"""Past periods with announcements that a state remembers; older periods are no longer judged. Keeps a state small."""


def due_periods(
    budget: Budget, state: BudgetState, now: datetime, *, lateness: timedelta = timedelta(0)
) -> list[Period]:
    """The periods to fetch totals of and to `judge`, in this order; the last one is the present one.

    Before it come the calendar periods that ended since the last judgement (a worker may have been away for days), and
    those that ended at most `lateness` ago, for events that arrive late as a matter of course. At most
    `CLOSED_PERIODS_MAX` of them.
    """
    now = in_utc(now)
    periods = [period_at(budget, now)]
    last = state.period
    if last is None or not last.calendar or not periods[0].calendar:
        return periods
    # What ended after this is due: with the last judged period itself, unless it was judged after its end.
    since = min(now - lateness, last.end if state.over else last.end - timedelta.resolution)
    while len(periods) <= CLOSED_PERIODS_MAX:
        earlier = previous_period(budget, periods[0])
        if earlier.end <= since or (state.watched_from and earlier.start < state.watched_from):
            break
        periods.insert(0, earlier)
    return periods


def judge(
    budget: Budget, state: BudgetState, consumed: Consumed, period: Period, now: datetime
) -> tuple[BudgetState, list[Transition]]:
    """The next state, and the changes to announce, in order.

    `consumed` are the totals of `period`, which comes from `period_at` (or `due_periods`) and may be the present or a
    past one. Resolutions come first, highest threshold first, then crossings, lowest threshold first. Store the state
    whenever it differs from the last one: it also moves where nothing is announced.

    When a calendar period has given way to another one, the thresholds still active are resolved with the old period
    and its last announced figures, and the new period starts without any; the sequence is continued. A changed period or time
    zone of the budget counts as such a change. A rolling budget has no such end: it resolves when old consumption
    leaves the window, and is "ok" again once a whole window lies behind that.

    Raises:
        ValueError: a rolling window for a calendar budget or the other way round, or a naive `now`.
    """
    if period.calendar != (budget.window is None):
        raise ValueError(f"a period of {budget.period} cannot be {'calendar' if period.calendar else 'rolling'}")
    if _is_past(state, period, in_utc(now)):
        return _judge_past(budget, state, consumed, period)
    transitions: list[Transition] = []
    if state.period is None or not _same_life(state.period, period):
        state, transitions = _started(budget, state, period)
    elif period.calendar and period != state.period:
        state = replace(state, period=period)  # changed time zone data may have moved its end
    elif not state.active and state.period is not None and period.start >= state.period.end:
        state = replace(state, crossed=(), period=None, consumed=None)  # the alarm itself has left the window
    before = state.active
    amount = consumed.amount(budget)
    fallen = [t for t in before if t not in budget.thresholds or budget.released(t, amount)]
    risen = [t for t in budget.thresholds if t not in before and budget.reached(t, amount)]
    changes = _changes(budget, state, fallen=fallen, risen=risen, consumed=consumed, period=period)
    if not changes:
        return state, transitions
    return (
        replace(
            state,
            sequence=changes[-1].sequence,
            active=_ascending({*before, *risen} - {*fallen}),
            crossed=_ascending({*state.crossed, *risen}),
            period=period,
            consumed=consumed,
        ),
        transitions + changes,
    )


def _is_past(state: BudgetState, period: Period, now: datetime) -> bool:
    """Whether the period is over, be it by the clock or by what another worker, its clock ahead, has already judged."""
    if not period.calendar:
        return False
    if period.end <= now:
        return True
    last = state.period
    if last is None or not last.calendar:
        return False
    return period.end <= last.start or (state.over and period.is_same(last))


def _same_life(last: Period, period: Period) -> bool:
    return last.is_same(period) if period.calendar else not last.calendar


def _started(budget: Budget, state: BudgetState, period: Period) -> tuple[BudgetState, list[Transition]]:
    """The state at the start of `period`'s life, and the resolutions of what the last life left active."""
    last = state.period
    ended: list[Transition] = []
    if last is not None and state.consumed is not None:
        ended = _changes(budget, state, fallen=state.active, risen=(), consumed=state.consumed, period=last)
    started = BudgetState(sequence=state.sequence + len(ended), warnings=state.warnings)
    if not period.calendar:
        return started, ended
    if last is not None and last.calendar and last.end <= period.start:
        kept = _remembered(state, last, state.crossed)
        return replace(started, period=period, closed=kept.closed, watched_from=kept.watched_from), ended
    # The first judgement, or the budget's period or time zone has changed: periods of another cut mean nothing now.
    return replace(started, period=period, watched_from=period.start), ended


def _judge_past(
    budget: Budget, state: BudgetState, consumed: Consumed, period: Period
) -> tuple[BudgetState, list[Transition]]:
    """Crossings not announced so far, lowest first, then the resolution of all that is active: the period is over.

    Judged after its end for the first time, a period may have crossed a threshold again that had resolved in its
    course; from then on a threshold is announced only if it never was.
    """
    if state.period is None:
        state = replace(state, period=period, watched_from=period.start)
    if state.watched_from is None or period.start < state.watched_from:
        return state, []
    own = state.period is not None and state.period.is_same(period)
    announced = state.crossed if own else _announced(state, period)
    known = state.active if own and not state.over else announced
    amount = consumed.amount(budget)
    risen = [t for t in budget.thresholds if t not in known and budget.reached(t, amount)]
    fallen = sorted({*risen, *(state.active if own else ())})
    open_before = state.active if own else ()
    crossings = _changes(
        budget, state, open_before=open_before, fallen=(), risen=risen, consumed=consumed, period=period
    )
    resolutions = _changes(
        budget,
        replace(state, sequence=state.sequence + len(crossings)),
        open_before={*open_before, *risen},
        fallen=fallen,
        risen=(),
        consumed=consumed,
        period=period,
    )
    transitions = crossings + resolutions
    crossed = _ascending({*announced, *risen})
    state = replace(state, sequence=state.sequence + len(transitions))
    if own:
        figures = consumed if transitions else state.consumed
        return replace(state, active=(), crossed=crossed, over=True, consumed=figures), transitions
    return _remembered(state, period, crossed), transitions


def _announced(state: BudgetState, period: Period) -> tuple[float, ...]:
    return next((closed.crossed for closed in state.closed if closed.period.is_same(period)), ())


def _remembered(state: BudgetState, period: Period, crossed: tuple[float, ...]) -> BudgetState:
    """The state with a past period's announcements among the closed ones; the oldest is forgotten where too many."""
    if not crossed:
        return state
    others = [closed for closed in state.closed if not closed.period.is_same(period)]
    closed = sorted([*others, ClosedPeriod(period, crossed)], key=lambda entry: entry.period.start)
    if len(closed) <= CLOSED_PERIODS_MAX:
        return replace(state, closed=tuple(closed))
    return replace(state, closed=tuple(closed[1:]), watched_from=closed[0].period.end)


def _changes(
    budget: Budget,
    state: BudgetState,
    *,
    open_before: Iterable[float] | None = None,
    fallen: Iterable[float],
    risen: Iterable[float],
    consumed: Consumed,
    period: Period,
) -> list[Transition]:
    """Transitions numbered on from the state's: resolutions from the highest threshold, then crossings upwards.

    `open_before`: thresholds in alarm before them; None: those of the state.
    """
    changes: list[tuple[float, State]] = [(threshold, "resolved") for threshold in sorted(fallen, reverse=True)]
    changes += [(threshold, crossing_state(threshold)) for threshold in sorted(risen)]
    ratio = consumed.ratio(budget) if changes else 0.0
    still_open = {*(state.active if open_before is None else open_before)}
    transitions = []
    for number, (threshold, changed_to) in enumerate(changes, start=state.sequence + 1):
        still_open = still_open - {threshold} if changed_to == "resolved" else still_open | {threshold}
        transitions.append(
            Transition(number, threshold, changed_to, period, consumed, ratio, open_thresholds=_ascending(still_open))
        )
    return transitions


def _ascending(thresholds: set[float]) -> tuple[float, ...]:
    return tuple(sorted(thresholds))
