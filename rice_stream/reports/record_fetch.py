"""One record of Kafka again, by its topic, partition and offset."""

import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from rice_stream.ingest import RawRecord
from rice_stream.kafka import TIMEOUT_S
from rice_stream.settings import Settings

_READ_ON_MAX = 2_000
"""Offsets that are read over rather than jumped over: a jump costs a round trip and throws away what was fetched."""

Place = tuple[str, int]


class KafkaFetch:
    """Fetches records; asking in the order of the log is fast. When the broker does not answer, `problem` says so and
    every record is None. Close it in the end."""

    def __init__(self, settings: Settings) -> None:
        self.problem: str | None = None
        self._position: tuple[Place, int] | None = None
        self._latest: RawRecord | None = None
        self._bounds: dict[Place, tuple[int, int]] = {}
        self._consumer = Consumer(
            {
                **settings.kafka_client_config(),
                "group.id": settings.kafka_group_id,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "log_level": 2,
            }
        )
        self._partitions = self._known_partitions()

    def __call__(self, topic: str, partition: int, offset: int) -> RawRecord | None:
        """The record at this place, None where Kafka has none (any more)."""
        if self.problem is not None or (topic, partition) not in self._partitions:
            return None
        if self._latest is not None and self._latest[:3] == (topic, partition, offset):
            return self._latest
        try:
            self._latest = self._fetch((topic, partition), offset)
        except KafkaException as error:
            self.problem = error.args[0].str()
            return None
        return self._latest

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def _known_partitions(self) -> set[Place]:
        try:
            topics = self._consumer.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            self.problem = error.args[0].str()
            return set()
        return {(name, partition) for name, topic in topics.items() for partition in topic.partitions}

    def _fetch(self, place: Place, offset: int) -> RawRecord | None:
        if place not in self._bounds:
            self._bounds[place] = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)
        low, high = self._bounds[place]
        if not low <= offset < high:
            return None
        if self._position is None or self._position[0] != place or not 0 <= offset - self._position[1] <= _READ_ON_MAX:
            self._consumer.assign([TopicPartition(*place, offset)])
            self._position = place, offset
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            message = self._consumer.poll(0.5)
            if message is None or message.error() is not None:
                continue
            record = _raw(message)
            self._position = place, record.offset + 1
            if record.offset >= offset:
                return record if record.offset == offset else None
        return None


def _raw(message: Any) -> RawRecord:
    return RawRecord(
        message.topic(), message.partition(), message.offset(), message.value(), tuple(message.headers() or ())
    )
