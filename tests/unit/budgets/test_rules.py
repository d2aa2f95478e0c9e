"""Judging: one message per change, exact at the edges, complete around the end of a period, quiet when repeated."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import Period, period_at, previous_period
from rice_stream.budgets.rules import CLOSED_PERIODS_MAX, due_periods, judge
from rice_stream.budgets.states import BudgetState, ClosedPeriod, Consumed, Transition
from rice_stream.errors import RiceError

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def budget(**fields: object) -> Budget:
    """100 gCO2e a day in UTC with thresholds 0.5, 0.8 and 1.0, unless said otherwise."""
    return parse_budget({"name": "b", "tenant_id": "t", "limit_gco2e": 100, "period": "day", **fields})


def grams(mid: float) -> Consumed:
    micrograms = round(mid * 10**6)
    return Consumed(micrograms // 2, micrograms, 2 * micrograms, 3 * micrograms)


def at(
    day: Budget, state: BudgetState, gco2e: float, now: datetime = NOON, period: Period | None = None
) -> tuple[BudgetState, list[tuple[int, float, str]]]:
    state, transitions = judge(day, state, grams(gco2e), period or period_at(day, now), now)
    return state, short(transitions)


def short(transitions: list[Transition]) -> list[tuple[int, float, str]]:
    return [(transition.sequence, transition.threshold, transition.state) for transition in transitions]


def test_the_life_cycle_from_ok_over_warning_and_exceeded_to_resolved() -> None:
    day, state = budget(), BudgetState()
    told = []
    seen = [state.state]
    for amount in (10, 50, 79.999999, 80, 99, 100, 120, 96, 95, 94.9, 70, 10):
        state, transitions = at(day, state, amount)
        told += transitions
        seen.append(state.state)
    assert told == [
        (1, 0.5, "warning"),
        (2, 0.8, "warning"),
        (3, 1.0, "exceeded"),
        (4, 1.0, "resolved"),
        (5, 0.8, "resolved"),
        (6, 0.5, "resolved"),
    ]
    # 100 * 0.95 = 95 is still held, 94.9 is not; 80 * 0.95 = 76; 50 * 0.95 = 47.5.
    assert seen == ["ok", "ok", *["warning"] * 4, *["exceeded"] * 4, "warning", "warning", "resolved"]


def test_a_jump_over_several_thresholds_tells_each_upwards_and_the_fall_each_downwards() -> None:
    day = budget()
    state, up = at(day, BudgetState(), 200)
    assert up == [(1, 0.5, "warning"), (2, 0.8, "warning"), (3, 1.0, "exceeded")]
    state, down = at(day, state, 0)
    assert down == [(4, 1.0, "resolved"), (5, 0.8, "resolved"), (6, 0.5, "resolved")]
    assert (state.state, state.active, state.peaked) == ("resolved", (), True)


def test_a_transition_carries_what_was_judged() -> None:
    day = budget(thresholds=[1.0])
    _, (transition,) = judge(day, BudgetState(), grams(120), period_at(day, NOON), NOON)
    assert transition.period == Period(NOON - DAY / 2, NOON + DAY / 2, calendar=True)
    assert (transition.consumed, transition.ratio, transition.basis) == (grams(120), 1.2, "actual")


@pytest.mark.parametrize(
    ("threshold", "state", "severity"),
    [
        (0.5, "warning", "warning"),
        (0.999, "warning", "warning"),
        (1.0, "exceeded", "critical"),
        (1.5, "exceeded", "critical"),
    ],
)
def test_below_the_whole_limit_is_a_warning_and_from_it_on_critical(
    threshold: float, state: str, severity: str
) -> None:
    day = budget(thresholds=[threshold])
    after, (crossing,) = judge(day, BudgetState(), grams(100 * threshold), period_at(day, NOON), NOON)
    assert (crossing.state, crossing.severity, after.state) == (state, severity, state)
    _, (resolution,) = judge(day, after, grams(0), period_at(day, NOON), NOON)
    assert (resolution.state, resolution.severity) == ("resolved", "info")


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"estimate": "low"}, 40_000_000),
        ({"estimate": "mid"}, 60_000_000),
        ({"estimate": "high"}, 90_000_000),
        ({"limit_gco2e": None, "limit_kwh": 1}, 700_000_000),
    ],
)
def test_a_budget_judges_the_bound_or_the_energy_that_it_names(fields: dict[str, object], amount: int) -> None:
    judged = budget(**fields)
    consumed = Consumed(40_000_000, 60_000_000, 90_000_000, 700_000_000)
    assert consumed.amount(judged) == amount
    assert consumed.ratio(judged) == amount / judged.limit


def test_a_flutter_within_the_hysteresis_says_nothing() -> None:
    day = budget(thresholds=[0.8])
    state, told = at(day, BudgetState(), 80)
    assert told == [(1, 0.8, "warning")]
    for amount in (79, 80, 76, 81, 76):
        after, told = at(day, state, amount)
        assert (after, told) == (state, [])


def test_without_hysteresis_a_threshold_resolves_just_below_itself() -> None:
    day = budget(thresholds=[0.8], hysteresis=0)
    state, _ = at(day, BudgetState(), 80)
    assert at(day, state, 79.999999)[1] == [(2, 0.8, "resolved")]


def test_the_next_day_resolves_the_last_one_and_starts_afresh() -> None:
    day = budget()
    state, _ = at(day, BudgetState(), 85)
    today = period_at(day, NOON)
    state, transitions = judge(day, state, grams(1), period_at(day, NOON + DAY), NOON + DAY)
    assert short(transitions) == [(3, 0.8, "resolved"), (4, 0.5, "resolved")]
    assert {transition.period for transition in transitions} == {today}
    assert {transition.consumed for transition in transitions} == {grams(85)}
    assert (state.state, state.period_start) == ("ok", today.end)
    assert at(day, state, 60, NOON + DAY)[1] == [(5, 0.5, "warning")]


def test_the_end_of_a_period_is_told_with_its_final_figures() -> None:
    """What was consumed between the last judgement and midnight is not lost: the day itself is due once more."""
    day = budget()
    state, _ = at(day, BudgetState(), 40)
    midnight = NOON + DAY / 2
    yesterday, today = due_periods(day, state, midnight)
    assert (yesterday, today) == (period_at(day, NOON), period_at(day, midnight))
    state, transitions = judge(day, state, grams(90), yesterday, midnight)
    assert short(transitions) == [(1, 0.5, "warning"), (2, 0.8, "warning"), (3, 0.8, "resolved"), (4, 0.5, "resolved")]
    assert {(transition.consumed, transition.period) for transition in transitions} == {(grams(90), yesterday)}
    assert (state.state, state.over, state.consumed) == ("resolved", True, grams(90))
    state, told = at(day, state, 0, midnight, today)
    assert (told, state.state, state.over) == ([], "ok", False)
    assert due_periods(day, state, midnight) == [today]


def test_a_worker_that_was_away_for_days_is_told_of_each_of_them() -> None:
    day = budget(thresholds=[1.0])
    state, _ = at(day, BudgetState(), 10)
    now = NOON + 3 * DAY
    due = due_periods(day, state, now)
    assert [period.start for period in due] == [NOON + DAY * (n - 0.5) for n in range(4)]
    told = []
    for period, amount in zip(due, (10, 150, 20, 130), strict=True):
        state, transitions = judge(day, state, grams(amount), period, now)
        told += [(*entry, period.start.day) for entry in short(transitions)]
    assert told == [(1, 1.0, "exceeded", 23), (2, 1.0, "resolved", 23), (3, 1.0, "exceeded", 25)]


def test_a_worker_that_stops_between_two_due_periods_comes_back_to_the_rest() -> None:
    day = budget()
    state, _ = at(day, BudgetState(), 10)
    now = NOON + 2 * DAY
    first, *rest = due_periods(day, state, now)
    state, _ = at(day, state, 10, now, first)
    assert due_periods(day, state, now) == rest


def test_late_events_push_a_past_period_over_once_and_it_resolves_at_once() -> None:
    day = budget()
    state, _ = at(day, BudgetState(), 60)
    past = period_at(day, NOON)
    now = NOON + 2 * DAY
    for period, amount in zip(due_periods(day, state, now), (60, 0, 55), strict=True):
        state, told = at(day, state, amount, now, period)
    assert told == [(3, 0.5, "warning")]
    late, told = at(day, state, 85, now, past)
    assert told == [(4, 0.8, "warning"), (5, 0.8, "resolved")]  # 0.5 had been announced in its time
    assert (late.active, late.state, late.period) == ((0.5,), "warning", period_at(day, now))  # today is untouched
    assert at(day, late, 85, now, past) == (late, [])
    assert at(day, late, 10, now, past) == (late, [])  # a correction downwards: there is nothing left to resolve
    assert at(day, late, 101, now, past)[1] == [(6, 1.0, "exceeded"), (7, 1.0, "resolved")]


def test_at_the_end_of_a_period_nothing_of_it_is_left_open() -> None:
    """What is told late is open until it is told that it is over."""
    day, state = budget(), BudgetState()
    state, _ = at(day, state, 60)
    yesterday = period_at(day, NOON)
    _, told = judge(day, state, grams(120), yesterday, NOON + DAY)
    assert [(each.threshold, each.state, each.open_thresholds) for each in told] == [
        (0.8, "warning", (0.5, 0.8)),
        (1.0, "exceeded", (0.5, 0.8, 1.0)),
        (1.0, "resolved", (0.5, 0.8)),
        (0.8, "resolved", (0.5,)),
        (0.5, "resolved", ()),
    ]


def test_a_threshold_crossed_again_just_before_the_end_is_told_again() -> None:
    day = budget(thresholds=[1.0])
    state, _ = at(day, BudgetState(), 100)
    state, told = at(day, state, 0)
    assert told == [(2, 1.0, "resolved")]
    yesterday, midnight = period_at(day, NOON), NOON + DAY / 2
    state, told = at(day, state, 100, midnight, yesterday)
    assert told == [(3, 1.0, "exceeded"), (4, 1.0, "resolved")]
    assert state.consumed == grams(100)
    assert at(day, state, 200, midnight, yesterday)[1] == []


def test_late_events_do_not_tell_again_what_crossed_and_resolved_in_its_day() -> None:
    day, state = budget(), BudgetState()
    for amount in (120, 90, 70):
        state, _ = at(day, state, amount)
    yesterday, midnight = period_at(day, NOON), NOON + DAY / 2
    state, told = at(day, state, 70, midnight, yesterday)
    assert (told, state.crossed) == ([(6, 0.5, "resolved")], (0.5, 0.8, 1.0))
    assert at(day, state, 130, midnight, yesterday)[1] == []


def test_periods_that_ended_lately_stay_due_for_as_long_as_events_are_late() -> None:
    day = budget()
    midnight = NOON + DAY / 2
    state = BudgetState()
    for now in (NOON, midnight):
        for period in due_periods(day, state, now):
            state, _ = at(day, state, 0, now, period)
    yesterday, today = period_at(day, NOON), period_at(day, midnight)
    hours = timedelta(hours=1)
    assert due_periods(day, state, midnight + 5 * hours, lateness=6 * hours) == [yesterday, today]
    assert due_periods(day, state, midnight + 6 * hours, lateness=6 * hours) == [today]
    assert due_periods(day, state, midnight + 5 * hours, lateness=60 * hours) == [yesterday, today]


def test_a_budget_is_not_held_against_periods_before_it_existed() -> None:
    day = budget()
    state, _ = at(day, BudgetState(), 0)
    assert due_periods(day, state, NOON, lateness=30 * DAY) == [period_at(day, NOON)]
    assert at(day, state, 500, NOON, period_at(day, NOON - DAY)) == (state, [])


def test_a_budget_never_judged_can_be_judged_on_a_past_period() -> None:
    day = budget(thresholds=[1.0])
    state, told = at(day, BudgetState(), 100, NOON, period_at(day, NOON - DAY))
    assert told == [(1, 1.0, "exceeded"), (2, 1.0, "resolved")]
    assert at(day, state, 100, NOON)[1] == [(3, 1.0, "exceeded")]


def test_a_state_remembers_a_bounded_number_of_past_periods() -> None:
    day, state = budget(thresholds=[1.0]), BudgetState()
    for n in range(CLOSED_PERIODS_MAX + 10):
        state, _ = at(day, state, 100, NOON + n * DAY)
    assert len(state.closed) == CLOSED_PERIODS_MAX
    assert len(json.dumps(state.to_mapping())) < 8_000
    now = NOON + n * DAY
    assert at(day, state, 200, now, period_at(day, NOON)) == (state, [])
    oldest = state.closed[0]
    assert at(day, state, 200, now, oldest.period) == (state, [])
    assert due_periods(day, state, now, lateness=1000 * DAY)[0] == oldest.period


def test_a_second_worker_with_a_slow_clock_cannot_bring_a_closed_day_back() -> None:
    """One worker has judged the day after its end, the other still takes it for the present one."""
    day = budget()
    midnight = NOON + DAY / 2
    early = midnight - timedelta(milliseconds=5)
    yesterday = period_at(day, early)
    state, _ = at(day, BudgetState(), 85)
    state, _ = at(day, state, 85, midnight, yesterday)
    assert at(day, state, 85, early, yesterday) == (state, [])
    state, _ = at(day, state, 60, midnight)
    assert at(day, state, 85, early, yesterday) == (state, [])


def test_a_rolling_budget_resolves_when_old_consumption_leaves_and_is_ok_a_window_later() -> None:
    rolling = budget(period="rolling-24h", thresholds=[1.0])
    state, told = at(rolling, BudgetState(), 100)
    assert told == [(1, 1.0, "exceeded")]
    for hours in (1, 23):
        after, told = at(rolling, state, 100, NOON + timedelta(hours=hours))
        assert (after, told) == (state, [])
    resolved_at = NOON + timedelta(hours=25)
    state, told = at(rolling, state, 0, resolved_at)
    assert (told, state.state) == ([(2, 1.0, "resolved")], "resolved")
    state, told = at(rolling, state, 0, resolved_at + timedelta(hours=24))
    assert (told, state.state) == ([], "resolved")
    state, told = at(rolling, state, 0, resolved_at + timedelta(hours=24, minutes=1))
    assert (told, state.state, state.sequence) == ([], "ok", 2)
    assert at(rolling, state, 100, resolved_at + 2 * DAY)[1] == [(3, 1.0, "exceeded")]


def test_a_changed_limit_is_judged_at_the_next_judgement() -> None:
    state, _ = at(budget(), BudgetState(), 60)
    raised, told = at(budget(limit_gco2e=1000), state, 60)
    assert told == [(2, 0.5, "resolved")]
    assert at(budget(limit_gco2e=50), raised, 60)[1] == [(3, 0.5, "warning"), (4, 0.8, "warning"), (5, 1.0, "exceeded")]


def test_a_threshold_that_no_longer_exists_resolves_and_a_new_one_fires() -> None:
    state, _ = at(budget(), BudgetState(), 85)
    state, told = at(budget(thresholds=[0.5, 0.75, 1.0]), state, 85)
    assert told == [(3, 0.8, "resolved"), (4, 0.75, "warning")]
    assert state.active == (0.5, 0.75)


@pytest.mark.parametrize("change", [{"period": "month"}, {"period": "rolling-24h"}, {"time_zone": "Asia/Kolkata"}])
def test_a_changed_period_ends_the_old_life_and_starts_a_new_one(change: dict[str, object]) -> None:
    state, _ = at(budget(thresholds=[0.8]), BudgetState(), 85)
    changed = budget(thresholds=[0.8], **change)
    after, transitions = judge(changed, state, grams(90), period_at(changed, NOON), NOON)
    assert short(transitions) == [(2, 0.8, "resolved"), (3, 0.8, "warning")]
    assert [transition.period for transition in transitions] == [period_at(budget(), NOON), period_at(changed, NOON)]
    assert at(changed, after, 90) == (after, [])
    back, told = at(budget(thresholds=[0.8]), after, 90)
    assert told == [(4, 0.8, "resolved"), (5, 0.8, "warning")]
    assert at(budget(thresholds=[0.8]), back, 90) == (back, [])


@pytest.mark.parametrize("hours", [-25, -1, 1, 24])
def test_time_zone_data_that_move_the_end_of_a_period_change_nothing(hours: int) -> None:
    """A country gives up summer time with a few days' notice: the running month is longer or shorter by an hour, and its
    budgets stay as they are; so they do after its end, and the next month begins at the new end."""
    month = budget(period="month")
    before = period_at(month, NOON)
    after = Period(before.start, before.end + timedelta(hours=hours), calendar=True)
    state, fired = judge(month, BudgetState(), grams(200), before, NOON)
    assert len(fired) == 3
    moved, changes = judge(month, state, grams(200), after, NOON)
    assert (changes, moved.active, moved.period) == ([], state.active, after)
    again, changes = judge(month, moved, grams(200), before, NOON)
    assert (changes, again) == ([], state), "nor do two workers with different data tell anything"
    closed, resolved = judge(month, moved, grams(200), before, before.end + timedelta(hours=26))
    assert short(resolved) == [(4, 1.0, "resolved"), (5, 0.8, "resolved"), (6, 0.5, "resolved")]
    _, changes = judge(month, closed, grams(200), after, before.end + timedelta(hours=26))
    assert changes == []
    following = period_at(month, before.end + timedelta(days=3))
    late, _ = judge(month, closed, grams(0), following, before.end + timedelta(days=3))
    _, changes = judge(month, late, grams(200), after, before.end + timedelta(days=3))
    assert changes == [], "and the past is known by either end"


def test_a_month_made_a_quarter_of_the_same_start_is_another_life() -> None:
    """Only data move an end by hours; the next longer period ends days later."""
    october = datetime(2026, 10, 5, tzinfo=UTC)
    state, _ = judge(
        budget(period="month"), BudgetState(), grams(200), period_at(budget(period="month"), october), october
    )
    quarter = budget(period="quarter")
    _, changes = judge(quarter, state, grams(0), period_at(quarter, october), october)
    assert [change.state for change in changes] == ["resolved"] * 3


def test_a_month_cut_into_days_is_not_held_against_the_days_before() -> None:
    month = budget(period="month")
    state, _ = at(month, BudgetState(), 10)
    day = budget()
    state, _ = at(day, state, 10)
    assert due_periods(day, state, NOON, lateness=9 * DAY) == [period_at(day, NOON)]
    assert at(day, state, 500, NOON, period_at(day, NOON - DAY)) == (state, [])


def test_a_rolling_budget_made_calendar_is_not_held_against_the_past() -> None:
    rolling = budget(period="rolling-24h")
    state, _ = at(rolling, BudgetState(), 85)
    day = budget()
    assert due_periods(day, state, NOON, lateness=9 * DAY) == [period_at(day, NOON)]
    assert at(day, state, 500, NOON, previous_period(day, period_at(day, NOON))) == (state, [])


def test_a_period_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be rolling"):
        judge(budget(), BudgetState(), grams(1), period_at(budget(period="rolling-24h"), NOON), NOON)
    with pytest.raises(ValueError, match="cannot be calendar"):
        judge(budget(period="rolling-24h"), BudgetState(), grams(1), period_at(budget(), NOON), NOON)


def test_amounts_are_integers_so_that_no_query_can_round_them() -> None:
    with pytest.raises(TypeError, match="carbon_mid_ugco2e must be an int"):
        Consumed(0, 1.0, 2, 3)  # type: ignore[arg-type]  # what is refused


def test_a_state_survives_json() -> None:
    day = budget()
    states = [BudgetState()]
    for n, amount in enumerate((60, 85, 120, 0)):
        states.append(at(day, states[-1], amount, NOON + n * DAY)[0])
    states.append(at(day, states[-1], 300, NOON + 4 * DAY, period_at(day, NOON + 3 * DAY))[0])
    assert [len(state.closed) for state in states] == [0, 0, 1, 2, 3, 3]
    assert states[-1].over
    for state in states:
        assert BudgetState.from_mapping(json.loads(json.dumps(state.to_mapping()))) == state


def test_a_stored_state_reads_as_documented() -> None:
    """The stored form must stay readable by the next version."""
    state, _ = at(budget(thresholds=[0.8]), BudgetState(), 85)
    mapping = {
        "sequence": 1,
        "active": [0.8],
        "crossed": [0.8],
        "period": {"start": "2026-11-22T00:00:00+00:00", "end": "2026-11-23T00:00:00+00:00", "calendar": True},
        "over": False,
        "consumed": {
            "carbon_low_ugco2e": 42_500_000,
            "carbon_mid_ugco2e": 85_000_000,
            "carbon_high_ugco2e": 170_000_000,
            "facility_energy_uwh": 255_000_000,
        },
        "closed": [],
        "watched_from": "2026-11-22T00:00:00+00:00",
    }
    assert state.to_mapping() == mapping
    assert BudgetState.from_mapping(mapping) == state


@pytest.mark.parametrize(
    "damage",
    [
        {"sequence": "x"},
        {"active": None},
        {"active": [0.9]},
        {"crossed": [0.8, 0.5]},
        {"period": {"start": "2026-11-22"}},
        {"period": {"start": "2026-11-22T00:00:00", "end": "2026-11-23T00:00:00", "calendar": True}},
        {"consumed": {"carbon_low_ugco2e": 1}},
        {"consumed": None},
        {"over": True},
        {"closed": [1]},
        {"sequence": -1},
        {"sequence": 2**63 - 1},
        {"sequence": float("inf")},
        {"watched_from": 5},
    ],
)
def test_a_damaged_state_is_an_error_that_says_what_to_do(damage: dict[str, object]) -> None:
    state, _ = at(budget(thresholds=[0.8]), BudgetState(), 85)
    with pytest.raises(RiceError, match="set the budget again"):
        BudgetState.from_mapping({**state.to_mapping(), **damage})


def test_a_state_lacking_a_key_is_an_error_too() -> None:
    with pytest.raises(RiceError, match="KeyError: 'sequence'"):
        BudgetState.from_mapping({})


def test_the_closed_periods_of_a_state_are_in_order_whatever_the_order_of_arrival() -> None:
    day = budget(thresholds=[1.0])
    state = BudgetState()
    for n in range(4):
        state, _ = at(day, state, 0, NOON + n * DAY)
    now = NOON + 3 * DAY
    for n in (2, 0, 1):
        state, _ = at(day, state, 100, now, period_at(day, NOON + n * DAY))
    assert state.closed == tuple(ClosedPeriod(period_at(day, NOON + n * DAY), (1.0,)) for n in range(3))
