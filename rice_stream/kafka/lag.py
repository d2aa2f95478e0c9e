"""How far a consumer group is behind."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from rice_stream.errors import ServiceUnavailableError
from rice_stream.kafka.client import TIMEOUT_S, open_consumer, partitions_of, reason
from rice_stream.kafka.config import KafkaConfig

_UNSETTLED = {KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR}
"""What brokers say of a group until they have agreed on who keeps its offsets: in the seconds after they started, say."""
_PAUSE_S = 0.2


class LagProbe:
    """How far a group is behind, asked of the broker: it does not depend on the worker's own consumer being alive."""

    def __init__(self, config: KafkaConfig, group_id: str, topics: Sequence[str]) -> None:
        self._topics = topics
        # The end is the last stable offset: nobody can read behind a transaction that hangs, so that is no lag.
        self._consumer = open_consumer(config, group_id, {"isolation.level": "read_committed"})

    def lag(self, timeout_s: float = TIMEOUT_S) -> dict[tuple[str, int], int]:
        """(topic, partition) -> records between the committed offset and the end. ServiceUnavailableError: no answer."""
        try:
            partitions = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in partitions_of(self._consumer, topic, timeout_s)
            ]
            committed = _committed(self._consumer, partitions, timeout_s)
            lags = {}
            for partition in committed:
                low, high = self._consumer.get_watermark_offsets(partition, timeout=timeout_s)
                lags[partition.topic, partition.partition] = max(high - max(partition.offset, low), 0)
        except KafkaException as error:
            raise ServiceUnavailableError(f"Kafka did not tell the lag: {reason(error)}") from error
        return lags

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()


def _committed(consumer: Consumer, partitions: list[TopicPartition], timeout_s: float) -> list[TopicPartition]:
    """The group's offsets, asked for again while brokers have not settled who keeps them. KafkaException: no answer in time."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        left_s = max(deadline_s - time.monotonic(), _PAUSE_S)
        try:
            found: list[TopicPartition] = consumer.committed(partitions, timeout=left_s)
        except KafkaException as error:
            if error.args[0].code() not in _UNSETTLED or time.monotonic() + _PAUSE_S >= deadline_s:
                raise
            time.sleep(_PAUSE_S)
        else:
            return found
