"""Liveness, and what anybody is told of problems.

What waits must be committed in time, and the event loop must respond; all on a clock of the test's own.
"""

import logging

import pytest

from rice_stream.worker.health import Heartbeat


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def heartbeat() -> tuple[Heartbeat, Clock]:
    clock = Clock()
    return Heartbeat(timeout_s=10, clock=clock), clock


def is_live(subject: Heartbeat) -> bool:
    return subject.live()[0]


def test_idle_is_live_for_ever() -> None:
    subject, clock = heartbeat()
    clock.now_s += 1_000_000
    assert is_live(subject)


def test_what_waits_longer_than_the_limit_is_not_live_until_it_is_committed() -> None:
    subject, clock = heartbeat()
    subject.waiting()
    clock.now_s += 10
    assert is_live(subject)
    clock.now_s += 0.1
    assert not is_live(subject)
    subject.advanced(still_waiting=False)
    assert is_live(subject)


def test_more_arrivals_do_not_restart_the_wait() -> None:
    subject, clock = heartbeat()
    for _ in range(12):
        subject.waiting()
        clock.now_s += 1
    assert not is_live(subject)


def test_every_commit_starts_the_wait_of_the_rest_again() -> None:
    subject, clock = heartbeat()
    subject.waiting()
    for _ in range(5):
        clock.now_s += 9
        subject.advanced(still_waiting=True)
        assert is_live(subject)
    clock.now_s += 11
    assert not is_live(subject)


def test_being_caught_up_ends_a_wait_that_nothing_waits_for() -> None:
    """Somebody else may have taken the partition over: that nothing is left on the broker is enough."""
    subject, clock = heartbeat()
    subject.waiting()
    clock.now_s += 11
    subject.caught_up()
    assert is_live(subject)


def test_an_event_loop_that_stands_still_is_not_live() -> None:
    subject, clock = heartbeat()
    subject.beat()
    clock.now_s += 9
    subject.beat()
    clock.now_s += 10
    assert is_live(subject)
    clock.now_s += 0.1
    assert not is_live(subject)
    assert subject.live()[1]["silent_for_s"] == 10.1
    subject.beat()
    assert is_live(subject)


def test_anybody_is_told_which_part_has_a_problem_and_the_log_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """`/readyz` is open: errors name brokers, files and databases. Found again and again, a problem is logged once."""
    subject, _ = heartbeat()
    with caplog.at_level(logging.INFO):
        for what in ("kafka", "store", "budgets", "alerts", "of a kind that is to come"):
            for _ in range(3):
                subject.set_problem(what, f"no answer at {what}-internal-1:9092 (/srv/secret/ca.pem)")
        ready, details = subject.ready()
        assert not ready
        assert details["problems"]["kafka"].startswith("unreachable")
        assert "internal" not in repr(details)
        assert "secret" not in repr(details)
        subject.set_problem("kafka", None)
    assert "kafka" not in subject.ready()[1]["problems"]
    assert caplog.text.count("kafka-internal-1:9092") == 1
    assert "ready again: kafka" in caplog.text
