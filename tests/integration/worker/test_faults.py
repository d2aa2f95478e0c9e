"""Faults of what workers stand on, one by one under load: when they are over the work goes on by itself, and all is exact.

A run tries some of them, a drill all of them and for longer. docs/architecture.md has the whole table.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from sqlalchemy import make_url

from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support import cases
from tests.support.databases import Databases
from tests.support.faults import filled, hanging, small_disk
from tests.support.network import CutProxy
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deploy, Deployment, WorkerProcess
from tests.support.worker_load import Load
from tests.support.worker_truth import Sender, assert_exact

FAULT_S = cases.size(3, 60)
"""How long each fault lasts."""


class Stage(NamedTuple):
    """What a fault may touch."""

    kafka: KafkaServer
    postgres: PostgresServer
    deployment: Deployment
    worker: WorkerProcess
    sender: Sender
    network: CutProxy


def last(seconds: float = FAULT_S) -> None:
    """The fault goes on for a while."""
    ends_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= ends_s, seconds + 30, "the time of the fault")


def worker_hangs(stage: Stage) -> None:
    """Another worker takes over; the one that hung finds its partitions gone, and goes on."""
    with hanging(stage.worker.pid):
        before = stage.deployment.recorded()
        other = stage.deployment.start_worker()
        other.until(lambda: stage.deployment.recorded() > before + 500, "the other worker to go on")
        last()
    assert other.stop() == 0, other.log


def postgresql_hangs(stage: Stage) -> None:
    """Its processes stand still; connections stay open."""
    with hanging(stage.postgres.pid):
        last()


def kafka_hangs(stage: Stage) -> None:
    """The broker stands still; connections stay open."""
    with hanging(stage.kafka.pid):
        last()


def sessions_are_ended(stage: Stage) -> None:
    """The database's administrator terminates every session, again and again."""
    for _ in range(3):
        end_sessions(stage)
        last(FAULT_S / 3)


def the_standby_is_read_only(stage: Stage) -> None:
    """As after a fail-over to a standby that is not promoted yet: it answers, and takes no changes."""
    name = stage.deployment.engine.url.database
    before = store_retries(stage.worker)
    with administrator(stage) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        end_sessions(stage)
        stage.worker.until(lambda: store_retries(stage.worker) > before, "a retry")
        last()
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        end_sessions(stage)


def the_network_to_the_database_is_cut(stage: Stage) -> None:
    """Its port is closed, connections end."""
    before = store_retries(stage.worker)
    stage.network.cut()
    stage.worker.until(lambda: store_retries(stage.worker) > before, "a retry")
    last()
    stage.network.restore()


def the_disk_of_the_database_is_full(stage: Stage) -> None:
    """The worker says so and waits; when there is room again it goes on."""
    name = stage.deployment.engine.url.database
    with small_disk(120) as disk, administrator(stage) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        stage.network.cut()
        move(stage, f'ALTER DATABASE "{name}" SET TABLESPACE small')
        stage.network.restore()
        stage.worker.until(lambda: stage.worker.get("/readyz")[0] == 200, "the worker to be ready")
        with filled(disk):
            stage.worker.until(lambda: "No space left" in stage.worker.log, "the worker to say so")
            last()
            assert stage.worker.get("/readyz")[0] == 503
        wait_for_more(stage)
        stage.network.cut()
        move(stage, f'ALTER DATABASE "{name}" SET TABLESPACE pg_default')
        stage.network.restore()
        connection.execute("DROP TABLESPACE small")


def move(stage: Stage, statement: str) -> None:
    """Nobody may be connected meanwhile: the worker is cut off, and the test's own connections are ended."""
    stage.deployment.engine.dispose()

    def moved() -> bool:
        end_sessions(stage)
        try:
            with administrator(stage) as connection:
                connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_until(moved, 60, "the database to be moved")


def partitions_are_added(stage: Stage) -> None:
    """The topic grows while it is read; what is sent to the new partitions is read too."""
    admin = AdminClient({"bootstrap.servers": stage.deployment.bootstrap_servers, "log_level": 0})
    for added in admin.create_partitions([NewPartitions(stage.deployment.topic, 7)]).values():
        added.result(timeout=30)
    stage.sender.use_partitions(7)
    last()


FAULTS: tuple[Callable[[Stage], None], ...] = (
    worker_hangs,
    postgresql_hangs,
    kafka_hangs,
    sessions_are_ended,
    the_standby_is_read_only,
    the_network_to_the_database_is_cut,
    the_disk_of_the_database_is_full,
    partitions_are_added,
)


def name_of(fault: Callable[[Stage], None]) -> str:
    return fault.__name__


@pytest.mark.parametrize("fault", cases.some("faults", FAULTS, 3), ids=name_of)
def test_after_a_fault_work_goes_on_by_itself_and_all_is_exact(
    fault: Callable[[Stage], None],
    kafka: KafkaServer,
    postgres: PostgresServer,
    deploy: Deploy,
    postgresql: Databases,
) -> None:
    """Records, totals, quarantine and offsets are those of what was sent; `verify --against-topic` agrees."""
    deployment = deploy(postgresql)
    network = CutProxy(Path(str(psycopg.conninfo.conninfo_to_dict(postgres.conninfo())["host"]), ".s.PGSQL.5432"))
    url = deployment.engine.url
    through = f"postgresql+psycopg://{url.username}@127.0.0.1:{network.port}/{url.database}"
    sender = Sender(deployment)
    with Load(sender, seed=61) as load:
        worker = deployment.start_worker(database_url=through, store_retry_s=4 * FAULT_S + 60)
        worker.until(worker.has_committed, "a first commit")
        stage = Stage(kafka, postgres, deployment, worker, sender, network)
        fault(stage)
        wait_for_more(stage)
        load.finish()
        worker.until(lambda: deployment.recorded() == len(sender.truth.events), "everything to be stored")
        assert worker.stop() == 0, worker.log
    deployment.finish()
    assert_exact(deployment, sender.truth)
    assert deployment.json("verify", "--against-topic")["ok"]
    network.cut()


def wait_for_more(stage: Stage) -> None:
    """The worker goes on recording."""
    before = stage.deployment.recorded()
    stage.worker.until(lambda: stage.deployment.recorded() > before + 500, "more records")


def store_retries(worker: WorkerProcess) -> float:
    """How often the worker has tried the store again."""
    return worker.metrics().get("rice_store_retries_total", 0)


@contextmanager
def administrator(stage: Stage) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to another database of the server."""
    with psycopg.connect(stage.postgres.conninfo(), autocommit=True) as connection:
        yield connection


def end_sessions(stage: Stage) -> None:
    """Terminate every session of the deployment's database."""
    with administrator(stage) as connection:
        name = make_url(stage.deployment.environment["RICE_DATABASE_URL"]).database
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
