"""Which format a record is read in: set for its topic, else told by its headers, else by its bytes."""

import json
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.events.canonical import WireEvent
from rice_stream.events.canonical_reading import decode_record
from rice_stream.events.formats.dispatch import read
from rice_stream.events.formats.reading.options import FORMATS, FormatOptions
from rice_stream.events.records import Ignored, Refused
from tests.support.format_payloads import (
    FILES,
    OTLP_PAYLOADS,
    PAYLOADS,
    as_json,
    as_protobuf,
    format_of,
    only_event,
    outcomes,
    reasons,
    record,
    results,
)

CANONICAL = {
    "event_id": "e-1",
    "tenant_id": "acme",
    "ended_at": "2026-11-22T19:00:03Z",
    "request_model": "m",
    "input_tokens": 10,
    "output_tokens": 20,
}
SPANS = as_protobuf(OTLP_PAYLOADS["otlp_semconv_141"])
LITELLM = FILES["litellm_success.json"]
OPENMETER = json.loads(FILES["openmeter.json"])[0]


def on(format_name: str, **more: Any) -> FormatOptions:
    return FormatOptions(topic_formats={"requests": format_name}, **more)


def formats(value: bytes, **kwargs: Any) -> list[str]:
    return [outcome.source_format for outcome in outcomes(value, **kwargs)]


def json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"resourceSpans": []}, "otlp"),
        ({"resourceLogs": []}, "otlp"),
        ({"resourceMetrics": []}, "otlp"),
        ({"batch": []}, "langfuse"),
        ({"batch": "a word"}, "canonical"),
        ({"id": "e", "type": "generation-create", "body": {}}, "langfuse"),
        ({"schemaType": "ModelInvocationLog"}, "bedrock"),
        ({"schemaType": "SomethingElse"}, "canonical"),
        ({"ai": {"proxy": {}}}, "kong"),
        ({"ai": "a word"}, "canonical"),
        ({"litellm_call_id": "x"}, "litellm"),
        ({"call_type": "completion", "startTime": 1}, "litellm"),
        ({"call_type": "completion"}, "canonical"),
        ({"gen_ai.request.model": "m"}, "envoy"),
        ({"llm_input_token": 5}, "envoy"),
        ({"usage": {}}, "provider_usage"),
        ({"usageMetadata": {}}, "provider_usage"),
        ({"type": "response.completed", "response": {}}, "provider_usage"),
        ({"response": {}}, "canonical"),
        ({"specversion": "1.0", "data": {"model": "m", "tokens": 1}}, "openmeter"),
        ({"specversion": "1.0", "data": {"model": "m", "total_tokens": 1}}, "openmeter"),
        ({"specversion": "1.0", "data": {"litellm_call_id": "x"}}, "litellm"),
        ({"specversion": "1.0", "data": CANONICAL}, "canonical"),
        ({"specversion": "1.0"}, "canonical"),
        (CANONICAL, "canonical"),
        ({**CANONICAL, "usage": {"prompt_tokens": 1}, "litellm_call_id": "x"}, "canonical"),
        ({"event_id": "x", "usage": {}}, "provider_usage"),
        ({}, "canonical"),
    ],
)
def test_an_objects_keys_tell_its_format(payload: dict[str, Any], expected: str) -> None:
    assert set(formats(json_bytes(payload))) == {expected}


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_payload_is_recognised_whole_framed_and_as_an_item_of_an_array(name: str) -> None:
    expected = format_of(name)
    value = PAYLOADS[name]
    assert set(formats(value, stamped=True)) == {expected}
    assert set(formats(b"\x00\x00\x00\x00\x07" + (b"\x00" if name.endswith(".pb") else b"") + value, stamped=True)) == {
        expected
    }
    if name.endswith(".json"):
        assert set(formats(b"[" + value.strip().strip(b"[]") + b"]", stamped=True)) == {expected}


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x00\x07\x00",
        b"\x00\x00\x00\x00\x07\x04\x02\x00",
        b"\x01" + bytes(range(16)) + b"\x00",
        b"\x01" + bytes(range(16)) + b"\x02\x00",
    ],
    ids=["id, first message", "id, nested message", "guid, first message", "guid, one index"],
)
def test_schema_registry_frames_of_protobuf_are_stripped(frame: bytes) -> None:
    assert only_event(frame + SPANS) == only_event(SPANS)
    assert only_event(frame + SPANS, on("otlp")) == only_event(SPANS)


