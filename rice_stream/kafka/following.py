"""Following a topic from its beginning, as a subscriber does; joins no group and commits nothing."""

from collections.abc import Callable, Iterator

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from rice_stream.errors import ServiceUnavailableError
from rice_stream.kafka.client import open_consumer, partitions_of, reason
from rice_stream.kafka.config import KafkaConfig

_POLL_S = 0.2
_TIMEOUT_S = 30.0


def follow(config: KafkaConfig, topic: str, name: str, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """The values of all partitions until `is_over`; `name` is the group that the broker's access rules see.

    ServiceUnavailableError: Kafka gave an error instead of a record.
    """
    # Whoever follows says what is wrong with Kafka; the client need not say it across a screen.
    consumer = open_consumer(config, name, {"log_level": 0})
    try:
        numbers = partitions_of(consumer, topic, _TIMEOUT_S)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        while not is_over():
            for message in consumer.consume(100, timeout=_POLL_S):
                if message.error() is not None:
                    raise KafkaException(message.error())
                yield message.value() or b""
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"Kafka at {config.bootstrap_servers}, topic {topic!r}: {reason(error)}"
        ) from error
    finally:
        consumer.close()
