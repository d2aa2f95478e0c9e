"""Judging against naive references, over any path of consumption, time, late events and changed budgets."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rice_stream.budgets.announcement import alert_event
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.forecasting import forecast
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.rules import due_periods, judge
from rice_stream.budgets.states import BudgetState, Consumed, Forecast, Transition

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)

# In thousandths, for references that need neither floats nor fractions.
THRESHOLDS = st.lists(st.integers(1, 2000), min_size=1, max_size=5, unique=True).map(sorted)
HYSTERESES = st.sampled_from([0, 1, 50, 333, 999])
LIMITS = st.integers(1, 300) | st.sampled_from([10**9, 2**63 - 1])
PERIODS = st.sampled_from(["day", "month", "rolling-24h"])


def build(limit: int, thresholds: list[int], hysteresis: int, period: Any = "day", **others: Any) -> Budget:
    return Budget(
        **{"name": "b", "tenant_id": "t", "unit": "gco2e", **others},
        limit=limit,
        period=period,
        thresholds=tuple(threshold / 1000 for threshold in thresholds),
        hysteresis=hysteresis / 1000,
    )


def consumed(amount: int) -> Consumed:
    return Consumed(amount - 1, amount, amount + 1, 7)


def reached(amount: int, limit: int, threshold: int) -> bool:
    return amount * 1000 >= threshold * limit


def released(amount: int, limit: int, threshold: int, hysteresis: int) -> bool:
    return amount * 1_000_000 < threshold * limit * (1000 - hysteresis)


@st.composite
def walks(draw: st.DrawFn) -> tuple[int, list[int], int, list[int]]:
    """A budget and amounts that go up and down through its thresholds, often by one unit around their edges."""
    limit, thresholds, hysteresis = draw(LIMITS), draw(THRESHOLDS), draw(HYSTERESES)
    edges = [threshold * limit // 1000 for threshold in thresholds]
    edges += [threshold * limit * (1000 - hysteresis) // 1_000_000 for threshold in thresholds]
    near = st.builds(lambda edge, step: edge + step, st.sampled_from(edges), st.integers(-1, 1))
    amounts = draw(st.lists(near | st.integers(0, 3 * limit), max_size=20))
    return limit, thresholds, hysteresis, amounts


def left_open(transition: Transition) -> list[int]:
    """In thousandths."""
    return [round(threshold * 1000) for threshold in transition.open_thresholds]


@settings(max_examples=200, deadline=None)
@given(walk=walks(), period=PERIODS)
def test_every_change_is_told_exactly_once_as_a_switch_per_threshold_would(
    walk: tuple[int, list[int], int, list[int]], period: str
) -> None:
    """The reference is one on/off switch per threshold. Every judgement is made twice, the state stored as JSON between
    them, and the second one must say nothing.
    """
    limit, thresholds, hysteresis, amounts = walk
    budget = build(limit, thresholds, hysteresis, period)
    span = period_at(budget, NOON)
    state = BudgetState()
    on: set[int] = set()
    sequence = 0
    for amount in amounts:
        expected: list[tuple[float, str, list[int]]] = []
        for threshold in reversed(thresholds):
            if threshold in on and released(amount, limit, threshold, hysteresis):
                on.discard(threshold)
                expected.append((threshold / 1000, "resolved", sorted(on)))
        for threshold in thresholds:
            if threshold not in on and reached(amount, limit, threshold):
                on.add(threshold)
                expected.append((threshold / 1000, "exceeded" if threshold >= 1000 else "warning", sorted(on)))
        state, told = judge(budget, state, consumed(amount), span, NOON)
        assert [(transition.threshold, transition.state, left_open(transition)) for transition in told] == expected
        assert [transition.sequence for transition in told] == [*range(sequence + 1, sequence + 1 + len(told))]
        sequence += len(told)
        assert state.active == tuple(threshold / 1000 for threshold in sorted(on))
        state = BudgetState.from_mapping(json.loads(json.dumps(state.to_mapping())))
        assert judge(budget, state, consumed(amount), span, NOON) == (state, [])


@settings(max_examples=100, deadline=None)
@given(walk=walks(), cut=st.integers(0, 20))
def test_a_restart_from_the_stored_state_goes_on_with_the_same_alerts_to_the_id(
    walk: tuple[int, list[int], int, list[int]], cut: int
) -> None:
    """The stored state holds all that matters: a run cut anywhere yields the alerts of the uncut one, each id once."""
    limit, thresholds, hysteresis, amounts = walk
    budget = build(limit, thresholds, hysteresis)
    span = period_at(budget, NOON)

    def run(state: BudgetState, path: list[int]) -> tuple[BudgetState, list[dict[str, Any]]]:
        events: list[dict[str, Any]] = []
        for amount in path:
            state, told = judge(budget, state, consumed(amount), span, NOON)
            events += [alert_event(budget, t, source="/w", event_time_watermark=None, time=NOON) for t in told]
        return state, events

    _, uncut = run(BudgetState(), amounts)
    stored, head = run(BudgetState(), amounts[:cut])
    _, tail = run(BudgetState.from_mapping(json.loads(json.dumps(stored.to_mapping()))), amounts[cut:])
    assert head + tail == uncut
    assert len({event["id"] for event in uncut}) == len(uncut)


class Ledger(RuleBasedStateMachine):
    """A day budget run as the shell runs it: events of today and of days past, corrections, sweeps, absences, changes.

    `told` is what came out; the reference is what must be true of it, from the totals alone.
    """

    lateness = 3 * DAY

    @initialize(limit=st.integers(50, 150), thresholds=THRESHOLDS, hysteresis=HYSTERESES)
    def start(self, limit: int, thresholds: list[int], hysteresis: int) -> None:
        self.limit, self.thresholds, self.hysteresis = limit, thresholds, hysteresis
        self.budget = build(limit, thresholds, hysteresis)
        self.now = NOON
        self.totals: dict[datetime, int] = defaultdict(int)
        self.state = BudgetState()
        self.told: list[Transition] = []
        self.sweep()
        self.first_day = period_at(self.budget, self.now).start

    @rule(amount=st.integers(-40, 120), days_late=st.integers(0, 2))
    def consume(self, amount: int, days_late: int) -> None:
        day = period_at(self.budget, self.now - days_late * DAY).start
        self.totals[day] = max(0, self.totals[day] + amount)

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(limit=st.integers(50, 150), thresholds=THRESHOLDS)
    def change(self, limit: int, thresholds: list[int]) -> None:
        self.limit, self.thresholds = limit, thresholds
        self.budget = build(limit, thresholds, self.hysteresis)

    @rule()
    def sweep(self) -> None:
        for period in due_periods(self.budget, self.state, self.now, lateness=self.lateness):
            self.judge(period)
        self.is_right_after_a_sweep()
        before = len(self.told)
        for period in due_periods(self.budget, self.state, self.now, lateness=self.lateness):
            self.judge(period)
        assert len(self.told) == before, "the same totals judged again must tell nothing"

    @rule(days_late=st.integers(0, 2), slow_by=st.timedeltas(timedelta(0), timedelta(hours=30)))
    def a_worker_with_a_slow_clock_sweeps(self, days_late: int, slow_by: timedelta) -> None:
        self.sweep()
        before = len(self.told)
        slow = self.now - slow_by
        period = period_at(self.budget, slow)
        self.state, told = judge(self.budget, self.state, self.figures(period), period, slow)
        self.told += told
        assert len(self.told) == before

    def judge(self, period: Period) -> None:
        self.state, told = judge(self.budget, self.state, self.figures(period), period, self.now)
        self.told += told

    def figures(self, period: Period) -> Consumed:
        return consumed(self.totals[period.start])

    def is_right_after_a_sweep(self) -> None:
        today = period_at(self.budget, self.now)
        assert self.state.period == today
        assert not self.state.over
        amount = self.totals[today.start]
        for threshold in self.thresholds:
            active = threshold / 1000 in self.state.active
            assert active or not reached(amount, self.limit, threshold)
            assert not active or not released(amount, self.limit, threshold, self.hysteresis)
        lives = self.lives()
        for (start, threshold_ratio), states in lives.items():
            ended = states[-1] == "resolved"
            assert ended != (start == today.start and threshold_ratio in self.state.active)
        oldest_due = max(self.first_day_known(), (self.now - self.lateness))
        for start, amount in self.totals.items():
            if start < oldest_due or start > self.now:
                continue
            for threshold in self.thresholds:
                if reached(amount, self.limit, threshold):
                    assert (start, threshold / 1000) in lives, "a crossing was missed"

    def first_day_known(self) -> datetime:
        return getattr(self, "first_day", NOON - DAY / 2)

    def lives(self) -> dict[tuple[datetime, float], list[str]]:
        lives: dict[tuple[datetime, float], list[str]] = defaultdict(list)
        for transition in self.told:
            lives[transition.period.start, transition.threshold].append(transition.state)
        return lives

    @invariant()
    def each_threshold_of_a_period_goes_up_and_down_in_turn(self) -> None:
        for (_, threshold), states in (self.lives() if hasattr(self, "told") else {}).items():
            crossing = "exceeded" if threshold >= 1 else "warning"
            assert states == [crossing if n % 2 == 0 else "resolved" for n in range(len(states))]

    @invariant()
    def sequences_count_from_one_without_gap(self) -> None:
        told = getattr(self, "told", [])
        assert [transition.sequence for transition in told] == [*range(1, len(told) + 1)]

    @invariant()
    def the_state_survives_json(self) -> None:
        state = getattr(self, "state", BudgetState())
        assert BudgetState.from_mapping(json.loads(json.dumps(state.to_mapping()))) == state


Ledger.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
test_a_ledger_of_days_misses_no_crossing_and_repeats_none = Ledger.TestCase


@settings(max_examples=100, deadline=None)
@given(
    low=st.integers(0, 10**15),
    to_mid=st.integers(0, 10**15),
    to_high=st.integers(0, 10**15),
    limit=st.integers(1, 2**63 - 1),
    elapsed=st.timedeltas(timedelta(microseconds=1), timedelta(days=29)),
    recent=st.lists(st.tuples(st.sampled_from([1, 6, 24, 168]), st.integers(0, 2**62)), max_size=4),
)
def test_a_forecast_keeps_its_bounds_in_order_and_never_falls_below_what_was_consumed(
    low: int, to_mid: int, to_high: int, limit: int, elapsed: timedelta, recent: list[tuple[int, int]]
) -> None:
    budget = build(limit, [1000], 0, "month")
    so_far = Consumed(low, low + to_mid, low + to_mid + to_high, 1)
    period = period_at(budget, NOON)
    now = period.start + elapsed
    paces = [(Period(now - timedelta(hours=hours), now, calendar=False), Consumed(0, g, g, g)) for hours, g in recent]
    outlook = forecast(budget, so_far, period, now, paces)
    assert isinstance(outlook, Forecast)
    assert low <= outlook.low <= outlook.mid <= outlook.high
    assert so_far.carbon_mid_ugco2e <= outlook.mid
    dates = [outlook.exhausted_earliest, outlook.exhausted_at, outlook.exhausted_latest]
    known = [date for date in dates if date is not None]
    assert dates[: len(known)] == known == sorted(known)
    assert all(period.start < date <= period.end for date in known)
