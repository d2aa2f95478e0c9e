"""Reads single records from Kafka, by topic, partition and offset."""

import re
import time
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from rice_stream.events.records import RawRecord
from rice_stream.kafka.client import TIMEOUT_S, open_consumer, raw_record, reason
from rice_stream.kafka.config import KafkaConfig

_READ_ON_MAX = 2_000
"""Offsets that are read over rather than jumped over: a jump costs a round trip and throws away what was fetched."""

_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]+")
"""What Kafka allows; the name that `ingest` gives a file is none of these."""

Place = tuple[str, int]


class KafkaFetch:
    """Fetches records; asking in the order of the log is fast. It connects when it is first asked for a topic that
    Kafka could have (UsageError then: a setting is missing or wrong). When the broker does not answer, `problem` says so
    and every record is None. Close it in the end."""

    def __init__(self, config: KafkaConfig, group_id: str) -> None:
        self.problem: str | None = None
        self._config = config
        self._group_id = group_id
        self._position: tuple[Place, int] | None = None
        self._latest: RawRecord | None = None
        self._bounds: dict[Place, tuple[int, int]] = {}
        self._partitions: set[Place] = set()
        self._client: Any = None

    def __call__(self, topic: str, partition: int, offset: int) -> RawRecord | None:
        """The record at this place, None where Kafka has none (any more)."""
        if self.problem is not None or not _TOPIC_NAME.fullmatch(topic):
            return None
        try:
            if self._client is None:
                self._connect()
            if (topic, partition) not in self._partitions:
                return None
            if self._latest is None or self._latest[:3] != (topic, partition, offset):
                self._latest = self._fetch((topic, partition), offset)
        except KafkaException as error:
            self.problem = reason(error)
            return None
        return self._latest

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()

    def _connect(self) -> None:
        self._client = open_consumer(self._config, self._group_id, {"auto.offset.reset": "error"})
        topics = self._client.list_topics(timeout=TIMEOUT_S).topics
        self._partitions = {(name, partition) for name, topic in topics.items() for partition in topic.partitions}

    def _fetch(self, place: Place, offset: int) -> RawRecord | None:
        if place not in self._bounds:
            self._bounds[place] = self._client.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)
        low, high = self._bounds[place]
        if not low <= offset < high:
            return None
        if self._position is None or self._position[0] != place or not 0 <= offset - self._position[1] <= _READ_ON_MAX:
            self._client.assign([TopicPartition(*place, offset)])
            self._position = place, offset
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            message = self._client.poll(0.5)
            if message is None or message.error() is not None:
                continue
            record = raw_record(message)
            self._position = place, record.offset + 1
            if record.offset >= offset:
                return record if record.offset == offset else None
        return None
