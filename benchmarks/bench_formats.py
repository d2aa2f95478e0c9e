"""Decoding speed of every source format on one core: bytes to validated columns, beside parsing the same bytes alone.

The payloads are those of the tests, with a prompt and an answer of usual length in every field that holds text: a
decoder earns most by not looking at them. Every record has ids of its own. The ceiling is the standard parser, `json.loads`
or protobuf's own. Processor time, the two in turns: a busy neighbour slows both.
"""

import gc
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from benchmarks.harness import TOPIC, Row, rate_until, stack, worker
from benchmarks.traffic import events, produce
from rice_stream.events.canonical import WireEvent
from rice_stream.events.decoding import decode_blocks
from rice_stream.events.records import RawRecord
from tests.support.format_payloads import FILES, MARKER, OTLP_PAYLOADS, as_protobuf

TEXT = "Which of these rows belong to the second quarter, and what do they add up to? " * 30
"""2,340 characters, about 600 tokens, in place of every text."""
STAMP_US = 1_795_377_600_000_000
KAFKA_EVENTS = 200_000
RECORDS = 1_000
"""How many records a repetition reads, as the worker does: block by block."""
REPETITIONS = 3
"""The fastest one counts, of either."""
IDS = re.compile(
    rb"call-000\d|chatcmpl-one|gen-\d|lf-trace-\d|bedrock-\d|kong-req-\d|envoy-\d|5b8efff798038103d269|\x5b\x8e\xff\xf7\x98"
)
"""What is another one in every record of the same payload, as many bytes of it as a number has digits."""
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


def _per_second(items: int, *works: Callable[[], object]) -> list[float]:
    fastest = [float("inf")] * len(works)
    gc.disable()  # as in the worker, which collects between batches
    try:
        for _ in range(REPETITIONS):
            for number, work in enumerate(works):
                start = time.process_time()
                work()
                fastest[number] = min(fastest[number], time.process_time() - start)
    finally:
        gc.enable()
    return [items / each for each in fastest]


def _numbered(value: bytes, number: int) -> bytes:
    """The same with ids of its own, equally long."""

    def other(found: re.Match[bytes]) -> bytes:
        same = found.group()
        if same.startswith(b"\x5b"):
            return number.to_bytes(len(same), "big")
        digits = b"%04d" % number
        return digits + same[4:]

    return IDS.sub(other, value)


def _row(name: str, value: bytes, parse: Callable[[bytes], object], ceiling_name: str) -> dict[str, object]:
    values = [_numbered(value, number + 1) for number in range(RECORDS)]
    records = [RawRecord("requests", 0, offset, each, (), STAMP_US) for offset, each in enumerate(values)]
    found = sum(len(block.columns) for block in decode_blocks(records))
    ours, ceiling = _per_second(
        found,
        lambda: deque(decode_blocks(records), maxlen=0),
        lambda: deque(map(parse, values), maxlen=0),
    )
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
    return _row(name, value, lambda each: [json.loads(line) for line in each.splitlines()], "json.loads alone")


def _protobuf_row(name: str, value: bytes) -> dict[str, object]:
    return _row(name, value, TracesData.FromString, "protobuf parse alone")


def run() -> list[dict[str, object]]:
    """The rows of the benchmark table: events per second and core, each beside parsing alone and the ratio to it."""
    rows = [_json_row(name, _json_payload(file)) for name, file in JSON_PAYLOADS.items()]
    for name, payload in OTLP.items():
        message = json.loads(json.dumps(OTLP_PAYLOADS[payload]).replace(MARKER, TEXT))
        rows.append(_json_row(f"otlp json, {name}", msgspec.json.encode(message)))
        rows.append(_protobuf_row(f"otlp protobuf, {name}", as_protobuf(message)))
    return rows


def run_kafka(scale: float = 1.0) -> list[dict[str, object]]:
    """LiteLLM's payloads through Kafka to PostgreSQL, beside the same requests as canonical events, one after the other."""
    count = int(KAFKA_EVENTS * scale)
    with stack() as (servers, engine):
        produce(servers.bootstrap_servers, TOPIC, events(count, seed=1))
        with worker(servers) as process:
            canonical = rate_until(engine, count, process)
        produce(servers.bootstrap_servers, TOPIC, litellm_payloads(count))
        with worker(servers) as process:
            litellm = rate_until(engine, count, process)
    return [
        Row.against("LiteLLM to postgresql", litellm, "events/s", "canonical events the same way", canonical).as_dict()
    ]


def litellm_payloads(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Requests as `traffic.events` has them, as LiteLLM logs them, with the text of a prompt and an answer."""
    payload = json.loads(FILES["litellm_success.json"].replace(MARKER.encode(), b"a few words"))
    payload["messages"][0]["content"] = payload["response"]["choices"][0]["message"]["content"] = TEXT
    for key, value in events(count, seed=2):
        event = msgspec.json.decode(value, type=WireEvent)
        given, written = event.input_tokens or 0, event.output_tokens or 0
        usage = {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}
        payload["metadata"] |= {"user_api_key_team_id": event.tenant_id, "user_api_key_user_id": event.user_id}
        payload["metadata"]["usage_object"] = usage
        payload["response"] |= {"usage": usage, "model": event.response_model}
        yield (
            key,
            msgspec.json.encode(
                payload
                | usage
                | {
                    "id": event.event_id,
                    "litellm_call_id": event.event_id,
                    "custom_llm_provider": event.provider,
                    "model": event.request_model,
                    "startTime": datetime.fromisoformat(event.started_at or event.ended_at).timestamp(),
                    "endTime": datetime.fromisoformat(event.ended_at).timestamp(),
                }
            ),
        )


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:42} {row['value']:10,.0f} {row['unit']}  {row['ratio']:.2f} of {row['ceiling_name']}")
