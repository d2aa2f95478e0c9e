"""Carbon and energy budgets: what they are, the periods they are judged over, their states, and the alerts.

Pure: totals and `now` come in as values, changes go out as values. The shell fetches and commits:

    for period in due_periods(budget, state, now):
        state, transitions = judge(budget, state, consumed_in(period), period, now)
        # in one transaction: the state where it differs, and alert_event(...) of each transition into the outbox
"""

from rice_stream.budgets.alerts import alert_event, alert_id, budget_status
from rice_stream.budgets.burn import BURN_RULES, BurnAlarm, BurnRule, burn_alarms, burn_rate, burn_rules, burn_windows
from rice_stream.budgets.definition import MICRO_UNITS, Budget, Estimate, PeriodName, Unit
from rice_stream.budgets.forecasting import Forecast, forecast
from rice_stream.budgets.judging import due_periods, judge
from rice_stream.budgets.parsing import parse_budget, parse_budget_file
from rice_stream.budgets.periods import Period, next_period, period_at, period_length, previous_period
from rice_stream.budgets.states import Basis, BudgetState, ClosedPeriod, Consumed, Severity, State, Transition

__all__ = [
    "BURN_RULES",
    "MICRO_UNITS",
    "Basis",
    "Budget",
    "BudgetState",
    "BurnAlarm",
    "BurnRule",
    "ClosedPeriod",
    "Consumed",
    "Estimate",
    "Forecast",
    "Period",
    "PeriodName",
    "Severity",
    "State",
    "Transition",
    "Unit",
    "alert_event",
    "alert_id",
    "budget_status",
    "burn_alarms",
    "burn_rate",
    "burn_rules",
    "burn_windows",
    "due_periods",
    "forecast",
    "judge",
    "next_period",
    "parse_budget",
    "parse_budget_file",
    "period_at",
    "period_length",
    "previous_period",
]
