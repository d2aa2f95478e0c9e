"""How far a consumer group is behind."""

import time
from collections.abc import Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

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
            ends = _offsets(self._consumer, committed, OFFSET_END, timeout_s)
            behind = [each for each in committed if each.offset < ends[each.topic, each.partition]]
            starts = _offsets(self._consumer, behind, OFFSET_BEGINNING, timeout_s)
        except KafkaException as error:
            raise ServiceUnavailableError(f"Kafka did not tell the lag: {reason(error)}") from error
        lags = dict.fromkeys(ends, 0)
        for each in behind:
            place = each.topic, each.partition
            lags[place] = max(ends[place] - max(each.offset, starts[place]), 0)
        return lags

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()


def _offsets(
    consumer: Consumer, partitions: Sequence[TopicPartition], which: int, timeout_s: float
) -> dict[tuple[str, int], int]:
    """The first or last offset of each partition: one request to each broker, however many partitions there are. KafkaException: no
    answer."""
    if not partitions:
        return {}
    asked = [TopicPartition(each.topic, each.partition, which) for each in partitions]
    found = consumer.offsets_for_times(asked, timeout=timeout_s)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return {(each.topic, each.partition): each.offset for each in found}


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
