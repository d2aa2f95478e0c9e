"""Decoding speed of every source format on one core: bytes to validated events, beside parsing the same bytes alone.

The payloads are those of the tests, with a prompt and an answer of usual length in every field that holds text: a
decoder earns most by not looking at them. The ceiling is the standard parser, `json.loads` or protobuf's own.
"""

import json
import time
from collections.abc import Callable

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.dispatch import read
from rice_stream.events.records import RawRecord
from tests.support.format_payloads import FILES, MARKER, OTLP_PAYLOADS, StampedRecord, as_protobuf

TEXT = "Which of these rows belong to the second quarter, and what do they add up to? " * 30
"""2,340 characters, about 600 tokens, in place of every text."""
SECONDS = 0.5
"""How long each measurement repeats; the fastest repetition counts, so a busy neighbour does not."""
RECORDS_PER_REPETITION = 5
JSON_PAYLOADS = {
    "litellm": "litellm_success.json",
    "litellm spend logs": "spend_logs.json",
    "openmeter": "openmeter.json",
    "langfuse": "langfuse_batch.json",
    "bedrock": "bedrock_log.ndjson",
    "kong": "kong_log.json",
    "envoy": "envoy_log.ndjson",
    "openai chat reply": "provider_openai_chat.json",
    "anthropic reply": "provider_anthropic.json",
}
OTLP = {
    "semantic conventions": "otlp_semconv_141",
    "openinference": "otlp_openinference",
    "litellm span": "otlp_litellm",
}


def _per_second(count: int, work: Callable[[], object]) -> float:
    fastest, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        for _ in range(RECORDS_PER_REPETITION):
            work()
        fastest = min(fastest, time.perf_counter() - start)
    return count * RECORDS_PER_REPETITION / fastest


def _row(name: str, value: bytes, parse: Callable[[], object], ceiling_name: str) -> dict[str, object]:
    record: RawRecord = StampedRecord("requests", 0, 0, value)
    events = sum(isinstance(outcome.result, WireEvent) for outcome in read(record))
    ours, ceiling = _per_second(events, lambda: read(record)), _per_second(events, parse)
    return {
        "name": f"decode {name}",
        "value": ours,
        "unit": "events/s",
        "ceiling_name": ceiling_name,
        "ceiling_value": ceiling,
        "ratio": ours / ceiling,
    }


def _json_payload(name: str) -> bytes:
    """One line per object, as on Kafka, with the texts filled in."""
    filled = FILES[name].replace(MARKER.encode(), TEXT.encode())
    lines = filled.splitlines() if name.endswith(".ndjson") else [filled]
    return b"\n".join(msgspec.json.encode(json.loads(line)) for line in lines)


def _json_row(name: str, value: bytes) -> dict[str, object]:
    lines = value.splitlines()
    return _row(name, value, lambda: [json.loads(line) for line in lines], "json.loads alone")


def _protobuf_row(name: str, value: bytes) -> dict[str, object]:
    return _row(name, value, lambda: TracesData.FromString(value), "protobuf parse alone")


def run() -> list[dict[str, object]]:
    """The rows of the benchmark table: events per second and core, each beside parsing alone and the ratio to it."""
    rows = [_json_row(name, _json_payload(file)) for name, file in JSON_PAYLOADS.items()]
    for name, payload in OTLP.items():
        message = json.loads(json.dumps(OTLP_PAYLOADS[payload]).replace(MARKER, TEXT))
        rows.append(_json_row(f"otlp json, {name}", msgspec.json.encode(message)))
        rows.append(_protobuf_row(f"otlp protobuf, {name}", as_protobuf(message)))
    return rows


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:42} {row['value']:10,.0f} {row['unit']}  {row['ratio']:.2f} of {row['ceiling_name']}")
