"""Sends events to a Kafka topic and returns only when the broker has confirmed every one of them."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as StopSignal
from typing import Any

import msgspec

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.kafka.config import KafkaConfig
from rice_stream.kafka.producer import EventProducer, NotTakenError
from rice_stream.sandbox.traffic.pacing import Event, Rate, as_rate, schedule
from rice_stream.sandbox.traffic.traces import TraceEvent, counted_tokens

logger = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 0.2

BACKPRESSURE_POLL_S = 0.02
"""How long one wait for room in the producer's queue lasts before the next try."""

PACING_STEP_S = 0.002
"""Events that are due within this time leave together: pacing finer than this would only keep a core busy."""

NEW_TOPIC_GRACE_S = 3.0
"""A broker that creates topics on demand needs a moment before it knows the new one."""

LINGER_MS = 10
"""How long an event waits for company before it leaves, at a chosen rate."""

LINGER_MS_AT_MAX = 100
"""The same at full speed, where nobody waits for a single event: larger batches cost the broker a third of the work."""

_PRODUCER_OPTIONS: dict[str, Any] = {
    "queue.buffering.max.messages": 100_000,
    # A confirmed event leaves the queue without calling back into Python: three times the throughput. An empty queue
    # without a failure report therefore means that all were confirmed.
    "delivery.report.only.error": True,
}


