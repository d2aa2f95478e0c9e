"""Where the retention horizon goes, and when: pure, for every clock and ledger."""

from datetime import UTC, date, datetime, timedelta

import pytest

from rice_stream.instants import DAY_US, epoch_us
from rice_stream.store.retention_plan import ANNOUNCED_US, CLOCK_JUMP_US, Plan, Seen, clock_problem, plan_move
from rice_stream.store.retention_state import RetentionState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW_US = epoch_us(NOW)
OCTOBER_US = epoch_us(datetime(2026, 10, 1, tzinfo=UTC))
AGREED = Seen(NOW_US, NOW_US - 1, NOW_US + DAY_US // 2)


def test_a_new_horizon_is_announced_then_waited_for_then_made() -> None:
    state = RetentionState()
    assert plan_move(state, AGREED, 32) == Plan(announce_us=OCTOBER_US)
    announced = RetentionState(planned_from_us=OCTOBER_US, planned_at_us=NOW_US)
    assert plan_move(announced, AGREED, 32) == Plan()
    later = AGREED._replace(now_us=NOW_US + ANNOUNCED_US)
    assert plan_move(announced, later, 32) == Plan(move_to_us=OCTOBER_US)
    assert plan_move(RetentionState(records_from_us=OCTOBER_US), later, 32) == Plan(), "it never moves back or stays"


def test_another_horizon_than_the_announced_one_is_announced_again() -> None:
    """A month began, or the days were changed meanwhile; or the announcement lies in the future."""
    september_us = epoch_us(datetime(2026, 9, 1, tzinfo=UTC))
    for planned_from_us, planned_at_us in ((september_us, NOW_US - DAY_US), (OCTOBER_US, NOW_US + 1)):
        state = RetentionState(planned_from_us=planned_from_us, planned_at_us=planned_at_us)
        assert plan_move(state, AGREED, 32) == Plan(announce_us=OCTOBER_US)


@pytest.mark.parametrize("witness", ["now_us", "committed_us", "ended_us"])
def test_the_earliest_witness_decides(witness: str) -> None:
    """Clock, latest commit and latest event: whichever is earliest; one in the future moves nothing further."""
    behind = AGREED._replace(**{witness: NOW_US - 60 * DAY_US})
    assert plan_move(RetentionState(), behind, 32) == Plan(announce_us=epoch_us(datetime(2026, 8, 1, tzinfo=UTC)))
    ahead = AGREED._replace(**{witness: NOW_US + 70 * 365 * DAY_US})
    assert plan_move(RetentionState(), ahead, 32) == Plan(announce_us=OCTOBER_US)


@pytest.mark.parametrize("seen", [Seen(NOW_US, None, None), Seen(NOW_US, NOW_US, None)])
def test_an_empty_ledger_moves_nothing(seen: Seen) -> None:
    assert plan_move(RetentionState(), seen, 32) == Plan()


@pytest.mark.parametrize(
    ("moved_us", "believed"),
    [(0, True), (CLOCK_JUMP_US, True), (CLOCK_JUMP_US + 1, False), (-DAY_US, True), (-DAY_US - 1, False)],
)
def test_a_clock_is_believed_that_did_not_jump_since_the_last_run(moved_us: int, believed: bool) -> None:
    state = RetentionState(run_at_us=NOW_US)
    problem = clock_problem(state, NOW_US + moved_us, None)
    assert (problem is None) == believed
    today = (NOW + timedelta(microseconds=moved_us)).date()
    assert clock_problem(state, NOW_US + moved_us, today) is None
    assert (clock_problem(state, NOW_US + moved_us, today - timedelta(days=3)) is None) == believed


def test_the_first_run_of_all_believes_its_clock() -> None:
    """It has nothing to compare with; the witnesses of the ledger bound what it may drop."""
    assert clock_problem(RetentionState(), NOW_US, date(2000, 1, 1)) is None
