"""Offsets that are no events: markers and leftovers of transactions, compacted logs, topics that were made anew."""

import time
from typing import Any

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from rice_stream.sandbox.stack.kafka import KafkaServer
from tests.support.databases import Databases
from tests.support.waiting import wait_until
from tests.support.worker_harness import Deploy, Deployment
from tests.support.worker_truth import (
    EventMaker,
    Sender,
    Truth,
    assert_quarantine,
    assert_records,
    assert_totals,
    encoded,
    measures_of,
)


def assert_stored(deployment: Deployment, truth: Truth) -> None:
    """Records, totals and quarantine are the truth; what the offsets must be is for the test to say."""
    measures = measures_of(truth.events.values(), deployment.folder / "truth")
    assert_records(deployment, truth, measures)
    assert_totals(deployment, truth, measures)
    assert_quarantine(deployment, truth)


def transactional_producer(deployment: Deployment, name: str) -> Producer:
    """A producer whose records count only once it has committed."""
    config: dict[str, Any] = {
        "bootstrap.servers": deployment.bootstrap_servers,
        "transactional.id": f"{name}-{deployment.topic}",
        "log_level": 0,
    }
    producer = Producer(config)
    producer.init_transactions(30)
    return producer


def test_transactions_count_when_committed_and_their_markers_are_no_lag(deployment: Deployment) -> None:
    """Committed and aborted transactions of two producers, interleaved; the last offsets of every partition hold an
    aborted transaction and its marker. Aborted events count nowhere, and the group's offsets reach the very end."""
    truth, make = Truth(), EventMaker(31)
    committing, aborting = (transactional_producer(deployment, name) for name in ("committing", "aborting"))
    for _ in range(6):
        committing.begin_transaction()
        aborting.begin_transaction()
        for number in range(200):
            partition = number % 4
            truth.add(event := make())
            committing.produce(deployment.topic, encoded(event), partition=partition)
            aborting.produce(deployment.topic, encoded(make(tenant_id="never")), partition=partition)
            if number % 50 == 49:
                committing.flush()
                aborting.flush()
        committing.commit_transaction(30)
        aborting.abort_transaction(30)
    deployment.finish()
    assert_stored(deployment, truth)
    assert deployment.committed_offsets() == deployment.ends()
    assert deployment.recorded() == len(truth.events)


def last_offset(deployment: Deployment, partition: int) -> int | None:
    """The last offset of the partition that the store knows."""
    rows = deployment.rows('SELECT last_offset FROM kafka_progress WHERE "partition" = :partition', partition=partition)
    return rows[0][0] if rows else None


def test_nothing_of_an_open_transaction_is_read_before_it_commits(deployment: Deployment) -> None:
    """A worker that has caught up waits at an open transaction, and takes its events once it is committed."""
    truth, make = Truth(), EventMaker(32)
    producer = transactional_producer(deployment, "open")
    worker = deployment.start_worker()
    for round_number in range(2):
        producer.begin_transaction()
        for number in range(40):
            truth.add(event := make())
            producer.produce(deployment.topic, encoded(event), partition=number % 3)
        producer.flush()
        # Nothing is open in partition 3: when its event is stored, the worker has looked at the other ones too.
        sender = Sender(deployment)
        sender.send_event(event := make(), partition=3)
        truth.add(event)
        sender.confirm()
        worker.until(lambda: last_offset(deployment, 3) == round_number, "the event outside of the transaction")  # noqa: B023
        assert deployment.recorded() == len(truth.events) - 40
        producer.commit_transaction(30)
        worker.until(lambda: deployment.recorded() == len(truth.events), "the committed transaction")
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "offsets at the ends")
    assert worker.stop() == 0
    assert_stored(deployment, truth)


