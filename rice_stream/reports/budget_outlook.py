"""What is to come of budgets: where their periods will end, how fast they burn, and which of their alerts are open."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select, text

from rice_stream.budgets.announcement import forecast_figures, in_units
from rice_stream.budgets.burn import BURN_WINDOWS, burn_rate
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.forecasting import forecast
from rice_stream.budgets.periods import Period, recent_stretch
from rice_stream.budgets.states import AlertBasis, BudgetState, Consumed, crossing_state
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.reports.alerts import alerts_in
from rice_stream.store import schema
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters


class Standing(NamedTuple):
    """A budget in its period as it stands now: `state` as it was stored, `judged` on the totals of this moment."""

    budget: Budget
    period: Period
    consumed: Consumed
    state: BudgetState
    judged: BudgetState


def outlooks(
    connection: Connection, scope: Scope, standings: Sequence[Standing], now: datetime
) -> list[dict[str, Any]]:
    """Of each: `{"forecast", "burn_rates", "open_alerts"}`, amounts in the budget's unit.

    `forecast` is None for a rolling window, which has no end, and at the very start of a period; otherwise
    `{"exhausted_at": {"low", "mid", "high"}, "end_of_period": {"low", "mid", "high"}, "ratio", "elapsed_ratio"}`
    (`forecasting.Forecast`), where `exhausted_at` runs from the earliest to the latest date, each None where the budget
    lasts, and is None where all of them are.

    `burn_rates` are `[{"window", "start", "end", "consumed", "allowed", "burn_rate"}]` of `burn.BURN_WINDOWS` up to now, each
    from the quarter hour on in which it began: `allowed` is what an even use of the limit takes in that time, and
    `burn_rate` the ratio of the two.

    `open_alerts` are `[{"id", "threshold", "state", "basis", "since", "delivered_at"}]` of the early warnings that hold, as a
    worker has judged them, and then of the thresholds that are reached now; `since` is when that was announced, and `id` by which
    alert, None where no worker has announced it yet.
    """
    windows = {name: recent_stretch(now, window) for name, window in BURN_WINDOWS.items()}
    asked = [(each.budget, stretch) for each in standings for stretch in windows.values()]
    amounts = iter(consumed_in_each(connection, asked, with_ranges=False))
    announced = _announced(connection, scope, [each for each in standings if each.judged.active or each.state.warnings])
    found = []
    for standing in standings:
        recent = [(name, stretch, next(amounts)) for name, stretch in windows.items()]
        ahead = forecast(
            standing.budget, standing.consumed, standing.period, now, [(stretch, each) for _, stretch, each in recent]
        )
        found.append(
            {
                "forecast": None if ahead is None else forecast_figures(standing.budget, ahead),
                "burn_rates": [_burnt(standing, name, stretch, each) for name, stretch, each in recent],
                "open_alerts": _open(standing, announced),
            }
        )
    return found


def _burnt(standing: Standing, name: str, stretch: Period, consumed: Consumed) -> dict[str, Any]:
    budget, length_of_stretch = standing.budget, stretch.end - stretch.start
    length: timedelta = budget.window or standing.period.end - standing.period.start
    amount = consumed.amount(budget)
    return {
        "window": name,
        "start": rfc3339(epoch_us(stretch.start)),
        "end": rfc3339(epoch_us(stretch.end)),
        "consumed": in_units(budget, amount),
        "allowed": in_units(budget, budget.limit) * (length_of_stretch / length),
        "burn_rate": burn_rate(amount, budget.limit, length_of_stretch, length),
    }


_ONE_OF_A_BUDGET = ("tenant_id", "budget_id", "basis", "threshold")
_Announced = dict[tuple[int, str, float], tuple[str, int, int | None]]


def _announced(connection: Connection, scope: Scope, standings: Sequence[Standing]) -> _Announced:
    """(Budget, basis, threshold) -> the alert that announced last that it is reached, when, and when Kafka confirmed that."""
    alert = schema.alert.c
    if not standings:
        return {}
    latest = (
        select(*(alert[name] for name in _ONE_OF_A_BUDGET), func.max(alert.sequence).label("sequence"))
        .where(
            alert.tenant_id.in_({each.budget.tenant_id for each in standings}),
            alert.budget_id.in_([each.budget.budget_id for each in standings]),
            alert.state.in_(("warning", "exceeded")),
            text(alerts_in(scope, connection.dialect.name)),
        )
        .group_by(*(alert[name] for name in _ONE_OF_A_BUDGET))
        .subquery()
    )
    same = [alert[name] == latest.c[name] for name in (*_ONE_OF_A_BUDGET, "sequence")]
    told = (alert.id, alert.created_at_us, alert.delivered_at_us)
    query = select(alert.budget_id, alert.basis, alert.threshold, *told)
    found = connection.execute(query.where(*same), scope_parameters(scope))
    return {
        (budget_id, basis, threshold): (alert_id, created_us, delivered_us)
        for budget_id, basis, threshold, alert_id, created_us, delivered_us in found
    }


def _open(standing: Standing, announced: _Announced) -> list[dict[str, Any]]:
    """A threshold that the stored state does not know as reached has not been announced, whatever was announced of it before."""
    warnings = standing.state.warnings if standing.budget.early_warning else ()
    return [
        *(
            _open_alert(standing, each.basis, each.threshold, announced)
            for each in warnings
            if each.period.is_same(standing.period) or not each.period.calendar
        ),
        *(
            _open_alert(standing, "actual", threshold, announced if threshold in standing.state.active else {})
            for threshold in standing.judged.active
        ),
    ]


def _open_alert(standing: Standing, basis: AlertBasis, threshold: float, announced: _Announced) -> dict[str, Any]:
    budget_id = standing.budget.budget_id
    told = None if budget_id is None else announced.get((budget_id, basis, threshold))
    alert_id, created_us, delivered_us = told or (None, None, None)
    return {
        "id": alert_id,
        "threshold": threshold,
        "state": crossing_state(threshold) if basis == "actual" else "warning",
        "basis": basis,
        "since": None if created_us is None else rfc3339(created_us, "milliseconds"),
        "delivered_at": None if delivered_us is None else rfc3339(delivered_us, "milliseconds"),
    }
