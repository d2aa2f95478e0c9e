"""What a Kafka record may hold: one object, an array, NDJSON, CloudEvents in three modes; anything else is named."""

import base64
import json
from typing import Any

import pytest

from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import decode_batch
from rice_stream.events.records import Decoded, RawRecord
from rice_stream.quantities import UNKNOWN
from tests.support.fakes import event, records_of, value_of
from tests.support.format_payloads import PAYLOADS

ENVELOPE = {"specversion": "1.0", "id": "ce-1", "source": "/gw", "type": "llm.request", "time": "2026-11-22T12:00:00Z"}


def decode(*values: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> tuple[EventColumns, Decoded]:
    return decode_batch([RawRecord("events", 0, k, value, headers) for k, value in enumerate(values)])


def ids(*values: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> list[str]:
    columns, decoded = decode(*values, headers=headers)
    assert not decoded.refused
    return list(columns.event_id)


def only_refused(*values: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> tuple[str, str]:
    columns, decoded = decode(*values, headers=headers)
    assert len(columns) == 0
    [item] = decoded.refused
    return item.reason, item.detail


def bare(**changes: Any) -> dict[str, Any]:
    """An event that leaves identity, tenant, time and source to its CloudEvents envelope."""
    return event(event_id=..., tenant_id=..., ended_at=..., source=..., started_at=..., **changes)


def test_a_plain_object_becomes_one_row_of_columns() -> None:
    columns, decoded = decode(value_of(event(cache_read_input_tokens=4, user_id="u-1", source="/gw")))
    assert len(columns) == 1
    assert columns.attribution == [("acme", "search", None, "/gw")]
    assert columns.service == [(None, "small", None, None)]
    assert columns.ended_at_us.tolist() == [1_795_348_800_000_000]
    assert columns.duration_us.tolist() == [1_500_000]
    assert columns.input_tokens.tolist() == [10]
    assert columns.cache_read_input_tokens.tolist() == [4]
    assert columns.cache_write_input_tokens.tolist() == [UNKNOWN]
    assert columns.inference.tolist() == [True]
    assert columns.failed.tolist() == [False]
    assert decoded.refused == []


def test_factors_on_one_event_do_not_disturb_its_neighbours_in_other_blocks() -> None:
    """Blocks with and without factor fields are put together to columns of one shape."""
    payloads = [event(event_id=f"e-{k}") for k in range(5000)]
    payloads[4999]["pue"] = 1.5
    columns, _ = decode_batch(records_of(payloads))
    assert {len(service) for service in columns.service} == {10}
    assert columns.service[4999] == (None, "small", None, None, None, None, None, None, 1.5, None)
    assert columns.service[0] == (None, "small", None, None, None, None, None, None, None, None)


@pytest.mark.parametrize(
    "spelling",
    [
        value_of,
        lambda events: b"  \n" + value_of(events) + b"\n ",
        lambda events: b"\n".join(map(value_of, events)),
        lambda events: b"\r\n".join(map(value_of, events)) + b"\r\n\r\n",
        lambda events: b"\x00\x00\x00\x00\x07" + value_of(events),
        lambda events: value_of([{**ENVELOPE, "id": "x", "data": e} for e in events]),
        lambda events: b"\n".join(value_of({**ENVELOPE, "id": "x", "data": e}) for e in events),
    ],
    ids=["array", "array with blanks", "ndjson", "ndjson crlf", "registry frame", "cloudevents batch", "ce ndjson"],
)
def test_many_events_in_one_record_keep_their_order_and_their_item_numbers(spelling: Any) -> None:
    events = [event(event_id=f"e-{k}") for k in range(3)]
    columns, decoded = decode(spelling(events))
    assert list(columns.event_id) == ["e-0", "e-1", "e-2"]
    assert decoded.items == [0, 1, 2]
    assert not decoded.refused


def test_a_pretty_printed_object_is_one_event_not_lines() -> None:
    assert ids(json.dumps(event(), indent=2).encode()) == ["e-1"]
    assert ids(b"\x00\x00\x00\x00\x01" + json.dumps(event(), indent=2).encode()) == ["e-1"]


def test_a_bad_line_or_element_costs_only_itself() -> None:
    for value in (
        b"\n".join([value_of(event(event_id="a")), b"{oops", value_of(event(event_id="b"))]),
        b"[" + value_of(event(event_id="a")) + b", 17, " + value_of(event(event_id="b")) + b"]",
    ):
        columns, decoded = decode(value)
        assert list(columns.event_id) == ["a", "b"]
        assert decoded.items == [0, 2]
        assert [(r.item, r.record.offset) for r in decoded.refused] == [(1, 0)]


def test_cloudevents_structured_fills_identity_time_tenant_and_source_from_the_envelope() -> None:
    columns, decoded = decode(value_of({**ENVELOPE, "tenantid": "acme", "data": bare()}))
    assert not decoded.refused
    assert list(columns.event_id) == ["ce-1"]
    assert columns.attribution == [("acme", "search", None, "/gw")]
    assert columns.ended_at_us.tolist() == [1_795_348_800_000_000]


def test_what_the_event_says_itself_wins_over_the_envelope() -> None:
    inside = event(event_id="inner", tenant_id="inner-tenant", source="/inner")
    columns, _ = decode(value_of({**ENVELOPE, "tenantid": "outer", "subject": "outer", "data": inside}))
    assert list(columns.event_id) == ["inner"]
    assert columns.attribution == [("inner-tenant", "search", None, "/inner")]


def test_the_subject_names_the_tenant_where_nothing_else_does() -> None:
    columns, _ = decode(value_of({**ENVELOPE, "subject": "from-subject", "data": bare()}))
    assert columns.attribution[0][0] == "from-subject"
    columns, _ = decode(value_of({**ENVELOPE, "subject": "no", "tenantid": "from-extension", "data": bare()}))
    assert columns.attribution[0][0] == "from-extension"


def test_cloudevents_data_may_be_base64() -> None:
    data = base64.b64encode(value_of(bare())).decode()
    assert ids(value_of({**ENVELOPE, "tenantid": "acme", "data_base64": data})) == ["ce-1"]


def test_cloudevents_binary_mode_reads_headers_of_any_case() -> None:
    headers = (
        ("CE_specversion", b"1.0"),
        ("ce_id", b"ce-7"),
        ("ce_source", b"/gw"),
        ("ce_type", b"llm.request"),
        ("ce_time", b"2026-11-22T12:00:00Z"),
        ("ce_tenantid", b"acme"),
        ("content-type", b"application/json"),
    )
    columns, decoded = decode(value_of(bare()), headers=headers)
    assert not decoded.refused
    assert list(columns.event_id) == ["ce-7"]
    assert columns.attribution == [("acme", "search", None, "/gw")]


def test_other_headers_do_not_turn_a_record_into_a_cloudevent() -> None:
    headers = (("ce_id", b"not used"), ("traceparent", b"\xff\xfe"), ("empty", b""))
    assert ids(value_of(event()), headers=headers) == ["e-1"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty_value"),
        (b"", "empty_value"),
        (b" \n\t", "empty_value"),
        (b"\xff\xfe\xfd", "not_json"),
        (b"{", "not_json"),
        (b"{}{}", "not_json"),
        (b"hello", "not_json"),
        (b"[1,", "not_json"),
        (b'{"event_id": "\xff"}', "not_json"),
        (b'{"event_id": "\\ud800"}', "not_json"),
        (b'{"event_id": NaN}', "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"messages":' + b"[" * 100_000, "not_json"),
        (b'{"input_tokens":' + b"9" * 5_000 + b"}", "not_json"),
        (b"[]", "not_an_object"),
        (b"7", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"[[]]", "not_an_object"),
        (b"{}", "missing_field"),
        (b'{"specversion":"0.3","data":{}}', "invalid_cloudevent"),
        (b'{"specversion":"1.0"}', "invalid_cloudevent"),
        (b'{"specversion":"1.0","data":"text"}', "invalid_cloudevent"),
        (b'{"specversion":"1.0","data_base64":"!"}', "invalid_cloudevent"),
        (b'{"specversion":"1.0","data_base64":7}', "invalid_cloudevent"),
        (b'{"specversion":"1.0","data":{}}', "missing_field"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(value: bytes | None, reason: str) -> None:
    found, detail = only_refused(value)
    assert found == reason
    assert detail


@pytest.mark.parametrize("depth", [10, 900, 980, 990, 991, 992, 993, 994, 995, 1000, 2000, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [(b'{"data":', b"}"), (b"[", b"]"), (b'{"x":[', b"]}")])
def test_nesting_of_any_depth_is_refused_not_a_crash(depth: int, opening: bytes, closing: bytes) -> None:
    """Also at the very depth at which the decoder still manages and the next step would run out of stack."""
    _, decoded = decode(opening * depth + b"1" + closing * depth)
    assert len(decoded.refused) == 1


def test_deep_nesting_in_a_field_that_is_not_read_does_not_matter() -> None:
    value = value_of(event())[:-1] + b',"messages":' + b"[" * 200 + b"]" * 200 + b"}"
    assert ids(value) == ["e-1"]


def test_of_keys_that_repeat_the_last_one_counts_on_either_path() -> None:
    for first, last, expected in ((b"1", b"2", [2]), (b'"bad"', b"2", [2]), (b"1", b"null", [UNKNOWN])):
        value = value_of(event(input_tokens=...))[:-1] + b',"input_tokens":%s,"input_tokens":%s}' % (first, last)
        columns, decoded = decode(value)
        assert not decoded.refused
        assert columns.input_tokens.tolist() == expected


def test_the_digest_of_a_refused_item_tells_records_apart() -> None:
    _, decoded = decode(b"one", b"two", b"one")
    digests = [item.digest for item in decoded.refused]
    assert digests[0] == digests[2] != digests[1]
    assert len(digests[0]) == 16


def test_no_records_are_no_events() -> None:
    columns, decoded = decode_batch([])
    assert len(columns) == 0
    assert decoded == Decoded([], [], [], [], [])


def test_how_another_format_was_read_and_what_named_its_region_goes_with_the_event() -> None:
    """Beside a canonical one in the same block, which has neither; a block of canonical ones alone has no such column."""
    records = [
        RawRecord("events", 0, 0, value_of(event())),
        RawRecord("events", 0, 1, PAYLOADS["otlp_vllm.pb"]),
        RawRecord("events", 0, 2, PAYLOADS["litellm_success.json"]),
    ]
    columns, decoded = decode_batch(records)
    assert decoded.refused == []
    assert [service[-2:] for service in columns.service] == [(None, None), ("otlp", "span"), ("litellm", "endpoint")]
    plain, _ = decode_batch(records[:1])
    assert len(plain.served) == 4
    both, _ = decode_batch([*records[:1] * 1024, *records])
    assert len(both) == 1027
