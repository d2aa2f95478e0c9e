"""Early warnings over any course of consumption, judged minute by minute."""

import json
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.budgets.burn import burn_alarms
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.early_warning import judge_early, stretches_to_ask
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState, Consumed, Transition
from tests.support.cases import size

START = datetime(2026, 11, 16, tzinfo=UTC)
"""A Monday: the week is the period."""
STEP = timedelta(minutes=7)
_GRAM = 10**6
PACES = st.sampled_from([0, 0, 1, 5, 9, 10, 11, 13, 14, 15, 30, 34, 40, 100])
"""Tenths of grams a minute; 10 would last. Rules are at 33.6, 14, 10."""


class Course:
    """Consumption in each minute since START, and what judging it says."""

    def __init__(self, minutes: list[int]) -> None:
        self.until = [0, *accumulate(minutes)]
        self.budget = parse_budget(
            {"name": "b", "tenant_id": "t", "limit_gco2e": 10_080, "period": "week", "early_warning": True}
        )

    def between(self, period: Period) -> Consumed:
        first, last = (
            min(max(0, (end - START) // timedelta(minutes=1)), len(self.until) - 1)
            for end in (period.start, period.end)
        )
        amount = self.until[last] - self.until[first]
        return Consumed(amount, amount, amount, amount)

    def judged(self, state: BudgetState, now: datetime) -> tuple[BudgetState, list[Transition], bool]:
        """Also: whether a rule of burn rates holds, asked in the plainest way."""
        budget, period = self.budget, period_at(self.budget, now)
        consumed = self.between(Period(period.start, now + timedelta(minutes=1), calendar=True))
        state, changes = judge(budget, state, consumed, period, now)
        asked = stretches_to_ask(budget, state, consumed, period, now)
        recent = [(each, self.between(each.period)) for each in asked]
        state, early = judge_early(budget, state, consumed, period, now, recent)
        amounts = {each.window: amount.carbon_mid_ugco2e for each, amount in recent}
        lengths = {each.window: each.length for each, _ in recent}
        holds = bool(asked) and bool(burn_alarms(budget, amounts, timedelta(days=7), lengths=lengths))
        return BudgetState.from_mapping(json.loads(json.dumps(state.to_mapping()))), [*changes, *early], holds


def run(course: Course) -> list[Transition]:
    state = BudgetState()
    said: list[Transition] = []
    for step in range(int(len(course.until) * timedelta(minutes=1) / STEP)):
        now = START + step * STEP
        state, changes, holds = course.judged(state, now)
        assert [each.sequence for each in changes] == [*range(len(said) + 1, len(said) + len(changes) + 1)]
        again, nothing, _ = course.judged(state, now)
        assert (again, nothing) == (state, [])
        burning = {each.kind for each in state.warnings} & {"fast_burn", "slow_burn"}
        below = course.until[min(step * 7 + 1, len(course.until) - 1)] < course.budget.limit
        assert not (holds and below) or burning, "what holds is announced, and never taken back at that moment"
        said += changes
    return said


STRETCHES = st.lists(st.tuples(PACES, st.integers(1, 600)), min_size=1, max_size=12)


@settings(max_examples=size(8, 100), deadline=None)
@given(stretches=STRETCHES)
def test_warnings_alternate_and_the_same_totals_say_the_same(stretches: list[tuple[int, int]]) -> None:
    """Each judgement made twice, and the whole course again: nothing new. Of each kind a warning and its end take turns."""
    minutes = [pace * _GRAM // 10 for pace, length in stretches for _ in range(length)]
    said = run(Course(minutes))
    assert said == run(Course(minutes))
    by_kind: dict[str, list[str]] = {}
    for each in said:
        if each.basis != "actual":
            fast = each.basis == "burn_rate" and each.threshold > 1
            by_kind.setdefault(f"{each.basis} {fast}", []).append(each.state)
    for states in by_kind.values():
        assert states[0] == "warning"
        assert all(one != other for one, other in pairwise(states))


@settings(max_examples=size(8, 100), deadline=None)
@given(
    boundary=st.sampled_from([33_600_000, 14_000_000, 10_000_000]),
    wobbles=st.lists(st.integers(-20, 20), min_size=8, max_size=40),
)
def test_a_pace_that_wobbles_around_a_boundary_rings_once(boundary: int, wobbles: list[int]) -> None:
    """Two per cent to either side of a rule's burn rate, from one quarter hour to the next: within the hysteresis of five."""
    minutes = [boundary // 10 * (1000 + wobble) // 1000 for wobble in wobbles for _ in range(15)]
    said = [each for each in run(Course(minutes)) if each.basis == "burn_rate" and each.state == "warning"]
    assert len(said) == len({each.threshold > 1 for each in said})


@settings(max_examples=30, deadline=None)
@given(wobbles=st.lists(st.integers(-20, 20), min_size=10, max_size=40))
def test_a_forecast_around_the_limit_rings_once(wobbles: list[int]) -> None:
    """Two days of exactly the pace that lasts, then one that wobbles."""
    budget = Course([]).budget
    state, said, amount = BudgetState(), [], 2 * 1440 * _GRAM
    now = START + timedelta(days=2)
    for wobble in wobbles:
        now, amount = now + timedelta(minutes=60), amount + 60 * _GRAM * (1000 + wobble) // 1000
        consumed, period = Consumed(0, amount, amount, 0), period_at(budget, now)
        state, _ = judge(budget, state, consumed, period, now)
        calm = [(each, Consumed(0, 0, 0, 0)) for each in stretches_to_ask(budget, state, consumed, period, now)]
        state, changes = judge_early(budget, state, consumed, period, now, calm)
        said += changes
    assert [each.state for each in said] in ([], ["warning"])


def test_a_budget_of_another_period_keeps_its_sequence() -> None:
    """A month that becomes a week: what was open ends with the month, and the numbers go on."""
    course = Course([4 * _GRAM] * 600)
    state, changes, _ = course.judged(BudgetState(), START + timedelta(hours=9))
    assert [each.basis for each in changes] == ["burn_rate", "burn_rate"]
    month: Budget = parse_budget(
        {"name": "b", "tenant_id": "t", "limit_gco2e": 10**6, "period": "month", "early_warning": True}
    )
    now = START + timedelta(hours=9)
    period = period_at(month, now)
    state, _ = judge(month, state, Consumed(0, 0, 0, 0), period, now)
    state, changes = judge_early(month, state, Consumed(0, 0, 0, 0), period, now, [])
    assert [(each.sequence, each.state) for each in changes] == [(3, "resolved"), (4, "resolved")]
    assert state.warnings == ()
