"""What docs/operations.md says of backup and disaster, done for real on PostgreSQL and Kafka. Part of the drill.

python -m tests.recovery [--seed N]     exit code 0: it holds

1. A base backup and archived WAL while a worker is busy; the database is lost after an accident; it is restored to a moment before
   it, Kafka is read again from the offsets that the restored ledger knows, and everything is exact, alerts included.
2. The same without any backup: an empty database, and the topic from its beginning.
3. The broker is lost: the ledger stays as it is, and goes on with a new one.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import text

from rice_stream.alerting.budgets import set_budgets
from rice_stream.budgets.parsing import parse_budget
from rice_stream.proof.verification import verify
from rice_stream.sandbox.stack.accounts import unprivileged_account
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer, wheel_install
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.support.docs_reading import blocks, section, text_of
from tests.support.fakes import OPERATOR
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deployment
from tests.support.worker_load import Load
from tests.support.worker_truth import (
    EventMaker,
    Sender,
    Truth,
    assert_exact,
    assert_records,
    assert_totals,
    measures_of,
)

DATABASE = "rice"
TOPIC = "llm-requests"
PARTITIONS = 4
PARTS = (300, 900, 1500)
"""Prompts that are recorded at the base backup, at the moment to restore to, and at the accident."""
DEADLINE_S = 120.0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the events")
    seed = parser.parse_args().seed
    folder = temporary_directory("rice-recovery-")
    try:
        with KafkaServer(folder / "kafka", config={"group.min.session.timeout.ms": "1000"}) as kafka:
            kafka.create_topic(TOPIC, PARTITIONS)
            kafka.create_topic("alerts", 1)
            truth = _restored_to_a_moment(kafka, folder, seed)
            kafka.kill()
        _broker_lost(folder, truth, seed)
    finally:
        GUARD.delete_directory(folder)
    return 0


def _restored_to_a_moment(kafka: KafkaServer, folder: Path, seed: int) -> Truth:
    archive, backup = _owned(folder / "archive"), folder / "backup"
    settings = {
        "archive_mode": "on",
        "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f",
        "wal_level": "replica",
    }
    with PostgresServer(folder / "first", settings=settings) as postgres:
        deployment = _deployment(kafka, _migrated(postgres.create_database(DATABASE)), folder / "before")
        _with_budgets(deployment)
        sender = Sender(deployment, partitions=PARTITIONS)
        worker = deployment.start_worker()
        with Load(sender, seed=seed) as load:
            _until_recorded(deployment, PARTS[0])
            _base_backup(postgres, backup)
            _until_recorded(deployment, PARTS[1])
            moment = str(deployment.value("SELECT now()"))
            _until_recorded(deployment, PARTS[2])
            load.finish()
        worker.until(lambda: deployment.recorded() == len(sender.truth.events), "everything to be recorded")
        worker.until(lambda: not deployment.value("SELECT COUNT(*) FROM alert WHERE delivered_at_us IS NULL"), "alerts")
        assert worker.stop() == 0, worker.log
        told = {message["id"] for _, message in deployment.alerts_on_topic()}
        assert told
        _accident(deployment)
        deployment.close()
        postgres.kill()
    shutil.rmtree(folder / "first" / "cluster")
    print(f"recovery: lost at {len(sender.truth.events)} prompts, back to {moment}", flush=True)

    cluster = folder / "second" / "cluster"
    cluster.parent.mkdir()
    backup.rename(cluster)
    (cluster / "recovery.signal").touch()
    _give(cluster)
    restoring = {
        "restore_command": f"cp {archive}/%f %p",
        "recovery_target_time": moment,
        "recovery_target_action": "promote",
    }
    with PostgresServer(folder / "second", settings=restoring) as postgres:
        deployment = _deployment(kafka, postgres.url(DATABASE), folder / "after")
        wait_until(lambda: not deployment.value("SELECT pg_is_in_recovery()"), DEADLINE_S, "the end of recovery")
        at_moment = deployment.recorded()
        assert PARTS[1] <= at_moment < len(sender.truth.events), at_moment
        assert verify(deployment.engine)["ok"]
        print(f"recovery: restored with {at_moment} prompts, exact", flush=True)
        _read_again(deployment, from_stored=True)
        deployment.finish(idle_s=3)
        assert_exact(deployment, sender.truth)
        assert deployment.json("verify", "--against-topic")["ok"]
        assert {row[0] for row in deployment.rows("SELECT id FROM alert")} == told
        assert {message["id"] for _, message in deployment.alerts_on_topic()} == told
        deployment.close()
        print("recovery: read again from the stored offsets, exact to the last unit, the same alerts", flush=True)

        empty = _deployment(kafka, _migrated(postgres.create_database("anew")), folder / "anew")
        _read_again(empty, from_stored=False)
        empty.finish(idle_s=3)
        assert_exact(empty, sender.truth)
        empty.close()
        print("recovery: an empty database and the topic from its beginning, exact", flush=True)
        postgres.stop()
    return sender.truth


def _broker_lost(folder: Path, truth: Truth, seed: int) -> None:
    """Topics of the same names on a new broker, from offset 0 on: nothing old is touched, everything new is counted."""
    with (
        KafkaServer(folder / "new-kafka", config={"group.min.session.timeout.ms": "1000"}) as kafka,
        PostgresServer(folder / "second") as postgres,
    ):
        kafka.create_topic(TOPIC, PARTITIONS)
        kafka.create_topic("alerts", 1)
        deployment = _deployment(kafka, postgres.url(DATABASE), folder / "new-broker")
        sender, make = Sender(deployment, partitions=PARTITIONS), EventMaker(seed, prefix="after")
        for _ in range(PARTS[0]):
            sender.send_event(make())
        sender.confirm()
        deployment.finish(idle_s=3)
        for event in truth.events.values():
            sender.truth.add(event)
        measures = measures_of(sender.truth.events.values(), deployment.folder / "truth")
        assert_records(deployment, sender.truth, measures)
        assert_totals(deployment, sender.truth, measures)
        assert verify(deployment.engine)["ok"]
        deployment.close()
        kafka.kill()
    print("recovery: a new broker, nothing old touched, everything new counted, exact", flush=True)


def _deployment(kafka: KafkaServer, url: str, folder: Path) -> Deployment:
    folder.mkdir()
    return Deployment(
        bootstrap_servers=kafka.bootstrap_servers,
        topics=(TOPIC,),
        alerts_topic="alerts",
        database_url=url,
        folder=folder,
    )


def _migrated(url: str) -> str:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    return url


def _with_budgets(deployment: Deployment) -> None:
    """A year's, whose thresholds are crossed one after the other: none is taken back."""
    fields = {"limit_gco2e": 50, "period": "year", "thresholds": [0.001, 0.01, 0.1, 1]}
    budgets = [parse_budget({"name": f"b-{n}", "tenant_id": f"tenant-{n}", **fields}) for n in range(6)]
    set_budgets(deployment.engine, budgets, time.time_ns() // 1000, OPERATOR)


def _until_recorded(deployment: Deployment, prompts: int) -> None:
    wait_until(lambda: deployment.recorded() >= prompts, DEADLINE_S, f"{prompts} prompts to be recorded")


def _base_backup(postgres: PostgresServer, folder: Path) -> None:
    program = wheel_install() / "bin" / "pg_basebackup"
    subprocess.run(
        [program, "--pgdata", folder, "--dbname", postgres.conninfo(), "--checkpoint=fast", "--wal-method=none"],
        check=True,
    )


def _accident(deployment: Deployment) -> None:
    """Somebody drops what everything is made from; what was written until then is in the archive."""
    with deployment.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP TABLE prompt_record CASCADE"))
        segment = connection.execute(text("SELECT pg_walfile_name(pg_switch_wal())")).scalar_one()
    asked = "SELECT COALESCE(last_archived_wal, '') >= :segment FROM pg_stat_archiver"
    wait_until(lambda: deployment.value(asked, segment=segment), DEADLINE_S, "the WAL to be archived")


def _read_again(deployment: Deployment, *, from_stored: bool) -> None:
    """Put the group where the ledger ends, by the very statement of operations.md, or at the beginning."""
    [statement] = blocks(section(text_of("docs/operations.md"), "### Restoring to a moment"), "sql")
    lines = [str(row[0]).split(",") for row in deployment.rows(statement)] if from_stored else []
    known = {int(partition): int(offset) for topic, partition, offset in lines if topic == deployment.topic}
    places = [TopicPartition(deployment.topic, number, known.get(number, 0)) for number in range(PARTITIONS)]
    admin = AdminClient({"bootstrap.servers": deployment.bootstrap_servers, "log_level": 0})
    asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(deployment.group, places)])
    asked[deployment.group].result(30)


def _owned(folder: Path) -> Path:
    """A folder of the account that PostgreSQL runs under."""
    folder.mkdir(mode=0o700)
    _give(folder)
    return folder


def _give(folder: Path) -> None:
    account = unprivileged_account(folder)
    if account is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, account.uid, account.gid)


if __name__ == "__main__":
    sys.exit(main())
