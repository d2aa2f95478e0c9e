"""A producer for events: what it reports as delivered is on all in-sync replicas, once and in order."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException

from rice_stream.kafka.client import no_answer, open_producer, reason
from rice_stream.kafka.config import KafkaConfig

OnDelivery = Callable[[str | None], None]
"""Called in the thread that polls: None when the broker has confirmed the record, else why it did not."""


class NotTakenError(Exception):
    """The client did not take a record: the message says why (too large, closed, ...). What it means, the sender knows."""


class EventProducer:
    """One client of librdkafka. For use from any thread; deliveries are reported to the thread that calls `poll` or `flush`.

    `len` is the number of records that are not confirmed yet, and of reports that nobody has polled for.
    """

    def __init__(self, config: KafkaConfig, options: Mapping[str, Any], *, logger: logging.Logger) -> None:
        """`options`: by librdkafka's names. UsageError: a setting is missing or wrong."""
        self._config = config
        self._client = open_producer(config, options, logger=logger)

    def __len__(self) -> int:
        return len(self._client)

    def send(
        self,
        topic: str,
        value: bytes,
        key: str | None,
        on_delivery: OnDelivery | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Queue a record. BufferError: the queue is full. NotTakenError: this record cannot be sent."""
        more: dict[str, Any] = {"headers": list(headers)} if headers else {}
        if on_delivery is not None:
            more["on_delivery"] = _told(on_delivery)
        try:
            self._client.produce(topic, value, key, **more)
        except KafkaException as error:
            raise NotTakenError(reason(error)) from error

    def poll(self, timeout_s: float) -> None:
        """Report deliveries; wait up to `timeout_s` for one."""
        self._client.poll(timeout_s)

    def flush(self, timeout_s: float) -> int:
        """Wait until every record is confirmed or has failed; returns how many are neither after `timeout_s`."""
        return int(self._client.flush(timeout_s))

    def purge(self) -> None:
        """Drop what is queued."""
        self._client.purge()

    def topic_problem(self, topic: str, timeout_s: float) -> str | None:
        """Why the topic cannot be written to, None where it can. ServiceUnavailableError: no broker answers."""
        try:
            metadata = self._client.list_topics(topic, timeout=timeout_s).topics[topic]
        except KafkaException as error:
            raise no_answer(self._config, error) from error
        if metadata.error is not None:
            return str(metadata.error.str())
        return None if metadata.partitions else "it has no partitions"


def _told(on_delivery: OnDelivery) -> Callable[[Any, object], None]:
    return lambda error, _message: on_delivery(None if error is None else error.str())
