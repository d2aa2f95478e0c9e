"""Memory of a worker on a backlog of large records: OTLP of 500 spans each, and NDJSON of 1 MB.

The full size is 1 GB of each (`--large`); `--scale 0.1` is enough to see whether memory follows the backlog.
"""

import time
from collections.abc import Iterator
from itertools import islice

from confluent_kafka import Producer
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from benchmarks.harness import PARTITIONS, TOPIC, Row, resident_bytes, seen, stack, worker
from benchmarks.traffic import events

MEGABYTES = 1_000
SPANS = 500
LIMIT_MB = 400.0
_TEXT = "Which of these rows belong to the second quarter, and what do they add up to? " * 6
_NDJSON_BYTES = 950_000
"""A record of Kafka's default limit."""


def run(scale: float = 1.0) -> list[dict[str, object]]:
    """Peak memory of a worker that works off each kind of backlog, beside its limit."""
    rows = []
    for name, records in (("otlp records of 500 spans", otlp_records()), ("ndjson records of 1 MB", ndjson_records())):
        with stack(store="sqlite") as (servers, engine):
            count = _produce(servers.bootstrap_servers, records, int(MEGABYTES * scale * 1e6))
            with worker(servers) as process:
                until = time.monotonic() + 3_600 * max(scale, 0.2)
                while seen(engine) < count and process.poll() is None and time.monotonic() < until:
                    time.sleep(0.5)
                if seen(engine) != count:
                    raise RuntimeError(f"{name}: {seen(engine)} of {count} events (exit code {process.poll()})")
                peak = resident_bytes(process, "VmHWM")
        rows.append(Row.against(f"worker peak memory, {name}", peak / 1e6, "MB", "limit", LIMIT_MB).as_dict())
    return rows


def _produce(servers: str, records: Iterator[tuple[bytes, int]], size_bytes: int) -> int:
    """Put so many bytes on the topic; returns how many events they hold."""
    producer = Producer({"bootstrap.servers": servers, "compression.type": "lz4", "message.max.bytes": 2_000_000})
    sent = count = number = 0
    while sent < size_bytes:
        value, held = next(records)
        producer.produce(TOPIC, value, partition=number % PARTITIONS)
        sent, count, number = sent + len(value), count + held, number + 1
        if number % 20 == 0:
            producer.flush()
    producer.flush()
    return count


def otlp_records() -> Iterator[tuple[bytes, int]]:
    """(protobuf, spans) of a Collector's batches, some 0.45 MB each."""
    number = 0
    while True:
        spans = []
        for _ in range(SPANS):
            number += 1
            span = Span(trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="chat gpt-4o")
            span.end_time_unix_nano = time.time_ns() - number * 1_000
            span.start_time_unix_nano = span.end_time_unix_nano - 2_000_000_000
            for key, value in (
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.request.model", "gpt-4o"),
                ("gen_ai.response.model", "gpt-4o-2024-08-06"),
                ("gen_ai.provider.name", "openai"),
                ("user.id", f"user-{number % 500}"),
                ("gen_ai.input.messages", _TEXT),
            ):
                attribute = span.attributes.add(key=key)
                attribute.value.string_value = value
            for key, tokens in (
                ("gen_ai.usage.input_tokens", 1 + number % 4_000),
                ("gen_ai.usage.output_tokens", number % 800),
            ):
                span.attributes.add(key=key).value.int_value = tokens
            spans.append(span)
        data = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
        yield data.SerializeToString(), SPANS


def ndjson_records() -> Iterator[tuple[bytes, int]]:
    """(lines, how many) of canonical events."""
    lines = (value for _, value in events(100_000_000, seed=9))
    per_record = _NDJSON_BYTES // len(next(lines))
    while True:
        taken = list(islice(lines, per_record))
        yield b"\n".join(taken), len(taken)
