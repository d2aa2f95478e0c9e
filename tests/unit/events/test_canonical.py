"""The canonical event: what it accepts, what it refuses, and the reason it gives."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from rice_stream.events.canonical import FIELD_NAMES, CanonicalEvent, WireEvent, describe_problems, to_wire, wire_time
from rice_stream.instants import parse_time
from rice_stream.quantities import NAME_LENGTH_MAX, TOKENS_MAX

DOCUMENTED: dict[str, Any] = {
    "schema_version": "1",
    "event_id": "req-7f3a",
    "started_at": "2026-11-22T19:00:00.120Z",
    "ended_at": "2026-11-22T19:00:03.480Z",
    "tenant_id": "acme",
    "team_id": "search",
    "project_id": "ranker",
    "user_id": "u-17",
    "provider": "openai",
    "request_model": "gpt-4o",
    "response_model": "gpt-4o-2024-08-06",
    "input_tokens": 2006,
    "cache_read_input_tokens": 1920,
    "output_tokens": 300,
    "reasoning_output_tokens": 128,
    "inference_region": "azure:swedencentral",
    "status": "ok",
    "gateway_cache_hit": False,
    "source": "/gateway/eu",
}


def judge(**changes: Any) -> CanonicalEvent:
    fields = {**DOCUMENTED, **changes}
    return CanonicalEvent.model_validate({name: value for name, value in fields.items() if value is not ...})


def reason_of(**changes: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        judge(**changes)
    return describe_problems(caught.value)


def test_the_documented_event_is_accepted_with_its_values() -> None:
    parsed = judge()
    assert parsed.ended_at == datetime(2026, 11, 22, 19, 0, 3, 480_000, tzinfo=UTC)
    assert (parsed.input_tokens, parsed.cache_read_input_tokens, parsed.output_tokens) == (2006, 1920, 300)
    assert parsed.gateway_cache_hit is False
    assert parsed.cache_write_input_tokens is None, "what is not said is null, not zero"


def test_null_tokens_stay_null() -> None:
    parsed = judge(input_tokens=None, cache_read_input_tokens=None, output_tokens=None, reasoning_output_tokens=None)
    assert parsed.input_tokens is None
    assert parsed.output_tokens is None


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"event_id": ...}, "missing_field", "event_id"),
        ({"tenant_id": ...}, "missing_field", "tenant_id"),
        ({"ended_at": ...}, "missing_field", "ended_at"),
        ({"input_tokens": ...}, "missing_field", "input_tokens"),
        ({"output_tokens": ...}, "missing_field", "output_tokens"),
        ({"event_id": ""}, "invalid_field", "event_id"),
        ({"tenant_id": 7}, "invalid_field", "tenant_id"),
        ({"event_id": "x" * (NAME_LENGTH_MAX + 1)}, "invalid_field", "event_id"),
        ({"tenant_id": "a\x00b"}, "invalid_field", "tenant_id"),
        ({"user_id": "a\x00b"}, "invalid_field", "user_id"),
        ({"input_tokens": -1}, "invalid_field", "input_tokens"),
        ({"input_tokens": True}, "invalid_field", "input_tokens"),
        ({"input_tokens": 5.0}, "invalid_field", "input_tokens"),
        ({"input_tokens": "5"}, "invalid_field", "input_tokens"),
        ({"output_tokens": TOKENS_MAX + 1}, "invalid_field", "output_tokens"),
        ({"status": "OK"}, "invalid_field", "status"),
        ({"usage_quality": "guessed"}, "invalid_field", "usage_quality"),
        ({"gateway_cache_hit": 1}, "invalid_field", "gateway_cache_hit"),
        ({"pue": "1.1"}, "invalid_field", "pue"),
        ({"utilisation": True}, "invalid_field", "utilisation"),
        ({"rci_gco2e_per_kwh": float("inf")}, "invalid_field", "rci_gco2e_per_kwh"),
        ({"devices": float("nan")}, "invalid_field", "devices"),
        ({"schema_version": "2"}, "unsupported_schema_version", "schema_version"),
        ({"request_model": None, "response_model": ...}, "missing_model", "request_model"),
        ({"request_model": "", "response_model": ""}, "missing_model", "request_model"),
        ({"started_at": "2026-11-22T19:00:03.481Z"}, "inconsistent_times", "ended_at"),
        ({"cache_read_input_tokens": 2007}, "inconsistent_tokens", "input_tokens"),
        ({"cache_write_input_tokens": 87}, "inconsistent_tokens", "input_tokens"),
        ({"reasoning_output_tokens": 301}, "inconsistent_tokens", "output_tokens"),
    ],
)
def test_a_broken_rule_is_refused_with_its_reason_and_field(changes: dict[str, Any], code: str, field: str) -> None:
    found, text = reason_of(**changes)
    assert found == code
    assert text.startswith(f"{field}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"cache_read_input_tokens": 1920, "cache_write_input_tokens": 86},
        {"reasoning_output_tokens": 300},
        {"input_tokens": TOKENS_MAX, "output_tokens": TOKENS_MAX},
        {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0, "reasoning_output_tokens": 0},
        {"input_tokens": None, "cache_read_input_tokens": 99},
        {"output_tokens": None, "reasoning_output_tokens": 99},
        {"started_at": "2026-11-22T19:00:03.480Z"},
        {"event_id": "x" * NAME_LENGTH_MAX, "tenant_id": "ä" * NAME_LENGTH_MAX},
        {"team_id": "", "request_model": ""},
        {"devices": 1, "batch_size": 1, "utilisation": 1, "pue": 1, "rci_gco2e_per_kwh": 0},
        {"devices": -1, "batch_size": 1e300, "utilisation": 0, "pue": 0.99, "rci_gco2e_per_kwh": -0.1},
        {"devices": 0.25, "batch_size": 16.5, "utilisation": 0.26, "pue": 1.1, "rci_gco2e_per_kwh": 41.5},
        {"messages": [{"role": "user", "content": "hello"}], "anything": {"else": None}},
    ],
)
def test_the_edges_of_every_rule_are_accepted(changes: dict[str, Any]) -> None:
    judge(**changes)


def test_every_problem_is_named_at_once_and_no_value_is_quoted() -> None:
    secret = "how do I tell my boss"
    code, text = reason_of(
        event_id=secret * 20, input_tokens=secret, status=secret, ended_at=secret, schema_version=secret, pue=secret
    )
    assert code in {"invalid_field", "unsupported_schema_version"}
    for field in ("event_id", "input_tokens", "status", "ended_at", "schema_version", "pue"):
        assert f"{field}: " in text
    assert "boss" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T19:00:03.480Z", datetime(2026, 11, 22, 19, 0, 3, 480_000, tzinfo=UTC)),
        ("2026-11-22t19:00:03z", datetime(2026, 11, 22, 19, 0, 3, tzinfo=UTC)),
        ("2026-11-22T20:00:03+01:00", datetime(2026, 11, 22, 19, 0, 3, tzinfo=UTC)),
        ("2026-11-22T19:00:03-00:00", datetime(2026, 11, 22, 19, 0, 3, tzinfo=UTC)),
        ("2026-11-22T19:00:03.123456999Z", datetime(2026, 11, 22, 19, 0, 3, 123_456, tzinfo=UTC)),
        ("2026-11-22T19:00:03.5Z", datetime(2026, 11, 22, 19, 0, 3, 500_000, tzinfo=UTC)),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59.999999Z", datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2100-01-01T00:30:00+01:00", datetime(2099, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_every_rfc_3339_spelling_is_read(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T19:00:03",
        "2026-11-22 19:00:03Z",
        "2026-11-22",
        "2026-11-22T19:00Z",
        "2026-11-22T19:00:60Z",
        "2026-11-22T24:00:00Z",
        "2026-13-22T19:00:03Z",
        "2025-02-29T19:00:03Z",
        "2026-11-22T19:00:03+25:00",
        "2026-11-22T19:00:03.Z",
        "2026-11-22T19:00:03.1234567890Z",
        "２０２６-11-22T19:00:03Z",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        " 2026-11-22T19:00:03Z",
        "",
        1795374003,
        1795374003.48,
        None,
        True,
        ["2026-11-22T19:00:03Z"],
        datetime(2026, 11, 22),  # noqa: DTZ001  the point: it has no time zone
    ],
)
def test_what_is_no_instant_with_a_time_zone_in_this_century_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_time(value)


def test_wire_time_is_utc_to_the_microsecond_and_reads_back() -> None:
    moment = datetime(2026, 11, 22, 20, 0, 3, 480_001, tzinfo=timezone(timedelta(hours=1)))
    assert wire_time(moment) == "2026-11-22T19:00:03.480001Z"
    assert parse_time(wire_time(moment)) == moment


def test_the_wire_event_has_the_fields_of_the_model_and_carries_its_values() -> None:
    assert set(FIELD_NAMES) == set(CanonicalEvent.model_fields)
    wire = to_wire(judge(started_at=None))
    assert isinstance(wire, WireEvent)
    assert wire.started_at is None
    assert wire.ended_at == "2026-11-22T19:00:03.480000Z"
    assert wire.response_model == "gpt-4o-2024-08-06"
