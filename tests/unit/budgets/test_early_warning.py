"""Early warnings against numbers worked by hand: 720 gCO2e in the 720 hours of November 2026, so 1 g an hour lasts exactly."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rice_stream.budgets.announcement import alert_event, alert_id
from rice_stream.budgets.burn import BurnAlarm
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.early_warning import Recent, judge_early, stretches_to_ask
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState, Consumed, Forecast, Transition
from rice_stream.errors import UsageError

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 10, 10, tzinfo=UTC)
"""After 9 days and 10 hours of 30 days. Windows end at 10:01: the one of an hour has 61 minutes."""
Pace = Callable[[datetime], float]
"""gCO2e per hour at a moment."""


def budget(**fields: Any) -> Budget:
    values = {"name": "b", "tenant_id": "t", "limit_gco2e": 720, "period": "month", "early_warning": True}
    return parse_budget({**values, "thresholds": [0.5, 1.0], **fields})


def used(grams: float) -> Consumed:
    return Consumed(0, round(grams * 10**6), round(2 * grams * 10**6), 0)


def answers(wanted: Budget, state: BudgetState, consumed: Consumed, now: datetime, pace: Pace) -> Recent:
    """As if the totals by the minute held the pace."""
    asked = stretches_to_ask(wanted, state, consumed, period_at(wanted, now), now, with_range=True)
    return [(each, used(spent(each.period, pace))) for each in asked]


def spent(period: Period, pace: Pace) -> float:
    minutes = (period.end - period.start) // timedelta(minutes=1)
    return sum(pace(period.start + timedelta(minutes=minute)) for minute in range(minutes)) / 60


def judged(
    wanted: Budget, state: BudgetState, grams: float, pace: Pace, now: datetime = NOW
) -> tuple[BudgetState, list[Transition]]:
    """The thresholds first, then the early warnings, as the worker judges."""
    consumed, period = used(grams), period_at(wanted, now)
    state, changes = judge(wanted, state, consumed, period, now)
    state, early = judge_early(wanted, state, consumed, period, now, answers(wanted, state, consumed, now, pace))
    return BudgetState.from_mapping(json.loads(json.dumps(state.to_mapping()))), [*changes, *early]


def told(changes: list[Transition]) -> list[tuple[int, str, float, str]]:
    return [(each.sequence, each.basis, each.threshold, each.state) for each in changes]


def last(span: timedelta, fast: float, before: float = 0.0, until: datetime = NOW + timedelta(minutes=1)) -> Pace:
    return lambda at: fast if until - span <= at < until else before


@pytest.mark.parametrize(
    ("minutes", "per_hour", "expected"),
    [
        # 14.4 times the pace in 61 minutes are 14.64 g. At exactly that pace nothing is said, a little above it is.
        (61, 14.4, []),
        (61, 14.41, [(1, "burn_rate", 14.4, "warning")]),
        # 24.5 g in the last 49 minutes; the windows of 5 and 30 minutes burn as fast: 30 g/h.
        (49, 30.0, [(1, "burn_rate", 14.4, "warning")]),
        # A blip of 13 minutes at 60 g/h: 13 g, 12.8 times the pace of the hour, though 48.75 times that of its short window.
        (13, 60.0, []),
    ],
)
def test_a_fast_burn_needs_its_long_and_its_short_window(
    minutes: int, per_hour: float, expected: list[tuple[int, str, float, str]]
) -> None:
    _, changes = judged(budget(), BudgetState(), 100, last(timedelta(minutes=minutes), per_hour))
    assert told(changes) == expected


def test_each_speed_is_told_once_by_its_most_urgent_rule() -> None:
    """A steady 20 g/h for three days: all four rules hold. 300 g in 9.4 of 30 days also say that it will not last: 955 g."""
    state, changes = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    assert told(changes) == [
        (1, "burn_rate", 14.4, "warning"),
        (2, "burn_rate", 3.0, "warning"),
        (3, "forecast", 1.0, "warning"),
    ]
    assert [each.kind for each in state.warnings] == ["fast_burn", "slow_burn", "forecast"]
    assert judged(budget(), state, 300, lambda _: 20.0) == (state, [])


def test_a_slow_burn_over_three_days() -> None:
    """1.1 times the pace for three days, and 200 g so far: it will last (637 g), and is told that it got faster."""
    _, changes = judged(budget(), BudgetState(), 200, lambda _: 1.1)
    assert told(changes) == [(1, "burn_rate", 1.0, "warning")]
    figures = changes[0].rests_on
    assert isinstance(figures, BurnAlarm)
    assert (figures.rule.long, figures.rule.short) == (72 * HOUR, 6 * HOUR)
    assert figures.burn_long == pytest.approx(1.1)


def test_a_burn_ends_when_it_is_calm_for_half_its_long_window_and_not_between_bursts() -> None:
    """An hour at 40 g/h from nine to ten. At 10:20 the short window is calm, the half hour is not; at 10:45 it is as well."""
    pace = last(HOUR, 40.0, until=NOW)
    state, changes = judged(budget(), BudgetState(), 100, pace, NOW)
    assert told(changes) == [(1, "burn_rate", 14.4, "warning")]
    # 30 minutes up to 10:20 are those from 9:45 on: 15 of 36 minutes at 40 g/h are 16.7 times the pace.
    assert judged(budget(), state, 100, pace, NOW + timedelta(minutes=20)) == (state, [])
    state, changes = judged(budget(), state, 100, pace, NOW + timedelta(minutes=45))
    assert told(changes) == [(2, "burn_rate", 14.4, "resolved")]
    assert state.warnings == ()


def test_within_the_hysteresis_a_burn_goes_on() -> None:
    """14.4 less 5 % are 13.68 times the pace."""
    state, _ = judged(budget(), BudgetState(), 100, last(61 * HOUR / 60, 14.5))
    assert judged(budget(), state, 100, last(61 * HOUR / 60, 13.69))[1] == []
    assert told(judged(budget(), state, 100, last(61 * HOUR / 60, 13.67))[1]) == [(2, "burn_rate", 14.4, "resolved")]


def test_what_was_consumed_before_the_period_is_not_held_against_it() -> None:
    """At 00:30 on the first: an hour at 40 g/h, of which this month has 31 minutes, 20.7 g: over 14.64. At 00:20 it had 14 g."""
    first = datetime(2026, 11, 1, tzinfo=UTC)
    assert judged(budget(), BudgetState(), 14, lambda _: 40.0, first + timedelta(minutes=20))[1] == []
    _, changes = judged(budget(), BudgetState(), 20.7, lambda _: 40.0, first + timedelta(minutes=30))
    assert told(changes) == [(1, "burn_rate", 14.4, "warning")]


def test_a_small_budget_does_not_ring_at_single_prompts() -> None:
    """3 g a month: 0.5 g at once are a sixth of it, 120 times the pace of an hour. Below a gram in the short window nothing is
    said, and below ten in the period nothing is forecast."""
    small = budget(limit_gco2e=3)
    assert judged(small, BudgetState(), 0.9, last(timedelta(minutes=10), 3.0))[1] == []
    _, changes = judged(budget(limit_gco2e=9.9), BudgetState(), 4.9, lambda _: 0.0)
    assert changes == []


def test_the_forecast_waits_for_a_quarter_of_the_period() -> None:
    """7.5 days of 30. Until then 300 g of 720 in a week, which lead to 1,286 g, are left to the burn rates."""
    early, quarter = (datetime(2026, 11, 8, hour, tzinfo=UTC) for hour in (11, 12))
    assert judged(budget(), BudgetState(), 300, lambda _: 0.0, early)[1] == []
    _, changes = judged(budget(), BudgetState(), 300, lambda _: 0.0, quarter)
    assert told(changes) == [(1, "forecast", 1.0, "warning")]
    figures = changes[0].rests_on
    # 300 g in 180 hours: 720 g after 432 hours, on the 19th.
    assert isinstance(figures, Forecast)
    assert (figures.mid, figures.exhausted_at) == (1_200_000_000, datetime(2026, 11, 19, tzinfo=UTC))


def test_the_forecast_ends_below_the_limit_by_the_hysteresis() -> None:
    """At 226 of 720 hours: 226 g lead to 720 exactly, and so does not last; 214.7 g lead to 684, 5 % less."""
    state, changes = judged(budget(), BudgetState(), 226, lambda _: 0.0)
    assert told(changes) == [(1, "forecast", 1.0, "warning")]
    assert judged(budget(), BudgetState(), 225.9, lambda _: 0.0)[1] == []
    assert judged(budget(), state, 214.7, lambda _: 0.0)[1] == []
    assert told(judged(budget(), state, 214.69, lambda _: 0.0)[1]) == [(2, "forecast", 1.0, "resolved")]


def test_when_the_limit_is_reached_the_thresholds_have_the_word() -> None:
    """The crossing is announced before the warnings are taken back, and none rises beyond the limit."""
    state, _ = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    state, changes = judged(budget(), state, 720, lambda _: 20.0)
    assert told(changes) == [
        (4, "actual", 0.5, "warning"),
        (5, "actual", 1.0, "exceeded"),
        (6, "burn_rate", 14.4, "resolved"),
        (7, "burn_rate", 3.0, "resolved"),
        (8, "forecast", 1.0, "resolved"),
    ]
    assert judged(budget(), state, 800, lambda _: 20.0) == (state, [])


def test_a_new_period_resolves_what_the_last_one_left_open_with_its_figures() -> None:
    state, _ = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    december = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    state, changes = judged(budget(), state, 0, lambda _: 0.0, december)
    assert told(changes) == [
        (4, "burn_rate", 14.4, "resolved"),
        (5, "burn_rate", 3.0, "resolved"),
        (6, "forecast", 1.0, "resolved"),
    ]
    assert {(each.period.start.month, each.consumed.carbon_mid_ugco2e) for each in changes} == {(11, 300_000_000)}
    assert state.warnings == ()


def test_each_end_says_why() -> None:
    """The pace, the limit, the period, or that nobody asks any more; only the first is good news."""
    state, _ = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    later = NOW + timedelta(days=1)
    ends = [
        judged(budget(), state, 100, lambda _: 0.0, later)[1],
        judged(budget(thresholds=[2.0]), state, 720, lambda _: 20.0)[1],
        judged(budget(), state, 0, lambda _: 0.0, datetime(2026, 12, 1, tzinfo=UTC))[1],
        judged(budget(early_warning=False), state, 300, lambda _: 20.0)[1],
    ]
    assert [{each.ended_by for each in changes} for changes in ends] == [{"pace"}, {"limit"}, {"period"}, {"settings"}]
    assert all(len(changes) == 3 for changes in ends)


def test_who_does_not_ask_is_not_warned_and_who_stops_asking_is_told_that_it_ends() -> None:
    silent = budget(early_warning=False)
    assert judged(silent, BudgetState(), 300, lambda _: 20.0)[1] == []
    state, _ = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    assert [each.state for each in judged(silent, state, 300, lambda _: 20.0)[1]] == ["resolved"] * 3


def test_most_budgets_ask_for_nothing_more_than_their_period() -> None:
    """14.4 g, the least share that any rule is about, are not yet enough; without warnings nothing is asked at all."""
    month = period_at(budget(), NOW)
    assert stretches_to_ask(budget(), BudgetState(), used(14.4), month, NOW) == []
    asked = stretches_to_ask(budget(), BudgetState(), used(14.5), month, NOW)
    assert [each.window / HOUR for each in asked] == [1 / 12, 0.5, 1, 2, 6, 24, 72]
    assert stretches_to_ask(budget(early_warning=False), BudgetState(), used(500), month, NOW) == []
    assert stretches_to_ask(budget(), BudgetState(), used(720), month, NOW) == []


def test_a_worker_whose_clock_is_behind_takes_nothing_back() -> None:
    """Another one has begun December already."""
    december = datetime(2026, 12, 1, tzinfo=UTC)
    state, _ = judged(budget(), BudgetState(), 30, lambda _: 40.0, december + HOUR)
    assert [each.kind for each in state.warnings] == ["fast_burn"]
    assert judged(budget(), state, 0, lambda _: 0.0, december - HOUR / 60)[1] == []


def test_a_rolling_window_is_warned_of_burns_alone() -> None:
    rolling = budget(period="rolling-30d")
    state, changes = judged(rolling, BudgetState(), 300, lambda _: 20.0)
    assert told(changes) == [(1, "burn_rate", 14.4, "warning"), (2, "burn_rate", 3.0, "warning")]
    assert alert_id(rolling, changes[0]) == alert_id(
        rolling, replace(changes[0], period=period_at(rolling, NOW + HOUR))
    )
    assert [each.state for each in judged(rolling, state, 300, lambda _: 0.0, NOW + 72 * HOUR)[1]] == ["resolved"] * 2


def test_a_window_of_a_day_has_nothing_to_warn_of() -> None:
    with pytest.raises(UsageError, match="early_warning: a window of 24 hours has no end to forecast"):
        budget(period="rolling-24h")


def test_an_energy_budget_is_judged_by_its_energy() -> None:
    """7.2 kWh a month: 10 Wh an hour."""
    energy = budget(limit_gco2e=None, limit_kwh=7.2)
    consumed, period = Consumed(0, 0, 0, 3_000_000_000), period_at(budget(), NOW)
    _, changes = judge_early(
        energy, BudgetState(period=period), consumed, period, NOW, _energy_answers(energy, consumed)
    )
    assert told(changes) == [
        (1, "burn_rate", 14.4, "warning"),
        (2, "burn_rate", 3.0, "warning"),
        (3, "forecast", 1.0, "warning"),
    ]


def _energy_answers(energy: Budget, consumed: Consumed) -> Recent:
    asked = stretches_to_ask(energy, BudgetState(), consumed, period_at(energy, NOW), NOW)
    return [(each, Consumed(0, 0, 0, round(spent(each.period, lambda _: 200.0) * 10**6))) for each in asked]


def test_the_event_says_what_it_rests_on() -> None:
    _, changes = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    fast, slow, ahead = (
        alert_event(budget(), each, source="/x", event_time_watermark=None, time=NOW)["data"] for each in changes
    )
    assert {each["severity"] for each in (fast, slow, ahead)} == {"warning"}
    assert fast["burn"] == {
        "speed": "fast",
        "long_h": 1.0,
        "short_h": pytest.approx(1 / 12),
        "burn_rate_long": pytest.approx(20.0),
        "burn_rate_short": pytest.approx(20.0),
    }
    assert (slow["burn"]["speed"], slow["burn"]["long_h"], slow["burn"]["short_h"]) == ("slow", 24.0, 2.0)
    # 300 g in 226 hours: 720 g after 542.4 hours. The last days went at 20 g/h: faster, so the range begins earlier.
    assert ahead["forecast"]["exhausted_at"]["mid"] == "2026-11-23T14:24:00Z"
    assert ahead["forecast"]["exhausted_at"]["low"] < "2026-11-12"
    assert ahead["forecast"]["ratio"] == pytest.approx(300 / 226)
    assert "burn" not in ahead
    assert "forecast" not in fast


def test_ids_differ_by_basis_and_those_of_thresholds_are_as_before() -> None:
    _, [_, _, ahead] = judged(budget(), BudgetState(), 300, lambda _: 20.0)
    assert alert_id(budget(), ahead) != alert_id(budget(), replace(ahead, basis="actual"))
