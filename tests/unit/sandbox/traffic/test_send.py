"""Sending, against the Kafka client's own mock broker on loopback: confirmed or an error, never silently less."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.kafka.config import KafkaConfig
from rice_stream.sandbox.traffic.pacing import Event
from rice_stream.sandbox.traffic.send import Destination, SendReport, send
from rice_stream.sandbox.traffic.traces import TraceEvent
from rice_stream.sandbox.traffic.traffic import live_traffic

QUIET = {"log_level": 0, "enable.idempotence": False}
"""Without idempotence the client saves half a second per test; tests/integration sends with it, to real Kafka."""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """The address of a mock broker with topics of four partitions, alive as long as the client that owns it."""
    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", **QUIET})
    yield ",".join(f"{node.host}:{node.port}" for node in owner.list_topics(timeout=10).brokers.values())
    del owner


def events(count: int) -> list[Event]:
    return [
        {"event_id": f"e{number}", "tenant_id": f"t{number % 5}", "input_tokens": number, "output_tokens": 2}
        for number in range(count)
    ]


def received(broker: str, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    """(key, value) of `count` records, partition after partition; fails after ten seconds."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "reader", "auto.offset.reset": "earliest", **QUIET})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(4)])
    records: list[Message] = []
    deadline_s = time.monotonic() + 10
    while len(records) < count and time.monotonic() < deadline_s:
        records += [message for message in consumer.consume(count, timeout=0.2) if message.error() is None]
    consumer.close()
    records.sort(key=lambda message: (message.partition(), message.offset()))
    return [(message.key(), message.value()) for message in records]


def to(address: str, topic: str, **changes: Any) -> Destination:
    """A topic there, by a client that logs nothing."""
    return Destination(KafkaConfig(address), topic, **{"producer_options": QUIET, **changes})


def test_what_is_reported_is_on_the_topic(broker: str) -> None:
    """Count and token sums are those of the records; each is keyed by its tenant, in order within the tenant."""
    sent = events(3000)
    report = send(sent, to(broker, "reported"))
    assert (report.events, report.input_tokens, report.output_tokens) == (3000, sum(range(3000)), 6000)
    assert report.seconds > 0
    records = received(broker, "reported", 3000)
    decoded = [msgspec.json.decode(value or b"") for _, value in records]
    assert [event["tenant_id"].encode() for event in decoded] == [key for key, _ in records]
    for tenant in range(5):
        ids = [event["event_id"] for event in decoded if event["tenant_id"] == f"t{tenant}"]
        assert ids == [f"e{number}" for number in range(tenant, 3000, 5)]


def test_raw_lines_arrive_unchanged(broker: str) -> None:
    """Bytes in are bytes out; without a tenant there is no key; counts that are no numbers add nothing."""
    lines = [
        b'{"tenant_id": "a",  "input_tokens": 3}',
        b'{"input_tokens": true, "output_tokens": -4}',
        b'{"tenant_id": 5}',
    ]
    raw = [TraceEvent(line, msgspec.json.decode(line)) for line in lines]
    report = send(raw, to(broker, "raw"))
    assert (report.events, report.input_tokens, report.output_tokens) == (3, 3, 0)
    assert sorted(received(broker, "raw", 3), key=repr) == sorted(
        [(b"a", lines[0]), (None, lines[1]), (None, lines[2])], key=repr
    )


def test_back_pressure_waits_and_loses_nothing(broker: str) -> None:
    """A queue of 50 events in front of 500: the sender waits for room, and all arrive."""
    small = {"queue.buffering.max.messages": 50, **QUIET}
    report = send(events(500), to(broker, "pressed", producer_options=small))
    assert report.events == 500
    assert len(received(broker, "pressed", 500)) == 500


def test_progress_ends_at_the_confirmed_count(broker: str) -> None:
    """Progress never falls, never passes what was sent, and its last word is the report's."""
    seen: list[int] = []
    report = send(events(5000), to(broker, "progress"), on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == report.events == 5000


def test_a_chosen_rate_is_kept(broker: str) -> None:
    """At 200 events/s, 60 events take (60 - 1) / 200 = 0.295 s or a little more, and never less."""
    report = send(events(60), to(broker, "paced"), rate=200)
    assert 0.29 <= report.seconds < 5


def test_live_traffic_leaves_when_its_requests_end(broker: str) -> None:
    """At real rate from `now`, the last event leaves no sooner than it ends, and half a second takes no minute."""
    now = datetime(2026, 11, 22, 19, tzinfo=UTC)
    traffic = list(live_traffic(seed=1, tenants=2, rate_per_s=200, now=now, duration_s=0.5))
    report = send(traffic, to(broker, "live"), rate="real", origin=now)
    last_due_s = (datetime.fromisoformat(traffic[-1]["ended_at"]) - now).total_seconds()
    assert report.events == len(traffic)
    assert 0.3 < last_due_s <= report.seconds < last_due_s + 10


def test_stop_ends_an_endless_replay_cleanly(broker: str) -> None:
    """Set from another thread, `stop` ends the sending; what was sent is confirmed and reported."""
    stop = threading.Event()
    reports: list[SendReport] = []
    started = threading.Event()

    def progress(confirmed: int) -> None:
        if confirmed > 0:
            started.set()

    def run() -> None:
        traffic = live_traffic(seed=1, tenants=2, rate_per_s=500, now=datetime(2026, 11, 22, tzinfo=UTC))
        reports.append(
            send(
                traffic,
                to(broker, "stopped"),
                rate=500,
                stop=stop,
                on_progress=progress,
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(timeout=20)
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert len(received(broker, "stopped", reports[0].events)) == reports[0].events


def test_an_unreachable_broker_is_named_within_the_deadline() -> None:
    """Exit code 3, the address in the message, no traceback and no endless retry."""
    with socket.socket() as listener:  # bound, not listening: nothing else can take the port meanwhile
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        started_s = time.monotonic()
        with pytest.raises(ServiceUnavailableError, match=address) as caught:
            send(events(1), to(address, "t", connect_timeout_s=1))
    assert caught.value.exit_code == 3
    assert time.monotonic() - started_s < 10


def test_a_broker_that_goes_away_is_an_error_not_a_smaller_count() -> None:
    """Events that cannot be confirmed in time raise, naming the address and how many; they are not left out quietly."""
    owner: Producer | None = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", **QUIET})
    assert owner is not None
    address = ",".join(f"{node.host}:{node.port}" for node in owner.list_topics(timeout=10).brokers.values())

    def vanishing() -> Iterator[Event]:
        nonlocal owner
        yield from events(10)
        owner = None
        yield from events(10)

    with pytest.raises(ServiceUnavailableError, match=rf"{address}.* events not confirmed within 1 s"):
        send(vanishing(), to(address, "t", delivery_timeout_s=1))


@pytest.mark.parametrize(
    ("options", "arguments", "expected"),
    [
        ({"producer_options": {"no.such.setting": 1}}, {}, "Kafka client settings: .*no.such.setting"),
        ({}, {"rate": 0.0}, "rate: 0.0"),
        ({"producer_options": {"message.max.bytes": 1000, **QUIET}}, {}, r"event 1 \(.* bytes\)"),
    ],
)
def test_wrong_usage_is_named(broker: str, options: dict[str, Any], arguments: dict[str, Any], expected: str) -> None:
    """Exit code 2 with the setting, argument or event at fault."""
    big: list[Event] = [{"tenant_id": "t", "event_id": "x" * 2000}]
    with pytest.raises(UsageError, match=expected):
        send(big, to(broker, "wrong", **options), **arguments)
