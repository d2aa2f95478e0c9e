"""Reads topics from their beginning to where they end now; commits nothing and joins no group."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.records import RawRecord
from rice_stream.kafka.client import TIMEOUT_S, open_consumer, partitions_of, raw_record, reason
from rice_stream.kafka.config import KafkaConfig

RECORDS_MAX = 5_000
"""Records read at a time, over all partitions: what is in memory is bounded by these and the client's own queue."""
_OPTIONS = {
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 16 * 1024,
}
_GATHER_S = 0.1
"""How long to wait for so many: at the end of a log, for nothing."""
_SILENCE_MAX_S = 60.0
"""How long the broker may give nothing while there is something left to read."""


class LogRange(NamedTuple):
    """What a partition's log holds: `low <= offset < high`."""

    topic: str
    partition: int
    low: int
    high: int


class Piece(NamedTuple):
    """Consecutive records of one partition."""

    range: LogRange
    records: list[RawRecord]


class TopicLog:
    """The logs of some topics, as they are when it is made."""

    def __init__(self, consumer: Any, topics: Sequence[str]) -> None:
        self._consumer = consumer
        self.ranges = [
            self._range(topic, partition) for topic in topics for partition in partitions_of(consumer, topic)
        ]

    def _range(self, topic: str, partition: int) -> LogRange:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        return LogRange(topic, partition, low, high)

    def read(self) -> Iterator[Piece]:
        """Every record of the log up to the end that it had, a few thousand at a time. ServiceUnavailableError: silence."""
        left = {(part.topic, part.partition): part for part in self.ranges if part.low < part.high}
        self._consumer.assign([TopicPartition(part.topic, part.partition, part.low) for part in left.values()])
        heard_s = time.monotonic()
        while left:
            messages = self._consumer.consume(RECORDS_MAX, timeout=_GATHER_S)
            if messages:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > _SILENCE_MAX_S:
                raise ServiceUnavailableError(f"Kafka gave no records for {_SILENCE_MAX_S:g} s; is the broker well?")
            yield from self._pieces(messages, left)

    def _pieces(self, messages: Sequence[Any], left: dict[tuple[str, int], LogRange]) -> Iterator[Piece]:
        """Sort messages by partition; take partitions whose end was reached off `left`."""
        records: dict[tuple[str, int], list[RawRecord]] = {}
        ended: set[tuple[str, int]] = set()
        for message in messages:
            place = message.topic(), message.partition()
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    ended.add(place)
                elif not error.retriable() and error.code() not in _PASSING:
                    raise ServiceUnavailableError(f"Kafka stopped giving records: {error.str()}")
                continue
            if place not in left:
                continue
            if message.offset() < left[place].high:
                records.setdefault(place, []).append(raw_record(message))
            if message.offset() >= left[place].high - 1:
                ended.add(place)
        yield from (Piece(left[place], found) for place, found in records.items())
        for place in ended & left.keys():
            del left[place]
            self._consumer.incremental_unassign([TopicPartition(*place)])


_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
"""Errors that pass: the client keeps trying."""


@contextmanager
def open_log(config: KafkaConfig, group_id: str, topics: Sequence[str]) -> Iterator[TopicLog]:
    """The logs of some topics; `group_id` is what the broker's access rules see.

    ServiceUnavailableError: the broker does not answer, or a topic does not exist. UsageError: a setting is wrong.
    """
    consumer = open_consumer(config, group_id, _OPTIONS)
    try:
        yield TopicLog(consumer, topics)
    except KafkaException as error:
        raise ServiceUnavailableError(
            f"the topics {', '.join(topics)} cannot be read at {config.bootstrap_servers}: {reason(error)}"
        ) from error
    finally:
        consumer.close()