@pytest.mark.parametrize("frame", [b"\x00\x00\x00\x00\x07", b"\x01" + bytes(16)], ids=["id", "guid"])
def test_schema_registry_frames_of_json_are_stripped(frame: bytes) -> None:
    assert only_event(frame + LITELLM) == only_event(LITELLM)
    for options in (FormatOptions(), on("canonical")):
        assert only_event(frame + json_bytes(CANONICAL), options) == only_event(json_bytes(CANONICAL))
        assert only_event(frame + b" \n" + json_bytes(CANONICAL), options) == only_event(json_bytes(CANONICAL))
    source = record(frame + b"{}")
    [refused] = [outcome.result for outcome in read(source)]
    assert isinstance(refused, Refused)
    assert refused.record is source


@pytest.mark.parametrize(
    "frame", [b"\x00", b"\x00\x00\x00\x00", b"\x01\x02", b"\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff", b"\x00" * 40]
)
def test_a_frame_with_nothing_in_it_is_one_refusal(frame: bytes) -> None:
    assert reasons(results(frame)) == ["not_json"]


def test_protobuf_whose_first_length_reads_as_a_brace_is_still_protobuf() -> None:
    """A message's first bytes are a newline and a length; 123 is "{" and 91 is "[": it must not be taken for JSON."""
    for wanted in (b"\n{", b"\n["):
        for padding in range(1, 300):
            resource = {"attributes": [{"key": "p", "value": {"stringValue": "x" * padding}}]}
            attributes = [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1"}},
            ]
            spans = [{"traceId": "0a" * 16, "spanId": "0b" * 8, "attributes": attributes[:0], "endTimeUnixNano": "1"}]
            message = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
            value = as_protobuf(message)
            if value[:2] == wanted:
                assert formats(value) == ["otlp"]
                break
        else:
            pytest.fail(f"no padding gives a message that begins with {wanted!r}")


def test_json_that_begins_with_a_newline_is_still_json() -> None:
    for value in (b"\n" + LITELLM, b"\n\n" + as_json(OTLP_PAYLOADS["otlp_semconv_141"]), b"\n" + json_bytes(CANONICAL)):
        assert only_event(value) == only_event(value.strip())


def test_a_content_type_of_protobuf_is_believed_where_it_is_true() -> None:
    headers = (("Content-Type", b"application/x-protobuf; messageType=x"),)
    assert only_event(SPANS, headers=headers) == only_event(SPANS)
    assert only_event(LITELLM, headers=headers) == only_event(LITELLM)


def test_the_format_set_for_a_topic_goes_before_what_the_bytes_look_like() -> None:
    both = {**json.loads(LITELLM), "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7}
    assert only_event(json_bytes(both)).input_tokens == 2006
    event = only_event(json_bytes({**both, "start_time": "2026-11-22T19:00:00Z"}), on("envoy"))
    assert event.input_tokens == 7
    assert reasons(results(LITELLM, on("canonical"))) == ["missing_field"]


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("auto", "canonical")])
def test_bytes_of_another_kind_on_a_topic_with_a_set_format_are_refused_or_ignored(name: str) -> None:
    for value in (b"\xff\xfe", b"plain text", b"[1, null]", b'{"a":1', b"{}"):
        for result in results(value, on(name), stamped=True):
            assert isinstance(result, Refused | Ignored)


def test_a_canonical_event_on_a_topic_set_to_another_format_is_refused_and_not_passed_over() -> None:
    """Where a format has a mark that its objects must bear, its lack is no reason to ignore."""
    for name in FORMATS:
        if name not in ("auto", "canonical"):
            [refused] = results(json_bytes(CANONICAL), on(name))
            assert isinstance(refused, Refused)
            assert refused.reason in ("unexpected_format", "missing_time")


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("auto", "canonical")])
@pytest.mark.parametrize(("value", "number"), [(b"\xff\xfe", 1), (b"[7, null]", 2), (None, 1)])
def test_what_is_no_object_is_refused_item_by_item(name: str, value: bytes | None, number: int) -> None:
    """On a topic with a set format as well: nothing is passed over."""
    assert [type(result) for result in results(value, on(name))] == [Refused] * number


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_format_that_is_set_reads_as_the_one_that_is_sniffed(name: str) -> None:
    """Naming a topic's format changes nothing about records that are in it."""
    assert results(PAYLOADS[name], on(format_of(name)), stamped=True) == results(PAYLOADS[name], stamped=True)


