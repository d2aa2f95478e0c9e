"""Payloads of the source formats, written by hand in their documented shapes, for the tests of the formats.

Every field in which the software puts text of prompts, answers or errors holds `MARKER`. OTLP is built from plain
dictionaries, once as OTLP/JSON and once, from the same, as protobuf.
"""

import base64
import json
from typing import Any

import msgspec
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.dispatch import Outcome, read
from rice_stream.events.formats.reading.options import CANONICAL, DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.records import Ignored, RawRecord, Refused
from tests.support.places import DATA
from tests.support.plain_records import in_a_batch, of

MARKER = "PLANTED-TEXT"
PAYLOAD_FOLDER = DATA / "formats"
FILES = {path.name: path.read_bytes() for path in sorted(PAYLOAD_FOLDER.iterdir())}
TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
START_NS, END_NS = 1_795_374_000_250_000_123, 1_795_374_003_500_000_987


class StampedRecord(RawRecord):
    """A record that has its broker's time and key, as records from Kafka have."""

    timestamp_us = 1_795_377_600_000_000
    key = b"key-1"


def record(value: bytes | None, *, stamped: bool = False, headers: tuple[tuple[str, bytes], ...] = ()) -> RawRecord:
    return (StampedRecord if stamped else RawRecord)("requests", 3, 42, value, headers)


def outcomes(
    value: bytes | None,
    options: FormatOptions = DEFAULT_OPTIONS,
    *,
    stamped: bool = False,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> list[Outcome]:
    source = record(value, stamped=stamped, headers=headers)
    found = read(source, options)
    if options.items_max is None and all(outcome.source_format != CANONICAL for outcome in found):
        assert in_a_batch(source, options) == of(found)
    return found


def results(value: bytes | None, options: FormatOptions = DEFAULT_OPTIONS, **kwargs: Any) -> list[Any]:
    return [outcome.result for outcome in outcomes(value, options, **kwargs)]


def only_event(value: bytes | None, options: FormatOptions = DEFAULT_OPTIONS, **kwargs: Any) -> WireEvent:
    [event] = results(value, options, **kwargs)
    assert isinstance(event, WireEvent), event
    return event


def said(event: object) -> dict[str, Any]:
    """What the event says, nulls left out."""
    assert isinstance(event, WireEvent), event
    return {name: value for name, value in msgspec.structs.asdict(event).items() if value is not None}


def tokens(event: object) -> tuple[int | None, int | None, int | None, int | None, int | None]:
    """(input, cache read, cache write, output, reasoning)."""
    assert isinstance(event, WireEvent), event
    return (
        event.input_tokens,
        event.cache_read_input_tokens,
        event.cache_write_input_tokens,
        event.output_tokens,
        event.reasoning_output_tokens,
    )


def reasons(found: list[Any]) -> list[str]:
    """Per item: `event`, or the reason why it is none."""
    return [item.reason if isinstance(item, Ignored | Refused) else "event" for item in found]


def changed(name: str, **changes: Any) -> bytes:
    """A payload file that is one JSON object, with fields changed; `...` takes a field out."""
    payload = json.loads(FILES[name])
    payload.update(changes)
    return json.dumps({key: value for key, value in payload.items() if value is not ...}).encode()


# --- OTLP ------------------------------------------------------------------------------------------------------------


def any_value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(inner) for inner in value]}}
    return {"stringValue": str(value)}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def span(
    values: dict[str, Any],
    *,
    name: str = "chat gpt-4o",
    span_id: str = SPAN_ID,
    parent_id: str = "",
    trace_id: str = TRACE_ID,
    error: bool = False,
    **fields: Any,
) -> dict[str, Any]:
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent_id,
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(END_NS),
        "attributes": attributes(values),
        "status": {"code": 2, "message": MARKER} if error else {"code": 1},
        **fields,
    }


def traces(
    *spans: dict[str, Any], scope: str = "my.scope", resource: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    described = {"service.name": "gateway", **(resource or {})}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(described)},
                "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}],
                "schemaUrl": "https://opentelemetry.io/schemas/1.37.0",
            }
        ],
        **more,
    }


def log_event(
    values: dict[str, Any], *, trace_id: str = TRACE_ID, span_id: str = SPAN_ID, **fields: Any
) -> dict[str, Any]:
    event = {
        "traceId": trace_id,
        "spanId": span_id,
        "eventName": "gen_ai.client.inference.operation.details",
        "timeUnixNano": str(END_NS),
        "observedTimeUnixNano": str(END_NS + 1_000_000),
        "attributes": attributes(values),
        "body": {"stringValue": MARKER},
        **fields,
    }
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes({"service.name": "gateway"})},
                "scopeLogs": [{"scope": {"name": "my.scope"}, "logRecords": [event]}],
            }
        ]
    }


def as_json(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def as_protobuf(message: dict[str, Any]) -> bytes:
    """The same in protobuf: its own JSON mapping wants the ids in base64."""
    target = TracesData() if "resourceSpans" in message else LogsData()
    json_format.ParseDict(_with_base64_ids(message), target)
    serialized: bytes = target.SerializeToString()
    return serialized


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_base64_ids(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(inner)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _with_base64_ids(inner)
        for key, inner in value.items()
    }


_MODELS = {"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06"}
_TEXTS = {
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": MARKER}]}]),
    "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": MARKER}]}]),
    "gen_ai.system_instructions": MARKER,
    "gen_ai.tool.definitions": MARKER,
    "gen_ai.prompt.0.content": MARKER,
    "gen_ai.completion.0.content": MARKER,
    "exception.message": MARKER,
}