def test_a_compacted_topic_with_real_gaps_is_read_to_its_end(
    deploy: Deploy, kafka: KafkaServer, either_database: Databases
) -> None:
    """The log cleaner has removed records in the middle of chunks: what is left is counted, the gaps are no loss."""
    deployment = deploy(either_database, partitions=2)
    clean_quickly(kafka, deployment.topic)
    make = EventMaker(33)
    producer = Producer({"bootstrap.servers": deployment.bootstrap_servers, "log_level": 0})
    latest: dict[tuple[int, str], str] = {}

    def produce(partition: int, key: str) -> None:
        event = make()
        producer.produce(deployment.topic, encoded(event), key=key, partition=partition)
        latest[partition, key] = event["event_id"]

    for number in range(3000):
        # Of the records with the key "again", which lie between the others, only the last will be left.
        produce(number % 2, str(number) if number // 2 % 3 == 0 else "again")
        if number % 100 == 0:
            producer.flush()
    producer.flush()
    assert deployment.ends() == {(deployment.topic, 0): 1500, (deployment.topic, 1): 1500}
    sizes: list[int] = []

    def compacted() -> bool:
        # Only whole older segments are cleaned: a record now and then closes the present one.
        for partition in range(2):
            produce(partition, "late")
        producer.flush()
        sizes.append(kafka_log_bytes(kafka, deployment.topic))
        return sizes[-1] < 0.5 * max(sizes)

    wait_until(compacted, 60, "the log cleaner to remove records")
    deployment.finish()
    gaps = deployment.value("SELECT SUM(gaps) FROM kafka_progress")
    stored = {row[0] for row in deployment.rows("SELECT event_id FROM prompt_emission")}
    assert set(latest.values()) <= stored
    ends = deployment.ends()
    assert deployment.committed_offsets() == ends
    assert gaps > 500
    assert len(stored) + gaps == sum(ends.values())


def clean_quickly(kafka: KafkaServer, topic: str) -> None:
    """Let the broker compact this topic at once, instead of after days."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    topic_config = {
        "cleanup.policy": "compact",
        "segment.ms": "50",
        "min.cleanable.dirty.ratio": "0.001",
        "min.compaction.lag.ms": "0",
        "max.compaction.lag.ms": "100",
    }
    entries = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in topic_config.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(30)


def kafka_log_bytes(kafka: KafkaServer, topic: str) -> int:
    """Size of the topic's logs on the broker's disk."""
    sizes = 0
    for file in kafka.data_dir.glob(f"**/{topic}-*/*.log"):
        try:
            sizes += file.stat().st_size
        except FileNotFoundError:  # the cleaner was quicker
            continue
    return sizes


def test_a_topic_deleted_and_made_anew_under_a_worker_is_read_from_its_start(
    deployment: Deployment, kafka: KafkaServer
) -> None:
    """Offsets begin at 0 again: the new events are counted beside the old ones, poison records too, none twice."""
    sender, make = Sender(deployment), EventMaker(34)
    worker = deployment.start_worker()
    for _ in range(800):
        sender.send_event(make())
    for partition in range(4):
        sender.send(b"poison of the old topic", partition=partition, refused_items=[0])
    sender.confirm()
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "the first topic's end")
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    admin.delete_topics([deployment.topic], operation_timeout=30)[deployment.topic].result(30)
    wait_until(lambda: deployment.topic not in kafka.topics(), 30, "the topic to be gone")
    kafka.create_topic(deployment.topic, 4)
    again = Sender(deployment)
    again.truth.events.update(sender.truth.events)
    again.truth.refused |= sender.truth.refused
    for number in range(100):
        again.send_event(make(), partition=number % 4)
    for partition in range(4):
        again.send(b"poison of the new topic", partition=partition, refused_items=[0])
    again.confirm()
    started_s = time.monotonic()
    worker.until(lambda: deployment.recorded() == 900, "the new topic's events")
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "the new topic's end")
    print(f"found the new topic's events after {time.monotonic() - started_s:.1f} s")
    assert worker.stop() == 0, worker.log
    assert_stored(deployment, again.truth)


def test_a_topic_made_again_that_is_soon_longer_than_before_loses_nothing(
    deployment: Deployment, kafka: KafkaServer
) -> None:
    """The worker's position lies within the new log, so no offset goes back: the topic's id tells. What lies before the
    position is read, and the group is put to the start, so that the next worker reads on from there."""
    sender, make = Sender(deployment), EventMaker(35)
    worker = deployment.start_worker(kafka_session_timeout_s=30)
    for number in range(20):
        sender.send_event(make(), partition=number % 4)
    sender.confirm()
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "the first topic's end")
    # The lag is asked for once a second, and with it the topic's id.
    lag = f"rice_consumer_lag{{partition=0,topic={deployment.topic}}}"
    worker.until(lambda: lag in worker.metrics(), "the topic's id to be known")
    psutil.Process(worker.pid).suspend()  # it sees neither the topic gone nor the new one short
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    admin.delete_topics([deployment.topic], operation_timeout=30)[deployment.topic].result(30)
    wait_until(lambda: deployment.topic not in kafka.topics(), 30, "the topic to be gone")
    kafka.create_topic(deployment.topic, 4)
    again = Sender(deployment)
    again.truth.events.update(sender.truth.events)
    for number in range(400):
        again.send_event(make(), partition=number % 4)
    again.confirm()
    psutil.Process(worker.pid).resume()
    worker.until(lambda: deployment.recorded() == 420, "all of the new topic's events")
    worker.until(lambda: deployment.committed_offsets() == deployment.ends(), "the new topic's end")
    assert worker.stop() == 0, worker.log
    assert_stored(deployment, again.truth)
