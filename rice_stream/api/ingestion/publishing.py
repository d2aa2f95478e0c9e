"""Puts events on Kafka and waits for the broker's acknowledgement: what is answered with 2xx is on all in-sync replicas."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.events.trust import MARK
from rice_stream.kafka.producer import EventProducer, NotTakenError
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.settings import Settings

log = logging.getLogger(__name__)

QUEUE_EVENTS_MAX = 100_000
"""Events that may wait for the broker; past that senders are told to come back."""
_POLL_S = 0.05
_LINGER_MS = 5


class Outgoing(NamedTuple):
    """One Kafka record: canonical JSON, keyed by tenant as `replay` does; without a key it goes to any partition."""

    key: str | None
    value: bytes


class BrokerBehindError(ServiceUnavailableError):
    """More events wait for the broker than may: come back later."""


class _Publication:
    """The events of one request: its future is done when the broker has answered for all of them."""

    def __init__(self, count: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = count
        self._problem: str | None = None
        self.done: asyncio.Future[str | None] = self._loop.create_future()

    def on_delivery(self, problem: str | None) -> None:
        """Called in the producer's thread."""
        self._problem = self._problem or problem
        self._left -= 1
        if self._left == 0:
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(self._problem)


class Publisher:
    """One producer, and a thread that serves its callbacks. Every record is marked as having come over HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.http_topic or settings.events_topics[0]
        self._timeout_s = settings.http_delivery_timeout_s
        self._address = settings.kafka_bootstrap_servers
        options = {
            "linger.ms": _LINGER_MS,
            "queue.buffering.max.messages": QUEUE_EVENTS_MAX,
            "message.timeout.ms": max(round(self._timeout_s * 1000), _LINGER_MS + 1),
        }
        self._producer = EventProducer(kafka_config(settings), options, logger=log)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="rice-publisher", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL_S)

    async def publish(self, events: Sequence[Outgoing]) -> None:
        """Returns when the broker has confirmed every event.

        Raises BrokerBehindError: the queue is full; ServiceUnavailableError: not all were confirmed in time. Some may
        have arrived in either case; sent again, they count once.
        """
        if not events:
            return
        if len(self._producer) + len(events) > QUEUE_EVENTS_MAX:
            raise BrokerBehindError(f"{len(self._producer):,} events wait for the broker already")
        publication = _Publication(len(events))
        try:
            for event in events:
                self._producer.send(self.topic, event.value, event.key, publication.on_delivery, MARK)
        except BufferError as error:
            raise BrokerBehindError("the queue to the broker is full") from error
        except NotTakenError as error:
            raise ServiceUnavailableError(f"Kafka did not take the events: {error}") from error
        try:
            async with asyncio.timeout(self._timeout_s + 1):
                problem = await publication.done
        except TimeoutError:
            problem = f"no answer within {self._timeout_s:g} s"
        if problem is not None:
            raise ServiceUnavailableError(f"Kafka at {self._address} did not confirm the events: {problem}")

    def check(self, timeout_s: float) -> None:
        """ServiceUnavailableError: no broker answers; UsageError: the topic does not exist. Blocks up to `timeout_s`."""
        problem = self._producer.topic_problem(self.topic, timeout_s)
        if problem is not None:
            raise UsageError(f"RICE_HTTP_TOPIC: topic {self.topic!r}: {problem}; create it or name another")

    def close(self) -> None:
        """Wait for what is under way, then stop."""
        self._producer.flush(self._timeout_s)
        self._stop.set()
        self._thread.join()
