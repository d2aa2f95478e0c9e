"""What a budget leaves is never too much: whatever is added below it, nothing has to be announced."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.budgets.periods import period_at, previous_period
from rice_stream.budgets.room import BOUNDLESS, Room, narrowest, room_of
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState
from tests.properties.budgets.test_rules import HYSTERESES, LIMITS, NOON, PERIODS, THRESHOLDS, build, consumed


@settings(max_examples=200, deadline=None)
@given(data=st.data(), limit=LIMITS, thresholds=THRESHOLDS, hysteresis=HYSTERESES, period=PERIODS)
def test_what_is_less_than_the_room_changes_nothing_and_the_room_itself_does(
    data: st.DataObject, limit: int, thresholds: list[int], hysteresis: int, period: str
) -> None:
    """Of whatever was judged before; where no threshold is left, nothing that can be stored does."""
    budget = build(limit, thresholds, hysteresis, period)
    span, amount = period_at(budget, NOON), data.draw(st.integers(0, 3 * limit))
    state, _ = judge(budget, BudgetState(), consumed(amount), span, NOON)
    room = room_of(budget, [(span, consumed(amount))]).carbon_mid_ugco2e
    added = data.draw(st.integers(0, min(room, 2**63) - 1))
    assert judge(budget, state, consumed(amount + added), span, NOON)[1] == []
    if room != BOUNDLESS:
        assert judge(budget, state, consumed(amount + room), span, NOON)[1] != []


def test_of_several_periods_the_one_that_is_nearest_to_a_threshold_counts() -> None:
    """Late events belong to yesterday: 1,000 allowed, warned at 500, 450 consumed then and 100 today."""
    budget = build(1_000, [500, 1_000], 50)
    today = period_at(budget, NOON)
    yesterday = previous_period(budget, today)
    assert room_of(budget, [(yesterday, consumed(450)), (today, consumed(100))]) == Room(50, BOUNDLESS, today.end)
    assert room_of(budget, [(yesterday, consumed(500)), (today, consumed(100))]) == Room(400, BOUNDLESS, today.end)


def test_there_is_none_where_more_than_the_amount_matters() -> None:
    """Ends of a range are no sums, and early warnings go by pace."""
    rolling = build(1_000, [500], 50, "rolling-24h")
    judged = [(period_at(rolling, NOON), consumed(0))]
    assert room_of(rolling, judged) == Room(500, BOUNDLESS, None), "a window has no end"
    ranged = build(1_000, [500], 50, estimate="high")
    early = build(1_000, [500], 50, early_warning=True)
    for budget in (ranged, early):
        assert room_of(budget, [(period_at(budget, NOON), consumed(0))]) == Room(0, 0, None)


def test_energy_and_carbon_are_held_apart_and_the_first_turn_of_a_period_ends_both() -> None:
    carbon, energy = build(1_000, [500], 50, "month"), build(10**9, [1_000], 50, unit="kwh")
    rooms = [room_of(each, [(period_at(each, NOON), consumed(100))]) for each in (carbon, energy)]
    assert narrowest(rooms) == Room(400, 10**9 - 7, datetime(2026, 11, 23, tzinfo=UTC))
    assert narrowest([]) == Room(BOUNDLESS, BOUNDLESS, None)
    assert period_at(carbon, NOON).end - period_at(energy, NOON).end == timedelta(days=8)
