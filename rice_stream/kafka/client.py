"""Talking to Kafka beside the worker's own consumer: lag, topics, connection errors in words."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.records import RawRecord
from rice_stream.runtime.settings import Settings

TIMEOUT_S = 10.0


class LagProbe:
    """How far a group is behind, asked of the broker: it does not depend on the worker's own consumer being alive."""

    def __init__(self, settings: Settings) -> None:
        self._topics = settings.events_topics
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": settings.kafka_group_id,
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )

    def lag(self, timeout_s: float = TIMEOUT_S) -> dict[tuple[str, int], int]:
        """(topic, partition) -> records between the committed offset and the end. ServiceUnavailableError: no answer."""
        try:
            partitions = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in _partitions(self._consumer, topic, timeout_s)
            ]
            committed = self._consumer.committed(partitions, timeout=timeout_s)
            lags = {}
            for partition in committed:
                low, high = self._consumer.get_watermark_offsets(partition, timeout=timeout_s)
                lags[partition.topic, partition.partition] = max(high - max(partition.offset, low), 0)
        except KafkaException as error:
            raise ServiceUnavailableError(f"Kafka did not tell the lag: {error.args[0].str()}") from error
        return lags

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()


def raw_record(message: Any) -> RawRecord:
    """A message of librdkafka's client as the decoders take it; the same as the worker's own client makes of it."""
    kind, timestamp_ms = message.timestamp()
    return RawRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.value(),
        tuple(message.headers() or ()),
        timestamp_ms * 1000 if kind != TIMESTAMP_NOT_AVAILABLE and timestamp_ms > 0 else None,
        message.key(),
    )


def _partitions(client: Any, topic: str, timeout_s: float) -> Sequence[int]:
    metadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return sorted(metadata.partitions)


def describe_topics(settings: Settings, timeout_s: float = TIMEOUT_S) -> dict[str, int | None]:
    """Partitions of every topic in the settings, None for one that does not exist. ServiceUnavailableError: no broker."""
    client = AdminClient({**settings.kafka_client_config(), "log_level": 2})
    wanted = (*settings.events_topics, settings.alerts_topic)
    try:
        known = client.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"no Kafka broker answers at {settings.kafka_bootstrap_servers} ({error.args[0].str()}); check"
            " RICE_KAFKA_BOOTSTRAP_SERVERS and the RICE_KAFKA_* security settings"
        ) from error
    return {topic: len(known[topic].partitions) if topic in known else None for topic in wanted}
