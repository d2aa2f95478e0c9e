"""When a delivery is tried again."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.schedule import LATER_MAX_S, STANDARD_WAITS_S, NextStep, Schedule

DAY_S = 86_400.0
FAILED = ReceiverAnswer(status=500, problem="it answered 500")


def after(answer: ReceiverAnswer, attempts: int = 1, tried_for_s: float = 0.0, luck: float = 0.0) -> NextStep:
    """By the standard schedule."""
    return Schedule().next_step(answer, attempts=attempts, tried_for_s=tried_for_s, luck=luck)


def test_tries_are_those_of_the_specification_and_then_it_is_dead() -> None:
    """At once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h after each other: three days and more."""
    steps = [after(FAILED, attempts) for attempts in range(1, 11)]
    assert [step.wait_s for step in steps] == [*STANDARD_WAITS_S[1:], 0.0]
    assert [step.state for step in steps] == ["failed"] * 9 + ["dead"]
    assert list(accumulate(STANDARD_WAITS_S))[-1] / DAY_S > 3


@pytest.mark.parametrize("status", [None, 301, 400, 401, 404, 408, 500, 502, 503])
def test_whatever_went_wrong_is_tried_again(status: int | None) -> None:
    """Settings get mended, of ours and of theirs."""
    assert after(ReceiverAnswer(status=status, problem="no")) == NextStep("failed", 5.0)


def test_what_arrived_is_done_and_who_is_gone_is_left_alone() -> None:
    """410 says that nothing is wanted any more."""
    assert after(ReceiverAnswer(status=204)) == NextStep("done")
    assert after(ReceiverAnswer(status=410, problem="gone")) == NextStep("dead", disables=True)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_receiver_is_asked_when_it_says_and_that_is_none_of_the_tries(status: int) -> None:
    """Within bounds, and not for ever: for as long as the schedule lasts; after that tries count."""

    def later(seconds: float, tried_for_s: float = 0.0) -> NextStep:
        answer = ReceiverAnswer(status=status, problem="busy", retry_after_s=seconds)
        return after(answer, 10, tried_for_s)

    assert later(30) == NextStep("failed", 30.0, counts=False)
    assert (later(0).wait_s, later(1e9).wait_s) == (1.0, LATER_MAX_S)
    assert later(30, 5 * DAY_S) == NextStep("dead")


def test_another_failure_with_a_retry_after_waits_for_that_at_least() -> None:
    """As a try that counts."""
    answer = ReceiverAnswer(status=500, problem="no", retry_after_s=60)
    assert [after(answer, attempts) for attempts in (1, 2)] == [NextStep("failed", 60.0), NextStep("failed", 300.0)]


@given(
    st.integers(1, 12),
    st.sampled_from([None, 200, 204, 400, 410, 429, 500, 503]),
    st.none() | st.floats(0, 1e12),
    st.floats(0, 1e7),
    st.floats(0, 1),
)
def test_luck_only_lengthens_and_every_delivery_ends(
    attempts: int, status: int | None, later_s: float | None, tried_for_s: float, luck: float
) -> None:
    """A wait has bounds; and what is not done fails at most until the tries and the time of the schedule are over."""
    answer = ReceiverAnswer(status=status, retry_after_s=later_s, problem=None if status in (200, 204) else "no")
    step, least = after(answer, attempts, tried_for_s, luck), after(answer, attempts, tried_for_s)
    assert least.wait_s <= step.wait_s <= 1.1 * LATER_MAX_S
    assert step._replace(wait_s=0) == least._replace(wait_s=0)
    if step.state == "failed":
        assert step.wait_s > 0
        assert attempts < len(STANDARD_WAITS_S) or tried_for_s < sum(STANDARD_WAITS_S)
