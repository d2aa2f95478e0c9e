"""Liveness: what waits must be committed in time, and the event loop must respond; all on a clock of the test's own."""

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
