"""No text of a prompt or an answer survives a refusal: not in the payload that is kept, not in the words of the reason."""

import base64
import json
from typing import Any

import pytest

from rice_stream.events.canonical import FIELD_NAMES
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import RawRecord
from rice_stream.events.redact import PAYLOAD_LENGTH_MAX, redact
from tests.support.fakes import event, value_of

MARKER = "XYZZYmarker"
LONG = f"{MARKER} " * 40
ENVELOPE = {"specversion": "1.0", "id": "ce-1", "source": "/gw", "type": "t"}


def planted() -> dict[str, bytes]:
    """Records that are refused, each with the marker where text could sneak in."""
    bad = event(input_tokens=-1)
    return {
        "unknown field": value_of({**bad, "prompt": MARKER}),
        "messages": value_of({**bad, "messages": [{"role": "user", "content": MARKER}]}),
        "nested objects": value_of({**bad, "a": {"b": {"c": [MARKER]}}}),
        "over-long id": value_of(event(event_id=LONG)),
        "over-long optional name": value_of({**bad, "team_id": LONG}),
        "object where a name belongs": value_of(event(event_id={"text": MARKER})),
        "list where a count belongs": value_of(event(input_tokens=[MARKER])),
        "malformed JSON": b'{"event_id": "' + MARKER.encode() + b'", "messages": ["' + MARKER.encode(),
        "bare text": MARKER.encode(),
        "JSON string": value_of(MARKER),
        "array of strings": value_of([MARKER, MARKER]),
        "invalid UTF-8": MARKER.encode() + b"\xff" + MARKER.encode(),
        "invalid escape": b'{"event_id": "' + MARKER.encode() + b'\\x"}',
        "data of an event": value_of({**ENVELOPE, "data": {**bad, "prompt": MARKER, "nested": {"x": MARKER}}}),
        "data as text": value_of({**ENVELOPE, "data": MARKER}),
        "data in data": value_of({**ENVELOPE, "data": {"data": {"event_id": MARKER}}}),
        "data_base64, not JSON": value_of({**ENVELOPE, "data_base64": base64.b64encode(MARKER.encode()).decode()}),
        "data_base64, not base64": value_of({**ENVELOPE, "data_base64": MARKER + "é"}),
        "sentence as a key": value_of({**bad, f"{MARKER} what is it": 1}),
        "key without blanks": value_of({**bad, f"ß{MARKER}": 1}),
        "long key": value_of({**bad, "k" * 60 + MARKER: 1}),
        "NDJSON, second line": value_of(bad) + b"\n" + MARKER.encode(),
        "after a NUL": value_of(event(tenant_id="a\x00b", prompt=MARKER)),
        "huge number beside it": b'{"input_tokens": ' + b"9" * 400 + b', "x": "' + MARKER.encode() + b'"}',
    }


@pytest.mark.parametrize("where", planted())
def test_planted_text_is_in_no_refused_item(where: str) -> None:
    _, decoded = decode_batch([RawRecord("events", 0, 0, planted()[where])])
    assert decoded.refused, "the record was meant to be refused"
    for item in decoded.refused:
        said = item.reason + item.detail + item.payload
        assert MARKER not in said
        assert base64.b64encode(MARKER.encode()).decode().rstrip("=") not in said


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_no_reason_quotes_the_value_of_a_field(name: str) -> None:
    """Whatever is wrong with a field, its reason says what is expected and never what came."""
    for wrong in (LONG, [MARKER], {"text": MARKER}):
        fields: dict[str, Any] = {**event(), name: wrong}
        _, decoded = decode_batch([RawRecord("events", 0, 0, value_of(fields))])
        [item] = decoded.refused
        assert name in item.detail
        assert MARKER not in item.detail
        assert MARKER not in item.payload


def test_a_redacted_payload_keeps_names_counts_and_times_for_the_one_who_repairs_it() -> None:
    value = value_of(event(input_tokens=-1, messages=["secret"], user_id="u-1"))
    _, decoded = decode_batch([RawRecord("events", 0, 0, value)])
    kept = json.loads(decoded.refused[0].payload)
    assert kept["event_id"] == "e-1"
    assert kept["input_tokens"] == -1
    assert kept["ended_at"] == "2026-11-22T12:00:00Z"
    assert kept["user_id"] == "u-1"
    assert kept["messages"] == "<removed>"


def test_a_payload_is_bounded_and_storable_in_any_database() -> None:
    many = value_of({**{f"field_{k}": 1 for k in range(100_000)}, "event_id": "a\x00b"})
    _, decoded = decode_batch([RawRecord("events", 0, 0, many)])
    payload = decoded.refused[0].payload
    assert len(payload) <= PAYLOAD_LENGTH_MAX
    assert "\x00" not in payload
    assert redact(None) == "<no value>"
    assert redact(b"\xff").startswith("<1 bytes, blake2b ")
