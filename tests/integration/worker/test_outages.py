"""PostgreSQL and Kafka go away under load and come back: nothing is lost, nothing counts twice."""

from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support.changed_workers import set_constant
from tests.support.databases import Databases
from tests.support.waiting import wait_until
from tests.support.worker_harness import STOP_DEADLINE_S, Deploy, Deployment, WorkerProcess, waiting_transactions
from tests.support.worker_load import Load
from tests.support.worker_truth import EventMaker, Sender, assert_exact

STOP_S = 6
"""What a stop may take here beside trying to reach the database again."""


def wait_for_more(deployment: Deployment, worker: WorkerProcess) -> None:
    """The worker goes on recording."""
    before = deployment.recorded()
    worker.until(lambda: deployment.recorded() > before + 500, "more records")


def finish_exactly(deployment: Deployment, load: Load, worker: WorkerProcess) -> None:
    """The traffic ends, the worker stores the rest of it and stops, and all of it is right."""
    load.finish()
    truth = load.sender.truth
    worker.until(lambda: deployment.recorded() == len(truth.events), "everything to be stored")
    assert worker.stop() == 0, worker.log
    deployment.finish()
    assert_exact(deployment, truth)


def test_postgresql_stops_and_crashes_under_load(deployment: Deployment, postgres: PostgresServer) -> None:
    """The worker tries again, says so (/readyz, /metrics) and stays alive; when the store is back it goes on."""
    with Load(Sender(deployment), seed=41) as load:
        worker = deployment.start_worker()
        worker.until(worker.has_committed, "a first commit")
        for end in (postgres.stop, postgres.kill):
            retries = worker.metrics()["rice_store_retries_total"]
            assert worker.get("/readyz")[0] == 200
            end()
            worker.until(lambda: worker.metrics()["rice_store_retries_total"] > retries, "a retry")  # noqa: B023
            status, problems = worker.get("/readyz")
            assert status == 503
            assert "store" in problems
            assert worker.get("/healthz")[0] == 200
            postgres.start()
            worker.until(lambda: worker.get("/readyz")[0] == 200, "the worker to be ready again")
            wait_for_more(deployment, worker)
        finish_exactly(deployment, load, worker)


def test_a_store_that_stays_away_stops_the_worker_unacked(deployment: Deployment, postgres: PostgresServer) -> None:
    """After RICE_STORE_RETRY_S the worker ends with code 3 and one clear line; what it had not stored it had not acked,
    and the next worker goes on exactly there."""
    with Load(Sender(deployment), seed=42) as load:
        worker = deployment.start_worker(store_retry_s=1.5)
        worker.until(worker.has_committed, "a first commit")
        wait_for_more(deployment, worker)
        postgres.stop()
        wait_until(lambda: worker.exit_code is not None, STOP_DEADLINE_S, "the worker to give up")
        assert worker.exit_code == 3, worker.log
        said = [line for line in worker.log.splitlines() if line.startswith("rice-stream: ")]
        assert len(said) == 1
        assert "RICE_STORE_RETRY_S" in said[0]
        assert "Traceback" not in worker.log
        postgres.start()
        stored = deployment.rows('SELECT topic, "partition", last_offset + 1 FROM kafka_progress')
        committed = deployment.committed_offsets()
        for topic, partition, stored_to in stored:
            assert (committed[topic, partition] or 0) <= stored_to
        next_worker = deployment.start_worker()
        wait_for_more(deployment, next_worker)
        finish_exactly(deployment, load, next_worker)


def test_kafka_restarts_and_crashes_under_load(kafka: KafkaServer, deployment: Deployment) -> None:
    """The worker waits for the broker, after an orderly restart and after kill -9 of it, and goes on by itself."""
    with Load(Sender(deployment), seed=43) as load:
        worker = deployment.start_worker()
        worker.until(worker.has_committed, "a first commit")
        kafka.restart()
        wait_for_more(deployment, worker)
        kafka.kill()
        kafka.start()
        wait_for_more(deployment, worker)
        finish_exactly(deployment, load, worker)


def test_a_stop_ends_although_the_store_hangs_or_kafka_is_gone(
    kafka: KafkaServer, deploy: Deploy, postgresql: Databases
) -> None:
    """One worker's transaction hangs on a lock, another one's broker is dead: both leave soon after SIGTERM, with code 3 where
    something is left to tell the broker, and say why; nothing is lost by it."""
    locked, cut_off = deploy(postgresql), deploy(postgresql)
    for deployment in (locked, cut_off):
        set_constant(deployment, "rice_stream.worker.deadline", "STOP_BEYOND_RETRIES_S", STOP_S)
    senders = Sender(locked), Sender(cut_off)
    for sender, make in zip(senders, (EventMaker(44), EventMaker(45)), strict=True):
        for _ in range(500):
            sender.send_event(make())
        sender.confirm()
    with locked.engine.connect() as locker:
        locker.exec_driver_sql("LOCK TABLE minute_total IN SHARE MODE")
        workers = locked.start_worker(store_retry_s=1), cut_off.start_worker(store_retry_s=1)
        workers[0].until(lambda: waiting_transactions(locked) == 1, "the transaction to hang")
        workers[1].until(workers[1].has_committed, "a first commit")
        kafka.kill()
        for worker in workers:
            worker.request_stop()
        for worker in workers:
            code = worker.wait(STOP_S + 1 + 15)
            if worker is workers[1] and code == 0:
                continue  # the broker had been told of all of it before it was dead
            assert code == 3, worker.log
            (said,) = [line for line in worker.log.splitlines() if line.startswith("rice-stream: ")]
            assert "the stop did not end within" in said or "lock timeout" in said
            assert "Traceback" not in worker.log, worker.log
    kafka.start()
    for deployment, sender in zip((locked, cut_off), senders, strict=True):
        deployment.finish()
        assert_exact(deployment, sender.truth)
