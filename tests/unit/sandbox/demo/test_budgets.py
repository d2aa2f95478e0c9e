"""The demo's budgets are crossed while somebody watches, whatever the method says a prompt emits."""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rice_stream.sandbox.demo.budgets import PLAN, demo_budgets
from rice_stream.sandbox.demo.forecast import FORECAST, TrafficForecast
from rice_stream.sandbox.demo.options import DemoOptions
from rice_stream.sandbox.demo.traffic import demo_traffic

WEIGHTS = {"big": 5, "second": 4, "third": 3, "fourth": 2, "fifth": 1}


def steady(weights: dict[str, int], ugco2e_per_event: int = 1_000_000) -> TrafficForecast:
    """One event per tenant every tenth of a second for 40 s, two thirds of them of team `a`; kWh are half the grams."""
    ended_s = np.repeat(np.arange(1, 401) / 10, len(weights))
    tenants = np.tile(np.array([*weights]), 400)
    carbon = np.tile(np.array([weight * ugco2e_per_event for weight in weights.values()], dtype=np.int64), 400)
    amounts = dict(zip(FORECAST, (carbon, 10 * carbon, carbon // 2), strict=True))
    teams = np.where(np.arange(len(ended_s)) % 3 == 2, "b", "a")
    return TrafficForecast(ended_s, amounts, tenants, teams)


def crossed_at_s(expected: TrafficForecast, budget_index: int, threshold: float, seconds: float | None) -> float:
    """When the consumption of a budget reaches a threshold."""
    budget, planned = demo_budgets(expected, seconds)[budget_index], PLAN[budget_index]
    measure = "facility_energy_uwh" if planned.unit == "kwh" else f"carbon_{planned.estimate}_ugco2e"
    tenth = bisect_left(
        range(12_000),
        threshold * budget.limit,
        key=lambda n: expected.consumed(measure, n / 10, tenant=budget.tenant_id, team=budget.team_id),
    )
    return tenth / 10


def test_first_warning_and_first_exceeded_come_early() -> None:
    """A warning within about 10 s and an exceeded budget within about 20 s of a demo of 30 s."""
    expected = steady(WEIGHTS)
    assert crossed_at_s(expected, 0, 0.5, None) == pytest.approx(9, abs=0.5)
    assert crossed_at_s(expected, 0, 1.0, None) == pytest.approx(18, abs=1)
    assert crossed_at_s(expected, 1, 1.0, None) == pytest.approx(20, abs=1)


def test_every_planned_crossing_comes_when_it_is_planned() -> None:
    """Rounding limits to two digits moves a crossing by at most five per cent."""
    expected = steady(WEIGHTS)
    for index, planned in enumerate(PLAN):
        assert crossed_at_s(expected, index, planned.threshold, None) == pytest.approx(planned.at_s, rel=0.06)


@pytest.mark.parametrize("seconds", [6.0, 15.0])
def test_a_shorter_demo_has_all_of_it_sooner(seconds: float) -> None:
    """The times of PLAN are for 30 s; a longer demo keeps them."""
    expected = steady(WEIGHTS)
    assert crossed_at_s(expected, 0, 0.5, seconds) == pytest.approx(9 * seconds / 30, abs=0.3)
    assert demo_budgets(expected, 300.0) == demo_budgets(expected, None)


def test_limits_follow_the_estimates_and_not_a_number_in_the_code() -> None:
    """A method that estimates a thousand times as much gives limits a thousand times as high."""
    small, large = (demo_budgets(steady(WEIGHTS, ug), 30.0) for ug in (1_000, 1_000_000))
    assert [budget.limit * 1000 for budget in small] == [budget.limit for budget in large]


def test_budgets_differ_in_scope_unit_period_and_estimate() -> None:
    """The screen shows what budgets can be; each is on another tenant, by rank of gCO2e."""
    budgets = demo_budgets(steady(WEIGHTS), 30.0)
    assert [budget.tenant_id for budget in budgets] == ["big", "second", "third", "fourth", "fifth"]
    assert [budget.team_id for budget in budgets] == [None, "a", None, None, None]
    assert {budget.unit for budget in budgets} == {"gco2e", "kwh"}
    assert {budget.estimate for budget in budgets} == {"mid", "high"}
    assert len({budget.period for budget in budgets}) == len(budgets)
    assert [budget.name for budget in budgets][:2] == ["big-24h", "a-day"]


def test_fewer_tenants_and_tenants_without_emissions_still_give_budgets() -> None:
    """One tenant: one budget. Nothing emitted: the smallest limit there is. No traffic to come: no budgets."""
    assert [budget.tenant_id for budget in demo_budgets(steady({"only": 1}), 30.0)] == ["only"]
    assert demo_budgets(steady({"only": 0}), 30.0)[0].limit == 1
    nothing = TrafficForecast(
        np.empty(0), {m: np.empty(0, np.int64) for m in FORECAST}, np.empty(0, "U1"), np.empty(0, "U1")
    )
    assert demo_budgets(nothing, 30.0) == []
    assert nothing.consumed("carbon_mid_ugco2e", 5.0, tenant="only") == 0


def test_the_same_seed_gives_the_same_traffic_whenever_it_starts() -> None:
    """What the forecast rests on: only times and ids differ between two starts."""
    options, start = DemoOptions(rate_per_s=50), datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    runs = [list(demo_traffic(options, now, 3.0)) for now in (start, start + timedelta(hours=7, seconds=0.7))]
    moved = ("event_id", "started_at", "ended_at")
    first, second = ([{k: v for k, v in event.items() if k not in moved} for event in run] for run in runs)
    assert len(first) > 100
    assert first == second
