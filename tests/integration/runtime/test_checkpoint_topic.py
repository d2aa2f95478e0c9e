"""Checkpoints on a topic of a real broker, in their order."""

from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from rice_stream.errors import ServiceUnavailableError
from rice_stream.runtime.checkpoint_places import TopicPlace
from rice_stream.runtime.settings.settings import Settings
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.store.engine import open_engine
from tests.support.audited import ORIGIN, signed
from tests.support.databases import SqliteDatabases
from tests.support.services import TopicFactory
from tests.support.waiting import wait_until


@pytest.mark.services
def test_a_topic_has_the_notes_under_the_origin(
    sqlite: SqliteDatabases, kafka: KafkaServer, topic_factory: TopicFactory
) -> None:
    """Each is there when publishing returns; what the broker does not take is said."""
    engine, topic = open_engine(sqlite.migrated()), topic_factory(partitions=1)
    settings = Settings.model_validate({"kafka_bootstrap_servers": kafka.bootstrap_servers})
    made = [signed(engine, 1), signed(engine, 1)]
    for each in made:
        TopicPlace(settings, topic).publish(engine, each)
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Any] = []

    def both_read() -> bool:
        found.extend(consumer.consume(10, timeout=0.5))
        return len(found) >= len(made)

    wait_until(both_read, 30, "two checkpoints to be read")
    consumer.close()
    assert [(each.key().decode(), each.value().decode()) for each in found] == [(ORIGIN, each.note) for each in made]
    with pytest.raises(ServiceUnavailableError, match="RICE_CHECKPOINT_TOPIC: no/such: "):
        TopicPlace(settings, "no/such").publish(engine, made[0])