@dataclass(frozen=True, slots=True)
class SendReport:
    """What the broker confirmed. Token sums leave out counts that are null or not a number."""

    events: int
    input_tokens: int
    output_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events are sent. `producer_options` holds further options of the client by their librdkafka names."""

    kafka: KafkaConfig
    topic: str
    producer_options: Mapping[str, Any] = field(default_factory=dict)
    connect_timeout_s: float = 10.0
    delivery_timeout_s: float = 60.0


def send(
    events: Iterable[Event],
    destination: Destination,
    *,
    rate: Rate = "max",
    origin: datetime | None = None,
    on_progress: Callable[[int], None] | None = None,
    stop: StopSignal | None = None,
) -> SendReport:
    """Send `events` in order, keyed by `tenant_id`, and wait for the broker's confirmation.

    `rate` and `origin` as in `pacing.schedule`. `on_progress` gets the number of events confirmed so far, a few times a
    second and once at the end. When `stop` is set, nothing more is sent, what was sent is confirmed, and the report
    says how much that was.

    Raises ServiceUnavailableError naming the address if no broker answers within `connect_timeout_s` or an event is not
    confirmed within `delivery_timeout_s`; UsageError if the topic does not exist, a setting is wrong or an event is
    larger than the client may send.
    """
    rate = as_rate(rate)
    sender = _Sender(destination, LINGER_MS_AT_MAX if rate == "max" else LINGER_MS, on_progress, stop or StopSignal())
    sender.connect()
    started_s = time.monotonic()
    try:
        sender.produce_all(schedule(events, rate, origin=origin), started_s)
        sender.confirm_all()
    finally:
        sender.abandon()
    return SendReport(sender.produced, sender.input_tokens, sender.output_tokens, time.monotonic() - started_s)


class _Reports:
    """What the client called back with. Apart from the sender, so that a producer goes as soon as its sender does."""

    def __init__(self) -> None:
        self.failures = 0
        self.failure: str | None = None
        self.connection = "no answer"

    def on_delivery(self, error: Any, _message: object) -> None:
        if error is not None:
            self.failures += 1
            self.failure = self.failure or error.str()

    def on_error(self, error: Any) -> None:
        self.connection = error.str()


class _Sender:
    """One producer, what was handed to it, and the first failure it reported."""

    def __init__(
        self, destination: Destination, linger_ms: int, on_progress: Callable[[int], None] | None, stop: StopSignal
    ) -> None:
        self.address = destination.kafka.bootstrap_servers
        self.topic = destination.topic
        self.produced = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self._on_progress = on_progress
        self._stop = stop
        self._reports = _Reports()
        self._connect_timeout_s = destination.connect_timeout_s
        self._delivery_timeout_s = destination.delivery_timeout_s
        self._progress_s = 0.0
        options: dict[str, Any] = {
            **_PRODUCER_OPTIONS,
            "message.timeout.ms": round(destination.delivery_timeout_s * 1000),
            "linger.ms": linger_ms,
            **destination.producer_options,
            "on_delivery": self._reports.on_delivery,
            "error_cb": self._reports.on_error,
        }
        self._producer = EventProducer(destination.kafka, options, logger=logger)

    def connect(self) -> None:
        """Ask a broker for the topic. Raises as `send`."""
        timeout_s = self._connect_timeout_s
        give_up_s = time.monotonic() + min(timeout_s, NEW_TOPIC_GRACE_S)
        while True:
            try:
                problem = self._producer.topic_problem(self.topic, timeout_s)
            except ServiceUnavailableError as error:
                self._producer.poll(0)
                raise ServiceUnavailableError(
                    f"Kafka at {self.address} did not answer within {timeout_s:g} s ({self._reports.connection}); "
                    "is the address right and the broker up?"
                ) from error
            if problem is None:
                return
            if time.monotonic() >= give_up_s:
                raise UsageError(f"topic {self.topic!r} on {self.address}: {problem}; create it, or name another topic")
            self._producer.poll(PROGRESS_INTERVAL_S)

    def produce_all(self, scheduled: Iterator[tuple[float, Event]], started_s: float) -> None:
        """Hand every event to the producer when it is due."""
        encode = msgspec.json.Encoder().encode
        for due_s, event in scheduled:
            if self._stop.is_set() or (due_s and not self._wait_until(started_s + due_s)):
                return
            if isinstance(event, TraceEvent):
                fields, value = event.fields, event.value
            else:
                fields, value = event, encode(event)
            self._produce(value, fields.get("tenant_id"))
            self.input_tokens += counted_tokens(fields.get("input_tokens"))
            self.output_tokens += counted_tokens(fields.get("output_tokens"))
            self.produced += 1
            if self.produced % 1000 == 0:
                self._serve(0.0)

    def confirm_all(self) -> None:
        """Wait until the broker has confirmed everything; the client gives up on an event after its own timeout."""
        while len(self._producer):
            self._producer.flush(PROGRESS_INTERVAL_S)
            self._serve(0.0)
        if self._on_progress is not None:
            self._on_progress(self.produced)

    def abandon(self) -> None:
        """Drop what is still queued: nothing after a confirmed end; after an error, what nobody will wait for."""
        if len(self._producer):
            self._producer.purge()
            self._producer.flush(1.0)

    def _produce(self, value: bytes, tenant_id: object) -> None:
        key = tenant_id if isinstance(tenant_id, str) and tenant_id else None
        while True:
            try:
                self._producer.send(self.topic, value, key)
            except BufferError:
                self._serve(BACKPRESSURE_POLL_S)
            except NotTakenError as error:
                raise UsageError(f"event {self.produced + 1} ({len(value)} bytes): {error}") from error
            else:
                return

    def _wait_until(self, due_monotonic_s: float) -> bool:
        """Serve the client until the time has come; False if `stop` was set meanwhile."""
        while (wait_s := due_monotonic_s - time.monotonic()) > 0:
            self._serve(max(PACING_STEP_S, min(wait_s, PROGRESS_INTERVAL_S / 4)))
            if self._stop.is_set():
                return False
        return True

    def _serve(self, timeout_s: float) -> None:
        """Let the client report, and pass on what it says."""
        self._producer.poll(timeout_s)
        if self._reports.failure is not None:
            raise ServiceUnavailableError(
                f"Kafka at {self.address}, topic {self.topic!r}: {self._reports.failures} of {self.produced} events "
                f"not confirmed within {self._delivery_timeout_s:g} s ({self._reports.failure}); "
                "once the broker answers, send again: events that did arrive count once"
            )
        if self._on_progress is not None and (now_s := time.monotonic()) - self._progress_s >= PROGRESS_INTERVAL_S:
            self._progress_s = now_s
            self._on_progress(max(0, self.produced - len(self._producer)))
