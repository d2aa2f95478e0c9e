"""PostgreSQL and Kafka go away under load and come back: nothing is lost, nothing counts twice."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.worker.app import STOP_TIMEOUT_S
from tests.support.databases import Databases, PostgresDatabases
from tests.support.waiting import wait_until
from tests.support.worker_harness import STOP_DEADLINE_S, Deploy, Deployment, WorkerProcess, waiting_transactions
from tests.support.worker_load import Load
from tests.support.worker_truth import EventMaker, Sender, assert_exact


@pytest.fixture
def own_postgres(shared_directory: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL that the test may stop: other tests do not use it."""
    with PostgresServer(shared_directory / "postgres") as server:
        yield server


@pytest.fixture
def own_kafka(shared_directory: Path) -> Iterator[KafkaServer]:
    """A Kafka that the test may stop: other tests do not use it."""
    with KafkaServer(shared_directory / "kafka", config={"group.min.session.timeout.ms": "1000"}) as server:
        yield server


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


def test_postgresql_stops_and_crashes_under_load(deploy: Deploy, own_postgres: PostgresServer) -> None:
    """The worker tries again, says so (/readyz, /metrics) and stays alive; when the store is back it goes on."""
    deployment = deploy(PostgresDatabases(own_postgres))
    with Load(Sender(deployment), seed=41) as load:
        worker = deployment.start_worker()
        worker.until(worker.has_committed, "a first commit")
        for end in (own_postgres.stop, own_postgres.kill):
            retries = worker.metrics()["rice_store_retries_total"]
            assert worker.get("/readyz")[0] == 200
            end()
            worker.until(lambda: worker.metrics()["rice_store_retries_total"] > retries, "a retry")  # noqa: B023
            status, problems = worker.get("/readyz")
            assert status == 503
            assert "store" in problems
            assert worker.get("/healthz")[0] == 200
            own_postgres.start()
            worker.until(lambda: worker.get("/readyz")[0] == 200, "the worker to be ready again")
            wait_for_more(deployment, worker)
        finish_exactly(deployment, load, worker)


def test_a_store_that_stays_away_stops_the_worker_unacked(deploy: Deploy, own_postgres: PostgresServer) -> None:
    """After RICE_STORE_RETRY_S the worker ends with code 3 and one clear line; what it had not stored it had not acked,
    and the next worker goes on exactly there."""
    deployment = deploy(PostgresDatabases(own_postgres))
    with Load(Sender(deployment), seed=42) as load:
        worker = deployment.start_worker(store_retry_s=1.5)
        worker.until(worker.has_committed, "a first commit")
        wait_for_more(deployment, worker)
        own_postgres.stop()
        wait_until(lambda: worker.exit_code is not None, STOP_DEADLINE_S, "the worker to give up")
        assert worker.exit_code == 3, worker.log
        said = [line for line in worker.log.splitlines() if line.startswith("rice-stream: ")]
        assert len(said) == 1
        assert "RICE_STORE_RETRY_S" in said[0]
        assert "Traceback" not in worker.log
        own_postgres.start()
        stored = deployment.rows('SELECT topic, "partition", last_offset + 1 FROM kafka_progress')
        committed = deployment.committed_offsets()
        for topic, partition, stored_to in stored:
            assert (committed[topic, partition] or 0) <= stored_to
        next_worker = deployment.start_worker()
        wait_for_more(deployment, next_worker)
        finish_exactly(deployment, load, next_worker)


def on_own_kafka(own_kafka: KafkaServer, name: str, database_url: str, folder: Path) -> Deployment:
    """A deployment on a Kafka that the test may stop."""
    topics = f"events-{name}", f"alerts-{name}"
    for topic in topics:
        own_kafka.create_topic(topic, 4)
    (folder / name).mkdir()
    return Deployment(
        bootstrap_servers=own_kafka.bootstrap_servers,
        topics=topics[:1],
        alerts_topic=topics[1],
        database_url=database_url,
        folder=folder / name,
    )


def test_kafka_restarts_and_crashes_under_load(own_kafka: KafkaServer, postgresql: Databases, tmp_path: Path) -> None:
    """The worker waits for the broker, after an orderly restart and after kill -9 of it, and goes on by itself."""
    with (
        closing(on_own_kafka(own_kafka, "restarts", postgresql.migrated(), tmp_path)) as deployment,
        Load(Sender(deployment), seed=43) as load,
    ):
        worker = deployment.start_worker()
        worker.until(worker.has_committed, "a first commit")
        own_kafka.restart()
        wait_for_more(deployment, worker)
        own_kafka.kill()
        own_kafka.start()
        wait_for_more(deployment, worker)
        finish_exactly(deployment, load, worker)


def test_a_stop_ends_although_the_store_hangs_or_kafka_is_gone(
    own_kafka: KafkaServer, postgresql: Databases, tmp_path: Path
) -> None:
    """One worker's transaction hangs on a lock, another one's broker is dead: both leave soon after SIGTERM with code 3
    and say why, and nothing is lost by it."""
    with (
        closing(on_own_kafka(own_kafka, "locked", postgresql.migrated(), tmp_path)) as locked,
        closing(on_own_kafka(own_kafka, "cut-off", postgresql.migrated(), tmp_path)) as cut_off,
    ):
        senders = Sender(locked), Sender(cut_off)
        for sender, make in zip(senders, (EventMaker(44), EventMaker(45)), strict=True):
            for _ in range(500):
                sender.send_event(make())
            sender.confirm()
        with locked.engine.connect() as locker:
            locker.exec_driver_sql("LOCK TABLE minute_total IN SHARE MODE")
            workers = locked.start_worker(), cut_off.start_worker()
            workers[0].until(lambda: waiting_transactions(locked) == 1, "the transaction to hang")
            workers[1].until(workers[1].has_committed, "a first commit")
            own_kafka.kill()
            for worker in workers:
                worker.request_stop()
            for worker in workers:
                assert worker.wait(STOP_TIMEOUT_S + 15) == 3, worker.log
                (said,) = [line for line in worker.log.splitlines() if line.startswith("rice-stream: ")]
                assert "the stop did not end within" in said
                assert "Traceback" not in worker.log
        own_kafka.start()
        for deployment, sender in zip((locked, cut_off), senders, strict=True):
            deployment.finish()
            assert_exact(deployment, sender.truth)
