"""What a body holds is counted before it is built: memory stays in proportion to its bytes, and honest bodies are taken."""

import tracemalloc
from collections.abc import Callable

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from rice_stream.api.ingestion import counting
from rice_stream.api.ingestion.counting import VALUES_MAX, check_json, check_otlp
from rice_stream.api.ingestion.receiving import ITEMS_MAX
from rice_stream.api.problems import ProblemError
from tests.unit.api.conftest import Door

MANY = VALUES_MAX + 2


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    length, varint = len(content), b""
    while length > 0x7F:
        varint += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + varint + bytes([length]) + content


def message(items: bytes) -> bytes:
    """TracesData or LogsData with these items."""
    return field(1, field(2, items))


OF_MANY_VALUES = {
    "attributes": message(field(2, field(9, b"") * MANY)),
    "a list within an attribute": message(field(2, field(9, field(2, field(5, field(1, b"") * MANY))))),
    "events of a span": message(field(2, field(11, b"") * MANY)),
    "the body of a log record": message(field(2, field(5, field(5, field(1, b"") * MANY)))),
    "attributes of a resource": field(1, field(1, field(1, b"") * MANY)),
    "attributes of a scope": field(1, field(2, field(1, field(3, b"") * MANY))),
}
OF_MANY_ITEMS = {
    "resources": field(1, b"") * (3 * ITEMS_MAX + 1),
    "scopes": field(1, field(2, b"") * (3 * ITEMS_MAX)),
    "a resource and a scope for each": message(field(2, b"")) * (ITEMS_MAX + 1),
}
JSON = {
    "numbers": b"[" + b"0," * MANY + b"0]",
    "lines": b"{}\n" * MANY,
    "lines of another system": b"{}\r" * MANY,
    "names": b"{" + b'"a":0,' * MANY + b'"b":0}',
    "spans": b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * MANY + b"{}]}]}]}",
    "behind a text without an end": b'"\n' + b"[0," + b"0," * MANY + b"0]",
}


@pytest.mark.parametrize("body", OF_MANY_VALUES.values(), ids=OF_MANY_VALUES)
def test_too_many_values_are_refused_in_protobuf_wherever_they_are(body: bytes) -> None:
    with pytest.raises(ProblemError, match="values"):
        check_otlp(body, ITEMS_MAX)


@pytest.mark.parametrize("body", OF_MANY_ITEMS.values(), ids=OF_MANY_ITEMS)
def test_what_groups_items_counts_as_they_do(body: bytes) -> None:
    """Each is an object in memory, whether there is anything in it or not; one around each item is usual."""
    with pytest.raises(ProblemError, match="items"):
        check_otlp(body.ljust(counting._SMALL_BYTES + 1, b"\x18"), ITEMS_MAX)


@pytest.mark.parametrize("before", [b"", b"\x7b", field(3, b"x"), b"\x18\x05", b"\x1d1234", b"\x19" + b"8" * 8])
def test_too_many_items_are_refused_in_protobuf_whatever_is_before_them(before: bytes) -> None:
    """Unknown fields and groups hide nothing."""
    body = before + message((field(2, b"") * (3 * ITEMS_MAX)).ljust(counting._SMALL_BYTES, b"\x10"))
    with pytest.raises(ProblemError, match="items"):
        check_otlp(body, ITEMS_MAX)


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_too_many_values_are_refused_in_json_wherever_they_are(body: bytes) -> None:
    with pytest.raises(ProblemError, match="values"):
        check_json(body)


def test_separators_within_texts_do_not_count() -> None:
    """A prompt may have any number of commas."""
    check_json(b'{"messages":"' + b"," * MANY + b'\\"' + b"\\n" + b"," * MANY + b'"}')


def test_what_instrumentations_send_is_taken() -> None:
    """Spans and log records with dozens of attributes, and texts of any kind in them, below the limit of items."""
    traces, logs = TracesData(), LogsData()
    spans = traces.resource_spans.add().scope_spans.add().spans
    records = logs.resource_logs.add().scope_logs.add().log_records
    for number in range(2_000):
        span = spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="chat gpt-4o")
        record = records.add(time_unix_nano=number, event_name="x")
        record.body.string_value = "a text, of some length" * 10
        for key in range(30):
            span.attributes.add(key=f"key.{key}").value.string_value = "value of some length" * 2
            record.attributes.add(key=f"key.{key}").value.int_value = key
    for sent in (traces, logs):
        body = sent.SerializeToString()
        assert len(body) > 2 * VALUES_MAX
        check_otlp(body, ITEMS_MAX)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("behind_a_frame", [b"", b"\x00\x00\x00\x00\x01\x00"])
def test_a_body_of_tiny_items_costs_no_more_than_its_bytes(
    door: Callable[..., Door], path: str, behind_a_frame: bytes
) -> None:
    """16 MB of them would be some hundred MB of spans; also behind a schema registry's frame."""
    body = behind_a_frame + message(field(2, b"") * 1_000_000)
    made = door(http_body_max_bytes=16_777_216)
    tracemalloc.start()
    try:
        answer = made.post(path, body, content_type="application/x-protobuf")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413, answer.body
    assert peak < 8 * len(body)
