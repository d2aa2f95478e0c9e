"""Records of more events than a transaction takes: cut, counted once, and bounded in memory."""

from tests.support.worker_harness import Deployment
from tests.support.worker_truth import EventMaker, Sender, assert_exact, encoded

EVENTS_MAX = 100


def test_large_records_are_cut_into_bounded_transactions_and_survive_a_kill_amid_them(deployment: Deployment) -> None:
    """A record of hundreds of events, some of them bad, between small ones; the worker is killed while it is at them. (Sizes
    of 1 GB are for `python -m benchmarks --large large-records`.)"""
    sender, make = Sender(deployment), EventMaker(81)
    for number in range(12):
        events = [make() for _ in range(350)]
        lines = [encoded(event) for event in events]
        lines.insert(200, b"not JSON")
        sender.send(b"\n".join(lines), events=events, refused_items=[200], partition=number % 4)
        sender.send_event(make(), partition=number % 4)
    sender.confirm()
    worker = deployment.start_worker(batch_events_max=EVENTS_MAX)
    worker.until(lambda: deployment.recorded() > 500, "some of the parts")
    worker.kill()
    worker = deployment.start_worker(batch_events_max=EVENTS_MAX)
    worker.until(lambda: deployment.recorded() == len(sender.truth.events), "all events")
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "offsets at the ends")
    metrics = worker.metrics()
    assert metrics["rice_batch_events_bucket{le=100.0}"] == metrics["rice_batch_events_count"]
    assert metrics["rice_intake_bytes"] == 0
    assert worker.stop() == 0, worker.log
    assert_exact(deployment, sender.truth)
