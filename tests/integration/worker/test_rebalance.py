"""Two workers share the partitions: joining, leaving and dying under load change nothing in what is counted."""

import time

from tests.support.worker_harness import Deployment, WorkerProcess, waiting_transactions
from tests.support.worker_load import Load
from tests.support.worker_truth import EventMaker, Sender, assert_exact

TAKE_OVER_S = 10.0
"""What is promised with the default settings (session timeout 6 s)."""
SLACK_S = 5.0
"""Added to it here: the machine of a test run does other things as well."""


def shared_by(deployment: Deployment, members: int) -> bool:
    """Whether that many members hold all partitions, none of them without any."""
    held = list(deployment.assignments().values())
    return len(held) == members and all(held) and sum(map(len, held)) == 4


def last_offsets(deployment: Deployment) -> dict[int, int]:
    """Partition -> the last offset that the store knows."""
    return {row[0]: row[1] for row in deployment.rows('SELECT "partition", last_offset FROM kafka_progress')}


def start_second(
    deployment: Deployment, first: WorkerProcess, **settings: object
) -> tuple[WorkerProcess, frozenset[int]]:
    """A second worker, once both have partitions; with the partitions that it holds."""
    first.until(lambda: shared_by(deployment, 1), "one worker to hold all partitions")
    (member,) = deployment.assignments()
    second = deployment.start_worker(**settings)
    second.until(lambda: shared_by(deployment, 2), "both workers to have partitions")
    ((_, partitions),) = [entry for entry in deployment.assignments().items() if entry[0] != member]
    return second, partitions


def test_workers_join_leave_and_die_under_load(deployment: Deployment) -> None:
    """A second worker joins, the first leaves on SIGTERM, a third joins, the second is killed, the third finishes."""
    sender = Sender(deployment)
    with Load(sender, seed=31) as load:
        first = deployment.start_worker(batch_events_max=500)
        first.until(first.has_committed, "a first commit")
        second, _ = start_second(deployment, first, batch_events_max=500)
        second.until(second.has_committed, "a first commit")
        assert first.stop() == 0, first.log
        third, partitions = start_second(deployment, second, batch_events_max=500)
        assert len(partitions) == 2, "four partitions are shared evenly"
        third.until(third.has_committed, "a first commit")
        second.kill()
        third.until(lambda: shared_by(deployment, 1), "the last worker to hold all partitions")
        load.finish()
        third.until(lambda: deployment.recorded() == len(sender.truth.events), "everything to be stored")
    assert third.stop() == 0, third.log
    deployment.finish()
    assert_exact(deployment, sender.truth)


def test_after_a_kill_the_other_worker_goes_on_within_ten_seconds(deployment: Deployment) -> None:
    """kill -9 of one of two workers, default settings: records that arrive after the kill in the dead worker's
    partitions are in the store within 10 s."""
    settings = {"kafka_session_timeout_s": 6}
    sender = Sender(deployment)
    with Load(sender, seed=32) as load:
        first = deployment.start_worker(**settings)
        first.until(first.has_committed, "a first commit")
        second, orphaned = start_second(deployment, first, **settings)
        second.until(second.has_committed, "a first commit")
        second.kill()
        killed_s = time.monotonic()
        # Only offsets beyond these are certain not to be the dead worker's own last transaction.
        ends = {partition: end for (_, partition), end in deployment.ends().items() if partition in orphaned}

        def taken_over() -> bool:
            stored = last_offsets(deployment)
            return all(stored.get(partition, -1) >= end for partition, end in ends.items())

        first.until(taken_over, f"partitions {sorted(orphaned)} to go on", TAKE_OVER_S + SLACK_S)
        print(f"partitions {sorted(orphaned)} went on {time.monotonic() - killed_s:.1f} s after the kill")
        load.finish()
        first.until(lambda: deployment.recorded() == len(sender.truth.events), "everything to be stored")
    assert first.stop() == 0, first.log
    assert_exact(deployment, sender.truth)


def test_a_rebalance_in_the_middle_of_a_transaction_counts_nothing_twice(deployment: Deployment) -> None:
    """The first worker's transaction hangs on a lock while half of its partitions move to a second worker, which reads
    the same records again: both commit, one of them finds them known."""
    sender, make = Sender(deployment), EventMaker(33)
    for number in range(2000):
        sender.send_event(make(), partition=number % 4)
    sender.confirm()
    with deployment.engine.connect() as locker:
        locker.exec_driver_sql("LOCK TABLE minute_total IN SHARE MODE")
        first = deployment.start_worker()
        first.until(lambda: waiting_transactions(deployment) == 1, "the first worker's transaction to hang")
        second, _ = start_second(deployment, first)
        second.until(lambda: waiting_transactions(deployment) == 2, "the second worker's transaction to hang too")
        locker.rollback()
    second.until(lambda: deployment.recorded() == 2000, "everything to be stored")
    second.until(lambda: deployment.committed_offsets() == deployment.ends(), "everything to be acknowledged")
    assert deployment.value("SELECT SUM(duplicates) FROM kafka_progress") > 0
    assert first.stop() == 0, first.log
    assert second.stop() == 0, second.log
    assert_exact(deployment, sender.truth)