@pytest.mark.parametrize("name", ["content-type", "ce_id"])
def test_a_header_without_a_value_says_nothing(name: str) -> None:
    headers: Any = ((name, None),)
    assert only_event(LITELLM, headers=headers) == only_event(LITELLM)


def test_items_of_several_formats_may_share_a_record() -> None:
    items = [CANONICAL, json.loads(LITELLM), OPENMETER, {"half": "an event"}, 7, [CANONICAL]]
    found = outcomes(json_bytes(items))
    assert [outcome.source_format for outcome in found] == [
        "canonical",
        "litellm",
        "openmeter",
        "canonical",
        "canonical",
        "canonical",
    ]
    assert reasons([outcome.result for outcome in found]) == [
        "event",
        "event",
        "event",
        "missing_field",
        "not_an_object",
        "not_an_object",
    ]


def test_every_refused_item_names_the_whole_record_and_the_items_position() -> None:
    """The quarantine's key is made of both: two refused items of one record must not meet."""
    bad = {**json.loads(LITELLM), "prompt_tokens": -1}
    source = record(json_bytes([bad, json.loads(LITELLM), {"half": 1}, bad]))
    refused = [outcome.result for outcome in read(source) if isinstance(outcome.result, Refused)]
    assert [result.record for result in refused] == [source] * 3
    assert [result.item for result in refused] == [0, 2, 3]


def test_json_lines_whose_first_is_broken_keep_the_others() -> None:
    line = json_bytes(json.loads(LITELLM))
    assert reasons(results(b"2026-11-22 log line\n" + line + b"\n{broken\n" + line)) == [
        "not_json",
        "event",
        "not_json",
        "event",
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"  \n",
        b"\xff",
        b"{",
        b"[]",
        b"null",
        json_bytes(CANONICAL),
        json_bytes([CANONICAL, {}]),
        b"\x00\x00\x00\x00\x01" + json_bytes(CANONICAL),
        json_bytes({"specversion": "1.0", "id": "x", "source": "s", "type": "t", "data": CANONICAL}),
        b"line one\nline two",
    ],
)
def test_what_no_other_format_knows_is_judged_by_the_canonical_path_alone(value: bytes | None) -> None:
    source = record(value)
    assert [outcome.result for outcome in read(source)] == list(decode_record(source))


def test_cloudevents_around_another_format_lend_it_their_id_and_time() -> None:
    payload = {
        name: value
        for name, value in json.loads(LITELLM).items()
        if name not in ("litellm_call_id", "id", "endTime", "startTime")
    }
    envelope = {"specversion": "1.0", "id": "ce-1", "source": "/gw", "type": "t", "time": "2026-11-22T19:00:09Z"}
    structured = only_event(
        json_bytes({**envelope, "data": {**payload, "call_type": "completion", "litellm_call_id": None}})
    )
    assert (structured.event_id, structured.ended_at, structured.source) == (
        "ce-1",
        "2026-11-22T19:00:09.000000Z",
        "/gw",
    )
    headers = tuple((f"ce_{name}", value.encode()) for name, value in envelope.items())
    assert only_event(json_bytes({**payload, "litellm_call_id": None}), headers=headers) == structured
    assert structured.tenant_id == "team-a"


def test_the_subject_around_another_format_is_its_tenant_where_it_names_none_itself() -> None:
    payload = {**json.loads(LITELLM), "metadata": {}}
    envelope = {"specversion": "1.0", "id": "ce-1", "source": "/gw", "type": "t", "subject": "acme"}
    assert only_event(json_bytes({**envelope, "data": payload})).tenant_id == "acme"
    assert only_event(json_bytes({**envelope, "tenantid": "blue", "data": payload})).tenant_id == "blue"


def test_notes_and_formats_are_told_beside_the_results() -> None:
    found = outcomes(FILES["openmeter.json"])
    assert {outcome.source_format for outcome in found} == {"openmeter"}
    assert [outcome.notes for outcome in found] == [("half_a_request",), ("half_a_request",), (), ()]
    assert [type(outcome.result) for outcome in found] == [WireEvent, WireEvent, WireEvent, Refused]


def test_a_format_that_does_not_exist_is_a_usage_error_that_lists_those_that_do() -> None:
    with pytest.raises(
        UsageError, match=r"format of topic requests: litelm is none; there are auto, canonical, .*litellm"
    ):
        on("litelm")
    with pytest.raises(UsageError, match="attributes: tenant is no field"):
        FormatOptions(attributes={"tenant": ("a",)})
