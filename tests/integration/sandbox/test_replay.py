"""Replays through real Kafka: what is reported is on the topic, exactly, also when the broker dies meanwhile."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.kafka.config import KafkaConfig
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.traffic.pacing import Event
from rice_stream.sandbox.traffic.plan import replay_events
from rice_stream.sandbox.traffic.send import Destination, send
from rice_stream.sandbox.traffic.traces import open_trace
from tests.support.services import TopicFactory

QUIET = {"log_level": 0}
READ_DEADLINE_S = 30.0


def azure_file(folder: Path, rows: int) -> Path:
    """A trace in the published layout: rows i with 100 + i input and i % 300 output tokens, ten a second."""
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for row in range(rows):
        minute, tenths = divmod(row, 600)
        second, tenth = divmod(tenths, 10)
        lines.append(f"2023-11-16 18:{minute:02}:{second:02}.{tenth}000001,{100 + row},{row % 300}")
    path = folder / "azure.csv"
    path.write_bytes("\r\n".join(lines).encode())
    return path


def mooncake_file(folder: Path, rows: int) -> Path:
    """A trace in the published layout: every prompt is 1,024 tokens long and repeats the first one's first block."""
    path = folder / "mooncake.jsonl"
    path.write_text(
        "".join(
            f'{{"timestamp": {row * 7}, "input_length": 1024, "output_length": 5, "hash_ids": [0, {row + 1}]}}\n'
            for row in range(rows)
        )
    )
    return path


def to(kafka: KafkaServer, topic: str, **changes: Any) -> Destination:
    """A topic of that broker, by a client that logs nothing."""
    return Destination(KafkaConfig(kafka.bootstrap_servers), topic, producer_options=QUIET, **changes)


def on_topic(kafka: KafkaServer, topic: str) -> list[tuple[str, dict[str, Any]]]:
    """(key, event) of every record on the topic, up to the end of each partition as it is now."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "reader", **QUIET})
    partitions = consumer.list_topics(topic, timeout=READ_DEADLINE_S).topics[topic].partitions
    expected = 0
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_DEADLINE_S)
        expected += high - low
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    records: list[tuple[str, dict[str, Any]]] = []
    deadline_s = time.monotonic() + READ_DEADLINE_S
    while len(records) < expected and time.monotonic() < deadline_s:
        for message in consumer.consume(expected, timeout=0.5):
            assert message.error() is None
            records.append(((message.key() or b"").decode(), msgspec.json.decode(message.value() or b"")))
    consumer.close()
    assert len(records) == expected
    return records


def test_azure_trace_is_on_the_topic_count_for_count(
    kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    """3,000 requests: 100 x 3000 + 0 + ... + 2999 = 4,798,500 input, 10 x (0 + ... + 299) = 448,500 output tokens."""
    topic = topic_factory(name="replay-azure")
    trace = open_trace(azure_file(tmp_path, 3000))
    report = send(replay_events(trace, seed=1), to(kafka, topic))
    assert (report.events, report.input_tokens, report.output_tokens) == (3000, 4_798_500, 448_500)
    records = on_topic(kafka, topic)
    assert sum(event["input_tokens"] for _, event in records) == 4_798_500
    assert sum(event["output_tokens"] for _, event in records) == 448_500
    assert all(key == event["tenant_id"] for key, event in records)
    assert len({event["event_id"] for _, event in records}) == 3000


def test_mooncake_trace_sent_twice_is_the_same_events_twice(
    kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    """Cached tokens arrive (512 for all but the first), and the second sending repeats every event exactly."""
    topic = topic_factory(name="replay-mooncake")
    trace = open_trace(mooncake_file(tmp_path, 500))
    for _ in range(2):
        report = send(
            replay_events(trace, seed=4),
            to(kafka, topic),
        )
        assert (report.events, report.input_tokens, report.output_tokens) == (500, 512_000, 2500)
    copies = Counter(msgspec.json.encode(event) for _, event in on_topic(kafka, topic))
    assert len(copies) == 500
    assert set(copies.values()) == {2}
    assert sum(msgspec.json.decode(copy)["cache_read_input_tokens"] for copy in copies) == 499 * 512


def test_a_broker_killed_in_the_middle_costs_no_event_and_doubles_none(
    kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    """kill -9 and restart while sending: the replay goes on and every event is on the topic exactly once."""
    topic = topic_factory(name="replay-killed")
    trace = open_trace(azure_file(tmp_path, 4000))

    def interrupted() -> Iterator[Event]:
        for number, event in enumerate(replay_events(trace)):
            if number == 2000:
                kafka.kill()
                kafka.start()
            yield event

    report = send(interrupted(), to(kafka, topic))
    assert report.events == 4000
    ids = Counter(event["event_id"] for _, event in on_topic(kafka, topic))
    assert len(ids) == 4000
    assert set(ids.values()) == {1}


def test_a_broker_that_stays_away_is_an_error_naming_it(
    kafka: KafkaServer, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    """Events that were not confirmed in time are reported as such, by number and address."""
    topic = topic_factory(name="replay-gone")
    trace = open_trace(azure_file(tmp_path, 100))

    def cut_off() -> Iterator[Event]:
        for number, event in enumerate(replay_events(trace)):
            if number == 50:
                kafka.stop()
            yield event

    try:
        with pytest.raises(ServiceUnavailableError, match=rf"{kafka.bootstrap_servers}.* not confirmed within 2 s"):
            send(
                cut_off(),
                to(kafka, topic, delivery_timeout_s=2),
            )
    finally:
        kafka.start()


def test_a_topic_that_does_not_exist_is_named(kafka: KafkaServer, tmp_path: Path) -> None:
    """Nothing is created by accident: the error says which topic is missing on which broker."""
    trace = open_trace(azure_file(tmp_path, 1))
    with pytest.raises(UsageError, match=rf"topic 'no-such-topic' on {kafka.bootstrap_servers}"):
        send(
            replay_events(trace),
            to(kafka, "no-such-topic"),
        )
