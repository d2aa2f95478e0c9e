"""Early warning: from the pace of now to what must be announced before a limit is reached. Pure.

Three kinds of warning, each judged by itself beside the thresholds, and of each one or none at a time:

- `fast_burn` and `slow_burn`: a rule of `burn.BURN_RULES` that pages, or one that opens a ticket, holds;
- `forecast`: going on at the average pace since its start, the period reaches the limit before its end.

What was consumed before the period is not held against it: a window that began earlier is cut at the period's start. A
warning ends when its condition is left behind by more than the budget's hysteresis, when the limit itself is reached (the
thresholds say that), when its period is over, and when the budget asks for no warnings any more. The same judgement made
twice announces nothing the second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from rice_stream.budgets.burn import BurnAlarm, burn_alarms, burn_rules, burn_windows, may_burn, still_burns
from rice_stream.budgets.definition import Budget, Unit, exact
from rice_stream.budgets.forecasting import forecast
from rice_stream.budgets.periods import Period, recent_stretch
from rice_stream.budgets.states import BudgetState, Consumed, EndedBy, Forecast, OpenWarning, Transition, WarningKind
from rice_stream.instants import in_utc

FORECAST_AFTER = Fraction(1, 4)
"""The share of a period before which its average pace tells too little: of a month a whole week, weekend included."""
FORECAST_MINIMUM: Mapping[Unit, int] = {"gco2e": 10 * 10**6, "kwh": 10 * 10**6}
"""Micro-units consumed below which nothing is forecast: 10 gCO2e, 10 Wh. A few prompts are no pace."""
FORECAST_SHARE = 1.0
"""The share of the limit that is forecast: what stands as the threshold of such a warning."""
RANGE_WINDOWS = (timedelta(hours=6), timedelta(hours=24), timedelta(days=7))
"""Stretches before now whose paces span the range of an announced date of exhaustion."""
_BURNS: Mapping[Literal["page", "ticket"], WarningKind] = {"page": "fast_burn", "ticket": "slow_burn"}


class RecentStretch(NamedTuple):
    """What stands for a window before now: `period` is what is asked for, `length` how long the window is taken to be."""

    window: timedelta
    period: Period
    length: timedelta


Recent = Sequence[tuple[RecentStretch, Consumed]]


def stretches_to_ask(
    budget: Budget, state: BudgetState, consumed: Consumed, period: Period, now: datetime, *, with_range: bool = False
) -> list[RecentStretch]:
    """What `judge_early` has to know besides the period's totals: nothing, of most budgets.

    `with_range`: also what spans the range of a forecast that is announced.
    """
    if _of_another_time(state, period) or not budget.early_warning:
        return []
    amount = consumed.amount(budget)
    length = _length(budget, period)
    windows: set[timedelta] = set()
    burning = any(each.kind != "forecast" for each in state.warnings)
    if amount < budget.limit and (burning or may_burn(budget, amount, length)):
        windows.update(burn_windows(length))
        if burning:
            windows.update(rule.middle for rule, _ in burn_rules(length))
    if with_range and period.calendar:
        windows.update(RANGE_WINDOWS)
    return [_stretch(in_utc(now), window, period.start) for window in sorted(windows)]


def judge_early(
    budget: Budget, state: BudgetState, consumed: Consumed, period: Period, now: datetime, recent: Recent
) -> tuple[BudgetState, list[Transition]]:
    """The state with the warnings that hold now, and the changes to announce, resolutions first.

    `state` is what `rules.judge` left of this judgement, `consumed` are the totals of `period`, the present one, and `recent`
    the answers to `stretches_to_ask`. The sequence is continued.
    """
    if _of_another_time(state, period) or not (budget.early_warning or state.warnings):
        return state, []
    resolved, kept = [], []
    for each in state.warnings:
        why = _ended_by(budget, each, consumed, period, now, recent)
        if why is None:
            kept.append(each)
        elif why == "period":
            resolved.append(_resolution(budget, each, why, each.period, each.consumed))
        else:
            figures = _figures(budget, each, consumed, period, now, recent)
            resolved.append(_resolution(budget, each, why, period, consumed, figures))
    risen = []
    if budget.early_warning:
        known = {each.kind for each in kept}
        risen = [each for each in _holding(budget, consumed, period, now, recent) if each.warning.kind not in known]
    changes = resolved + [_announced(budget, each) for each in risen]
    if not changes:
        return state, []
    numbered = [
        replace(each, sequence=number, open_thresholds=state.active)
        for number, each in enumerate(changes, start=state.sequence + 1)
    ]
    warnings = (*kept, *(each.warning for each in risen))
    return replace(state, sequence=numbered[-1].sequence, warnings=warnings), numbered


class _Held(NamedTuple):
    warning: OpenWarning
    rests_on: BurnAlarm | Forecast | None


def _of_another_time(state: BudgetState, period: Period) -> bool:
    """Whether another worker, its clock ahead, has already judged a later period, or this one as over."""
    if not period.calendar or state.period is None:
        return False
    return state.over or not state.period.is_same(period)


def _same_life(last: Period, period: Period) -> bool:
    return last.is_same(period) if period.calendar else not last.calendar


def _holding(budget: Budget, consumed: Consumed, period: Period, now: datetime, recent: Recent) -> Iterable[_Held]:
    """Every warning that holds, whether or not it was announced; none once the limit is reached."""
    amount = consumed.amount(budget)
    if amount >= budget.limit:
        return
    length = _length(budget, period)
    if may_burn(budget, amount, length):
        told: set[WarningKind] = set()
        amounts, lengths = _by_window(budget, recent)
        for alarm in burn_alarms(budget, amounts, length, lengths=lengths):
            kind = _BURNS[alarm.rule.severity]
            if kind not in told:
                told.add(kind)
                yield _Held(OpenWarning(kind, alarm.threshold, period, consumed), alarm)
    if _will_be_reached(budget, amount, period, now):
        ahead = _forecast(budget, consumed, period, now, recent)
        yield _Held(OpenWarning("forecast", FORECAST_SHARE, period, consumed), ahead)


def _ended_by(
    budget: Budget, warning: OpenWarning, consumed: Consumed, period: Period, now: datetime, recent: Recent
) -> EndedBy | None:
    """Why it ends; None: it goes on."""
    if not _same_life(warning.period, period):
        return "period"
    if not budget.early_warning:
        return "settings"
    amount = consumed.amount(budget)
    if amount >= budget.limit:
        return "limit"
    if warning.kind == "forecast":
        elapsed, length = _elapsed(period, now)
        goes_on = amount * length >= budget.limit * elapsed * (1 - exact(budget.hysteresis))
    else:
        amounts, lengths = _by_window(budget, recent)
        severity: Literal["page", "ticket"] = "page" if warning.kind == "fast_burn" else "ticket"
        alarm = severity, warning.threshold
        goes_on = still_burns(budget, alarm, amounts, _length(budget, period), lengths=lengths)
    return None if goes_on else "pace"


def _will_be_reached(budget: Budget, amount: int, period: Period, now: datetime) -> bool:
    if not period.calendar or amount < FORECAST_MINIMUM[budget.unit]:
        return False
    elapsed, length = _elapsed(period, now)
    begun = elapsed * FORECAST_AFTER.denominator >= length * FORECAST_AFTER.numerator
    return begun and amount * length >= budget.limit * elapsed


def _elapsed(period: Period, now: datetime) -> tuple[int, int]:
    """Microseconds of the period that are over, and all it has."""
    length = (period.end - period.start) // timedelta.resolution
    return min(max(0, (in_utc(now) - period.start) // timedelta.resolution), length), length


def _figures(
    budget: Budget, warning: OpenWarning, consumed: Consumed, period: Period, now: datetime, recent: Recent
) -> Forecast | None:
    """What a forecast that ends rests on; a burn rate that ends is one no more."""
    return _forecast(budget, consumed, period, now, recent) if warning.kind == "forecast" else None


def _forecast(budget: Budget, consumed: Consumed, period: Period, now: datetime, recent: Recent) -> Forecast | None:
    whole = [(each.period, amounts) for each, amounts in recent if each.length == each.period.end - each.period.start]
    return forecast(budget, consumed, period, now, whole)


def _by_window(budget: Budget, recent: Recent) -> tuple[dict[timedelta, int], dict[timedelta, timedelta]]:
    return (
        {stretch.window: amounts.amount(budget) for stretch, amounts in recent},
        {stretch.window: stretch.length for stretch, _ in recent},
    )


@lru_cache(maxsize=4096)
def _stretch(now: datetime, window: timedelta, not_before: datetime) -> RecentStretch:
    """Kept for a while: thousands of budgets are judged at one instant."""
    whole = recent_stretch(now, window)
    cut = Period(max(whole.start, not_before), whole.end, calendar=False)
    return RecentStretch(window, cut, whole.end - whole.start)


def _length(budget: Budget, period: Period) -> timedelta:
    return budget.window or period.end - period.start


def _announced(budget: Budget, held: _Held) -> Transition:
    """Not numbered yet."""
    warning = held.warning
    ratio = warning.consumed.ratio(budget)
    return Transition(
        *(0, warning.threshold, "warning", warning.period, warning.consumed, ratio),
        basis=warning.basis,
        rests_on=held.rests_on,
    )


def _resolution(
    budget: Budget,
    warning: OpenWarning,
    why: EndedBy,
    period: Period,
    consumed: Consumed,
    rests_on: Forecast | None = None,
) -> Transition:
    """Not numbered yet."""
    return Transition(
        *(0, warning.threshold, "resolved", period, consumed, consumed.ratio(budget)),
        basis=warning.basis,
        rests_on=rests_on,
        ended_by=why,
    )