SEMCONV_136 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    **_MODELS,
    "gen_ai.response.id": "chatcmpl-one",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.output_tokens": 300,
    **_TEXTS,
}
"""What OpenTelemetry's own instrumentation writes by default: no cached, no reasoning tokens."""

SEMCONV_141 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    **_MODELS,
    "gen_ai.response.id": "chatcmpl-one",
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 1920,
    "gen_ai.usage.cache_creation.input_tokens": 64,
    "gen_ai.usage.reasoning.output_tokens": 128,
    "server.address": "api.openai.com",
    **_TEXTS,
}

SEMCONV_GENAI = {
    **{k: v for k, v in SEMCONV_141.items() if "cache_creation" not in k},
    "gen_ai.usage.cache_write.input_tokens": 64,
}

TRACELOOP = {
    "gen_ai.provider.name": "openai",
    "llm.request.type": "chat",
    **_MODELS,
    "gen_ai.response.id": "chatcmpl-one",
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.total_tokens": 2306,
    "gen_ai.usage.cache_read.input_tokens": 1920,
    "gen_ai.usage.reasoning_tokens": 128,
    "traceloop.entity.input": MARKER,
    "traceloop.entity.output": MARKER,
    **_TEXTS,
}

OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.provider": "openai",
    "llm.model_name": "gpt-4o-2024-08-06",
    "llm.token_count.prompt": 2006,
    "llm.token_count.completion": 300,
    "llm.token_count.total": 2306,
    "llm.token_count.prompt_details.cache_read": 1920,
    "llm.token_count.completion_details.reasoning": 128,
    "input.value": json.dumps({"messages": [{"role": "user", "content": MARKER}]}),
    "output.value": MARKER,
    "llm.input_messages.0.message.content": MARKER,
    "llm.output_messages.0.message.content": MARKER,
    "llm.invocation_parameters": MARKER,
}

LITELLM_SPAN = {
    "gen_ai.operation.name": "acompletion",
    "gen_ai.system": "openai",
    **_MODELS,
    "gen_ai.response.id": "chatcmpl-one",
    "llm.request.type": "acompletion",
    "llm.is_streaming": "False",
    "litellm.cache_hit": False,
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.total_tokens": 2306,
    "gen_ai.cost.total_cost": 0.0056,
    "metadata.user_api_key_team_id": "team-a",
    "metadata.user_api_key_org_id": "org-1",
    "metadata.user_api_key_project_id": "",
    "metadata.user_api_key_user_id": "u-7",
    "metadata.user_api_key_hash": "hash-1",
    "metadata.requester_metadata": MARKER,
    "metadata.usage_object": (
        "{'completion_tokens': 300, 'prompt_tokens': 2006, 'total_tokens': 2306, 'completion_tokens_details':"
        " {'accepted_prediction_tokens': None, 'reasoning_tokens': 128}, 'prompt_tokens_details':"
        " {'audio_tokens': 0, 'cached_tokens': 1920}}"
    ),
    "hidden_params": json.dumps({"api_base": "https://eu.api.openai.com/v1", "additional_headers": {"x": MARKER}}),
    **_TEXTS,
}

VLLM = {
    "gen_ai.usage.prompt_tokens": 2006,
    "gen_ai.usage.completion_tokens": 300,
    "gen_ai.usage.cached_tokens": 1920,
    "gen_ai.usage.num_sequences": 1,
    "gen_ai.request.id": "chatcmpl-one",
    "gen_ai.response.model": "meta-llama/Llama-3.1-70B-Instruct",
    "gen_ai.latency.time_to_first_token": 0.2,
}

INSTRUMENTATIONS = {
    "semantic conventions 1.41": SEMCONV_141,
    "traceloop": TRACELOOP,
    "openinference": OPENINFERENCE,
    "litellm": LITELLM_SPAN,
}
OTLP_PAYLOADS = {
    "otlp_semconv_136": traces(span(SEMCONV_136)),
    "otlp_semconv_141": traces(span(SEMCONV_141)),
    "otlp_semconv_genai": traces(span(SEMCONV_GENAI)),
    "otlp_traceloop": traces(span(TRACELOOP, name="openai.chat"), scope="opentelemetry.instrumentation.openai.v1"),
    "otlp_openinference": traces(
        span(OPENINFERENCE, name="ChatCompletion"), scope="openinference.instrumentation.openai"
    ),
    "otlp_litellm": traces(span(LITELLM_SPAN, name="litellm_request"), scope="litellm"),
    "otlp_vllm": traces(
        span(VLLM, name="llm_request"),
        scope="vllm.llm_engine",
        resource={"cloud.provider": "gcp", "cloud.region": "europe-west4"},
    ),
    "otlp_error": traces(span({**SEMCONV_141, "error.type": "timeout"}, error=True)),
    "otlp_log_event": log_event(SEMCONV_141),
}
PAYLOADS: dict[str, bytes] = {
    **FILES,
    **{name + ".json": as_json(message) for name, message in OTLP_PAYLOADS.items()},
    **{name + ".pb": as_protobuf(message) for name, message in OTLP_PAYLOADS.items()},
}
"""Every payload by name."""


def format_of(name: str) -> str:
    """The format of a payload, by the first word of its name."""
    first = name.split("_")[0].split(".")[0]
    return {"spend": "litellm", "provider": "provider_usage"}.get(first, first)
