"""How fast a budget burns, over several windows, and which of the rules for alarms hold. Pure.

The rules are those of chapter 5 of Google's SRE workbook ("Alerting on SLOs", https://sre.google/workbook/, CC BY-NC-ND
4.0; figures only): an alarm needs both a long window, so that a blip does not fire it, and a short one, so that it ends
soon after the cause does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from rice_stream.budgets.definition import Budget, Unit, exact

BURN_WINDOWS: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
"""The stretches before now whose burn rates are shown, shortest first."""

MINIMUM_DEFAULT: Mapping[Unit, int] = {"gco2e": 10**6, "kwh": 10**6}
"""Micro-units in the short window below which no alarm is raised: 1 gCO2e, 1 Wh. The five minutes of a quiet tenant
hold one prompt, and one prompt is no rate."""


@dataclass(frozen=True, slots=True)
class BurnRule:
    """Alarm when a share of the budget goes within `long`, and `short` shows that it has not stopped."""

    severity: Literal["page", "ticket"]
    long: timedelta
    short: timedelta
    budget_share: Fraction

    @property
    def middle(self) -> timedelta:
        """What has to be calm besides `short` before an alarm ends: otherwise whoever bursts would ring at every burst."""
        return self.long / 2

    def threshold(self, period: timedelta) -> Fraction:
        """The burn rate that spends `budget_share` within `long`; a burn rate of 1 lasts the period exactly."""
        return self.budget_share * (period // timedelta.resolution) / (self.long // timedelta.resolution)


BURN_RULES = (
    BurnRule("page", timedelta(hours=1), timedelta(minutes=5), Fraction(2, 100)),
    BurnRule("page", timedelta(hours=6), timedelta(minutes=30), Fraction(5, 100)),
    BurnRule("ticket", timedelta(days=1), timedelta(hours=2), Fraction(10, 100)),
    BurnRule("ticket", timedelta(days=3), timedelta(hours=6), Fraction(10, 100)),
)
"""SRE workbook, chapter 5: at 30 days they are burn rates of 14.4, 6, 3 and 1. The one-day row is in its Prometheus
example and in sloth's google-30d windows."""


@dataclass(frozen=True, slots=True)
class BurnAlarm:
    """A rule that holds now; burn rates are multiples of the pace that lasts the period."""

    rule: BurnRule
    threshold: float
    burn_long: float
    burn_short: float


def burn_rate(consumed_in_window: int, limit: int, window: timedelta, period: timedelta) -> float:
    """(consumed / limit) / (window / period): 1 uses the limit up exactly at the end of the period.

    `consumed_in_window` and `limit` are in the same micro-units; `period` is the real length of the budget's period (a day may
    have 23 hours), of a rolling window its nominal length.

    Raises:
        ValueError: limit, window or period is not above 0.
    """
    return float(_burn(consumed_in_window, limit, window, period))


@lru_cache(maxsize=256)
def burn_rules(period: timedelta) -> tuple[tuple[BurnRule, Fraction], ...]:
    """The rules that mean something for a period of this length, each with its burn-rate threshold.

    Left out are rules whose long window is more than half of the period, and pages below a burn rate of 1, at which the
    budget lasts. A ticket is never opened below 1: its threshold is at least that.
    """
    rules = []
    for rule in BURN_RULES:
        threshold = rule.threshold(period)
        if 2 * rule.long <= period and (threshold >= 1 or rule.severity == "ticket"):
            rules.append((rule, max(threshold, Fraction(1))))
    return tuple(rules)


def burn_windows(period: timedelta) -> tuple[timedelta, ...]:
    """The windows, ending now, whose consumption `burn_alarms` needs; shortest first."""
    return tuple(sorted({window for rule, _ in burn_rules(period) for window in (rule.long, rule.short)}))


def may_burn(budget: Budget, amount: int, period: timedelta) -> bool:
    """Whether any rule can hold where `amount` (micro-units) is all that was consumed in the period so far.

    Spares asking for the windows: each rule is about a share of the limit.
    """
    least = _least_share(period)
    return least is not None and amount * least.denominator > least.numerator * budget.limit


@lru_cache(maxsize=256)
def _least_share(period: timedelta) -> Fraction | None:
    """The least share of the limit that any rule is about; None: there is no rule."""
    length = period // timedelta.resolution
    shares = (threshold * (rule.long // timedelta.resolution) / length for rule, threshold in burn_rules(period))
    return min(shares, default=None)


def burn_alarms(
    budget: Budget,
    consumed: Mapping[timedelta, int],
    period: timedelta,
    *,
    lengths: Mapping[timedelta, timedelta] | None = None,
    minimum: int | None = None,
) -> list[BurnAlarm]:
    """The rules that hold now, most urgent first: burn above the threshold in the long AND in the short window.

    `consumed` has the budget's amount (micro-units) in each of `burn_windows(period)`; `lengths` says how long the stretches
    are that stand for them, where buckets of totals make them longer. `minimum`, in micro-units, is what the short
    window must hold at least; None takes the default of the budget's unit.

    Raises:
        KeyError: a window is missing.
    """
    floor = MINIMUM_DEFAULT[budget.unit] if minimum is None else minimum
    alarms = []
    for rule, threshold in burn_rules(period):
        # Most budgets are calm, and there may be ten thousand: the floor and plain integers first.
        if consumed[rule.short] < floor or consumed[rule.long] == 0:
            continue
        burn_long, burn_short = (
            _burn(consumed[window], budget.limit, lengths[window] if lengths else window, period)
            for window in (rule.long, rule.short)
        )
        if burn_long > threshold and burn_short > threshold:
            alarms.append(BurnAlarm(rule, float(threshold), float(burn_long), float(burn_short)))
    return alarms


def still_burns(
    budget: Budget,
    alarm: tuple[Literal["page", "ticket"], float],
    consumed: Mapping[timedelta, int],
    period: timedelta,
    *,
    lengths: Mapping[timedelta, timedelta] | None = None,
) -> bool:
    """Whether what was raised (severity and burn rate of its rule) goes on: while its long window is not below the burn rate by
    more than the budget's hysteresis, nor both of its short and its middle window; and while any rule of its severity holds.

    `consumed` and `lengths` as of `burn_alarms`, with `BurnRule.middle` as well.
    """
    severity, raised = alarm
    if any(each.rule.severity == severity for each in burn_alarms(budget, consumed, period, lengths=lengths)):
        return True
    kept = 1 - exact(budget.hysteresis)
    for rule, threshold in burn_rules(period):
        if (rule.severity, float(threshold)) == (severity, raised):
            burn_long, burn_middle, burn_short = (
                _burn(consumed[window], budget.limit, lengths[window] if lengths else window, period)
                for window in (rule.long, rule.middle, rule.short)
            )
            if min(burn_long, max(burn_middle, burn_short)) >= threshold * kept:
                return True
    return False


def _burn(consumed: int, limit: int, window: timedelta, period: timedelta) -> Fraction:
    if limit <= 0 or window <= timedelta(0) or period <= timedelta(0):
        raise ValueError(f"limit, window and period must be above 0, got {limit}, {window}, {period}")
    return Fraction(consumed * (period // timedelta.resolution), limit * (window // timedelta.resolution))
