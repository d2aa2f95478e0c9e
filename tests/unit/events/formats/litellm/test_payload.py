"""LiteLLM: logging payloads as one object, an array or JSON lines, and rows of the SpendLogs table."""

import base64
import json
from typing import Any

import pytest

from rice_stream.events.formats.reading.options import FormatOptions
from tests.support.format_payloads import FILES, changed, only_event, outcomes, reasons, results, said, tokens
from tests.support.identities import identities

SUCCESS = "litellm_success.json"


def test_a_payload_becomes_an_event_with_the_counts_names_and_times_it_has() -> None:
    [outcome] = outcomes(FILES[SUCCESS])
    assert said(outcome.result) == {
        "event_id": "call-0001",
        "started_at": "2026-11-22T19:00:00.250000Z",
        "ended_at": "2026-11-22T19:00:03.500000Z",
        "tenant_id": "team-a",
        "team_id": "team-a",
        "project_id": "ranker",
        "user_id": "u-7",
        "api_key_id": "hash-1",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 2006,
        "cache_read_input_tokens": 1920,
        "output_tokens": 300,
        "reasoning_output_tokens": 128,
        "inference_region": "eu",
        "status": "ok",
        "usage_quality": "reported",
    }
    assert (outcome.source_format, outcome.region_source, outcome.notes) == ("litellm", "endpoint", ())


def test_a_failure_is_an_event_with_no_tokens() -> None:
    event = only_event(FILES["litellm_failure.json"])
    assert (event.status, tokens(event)) == ("error", (0, None, None, 0, None))
    assert (event.tenant_id, event.provider) == ("org-1", "azure.ai.openai")


def test_a_gateway_cache_hit_keeps_its_counts_its_own_id_and_is_marked() -> None:
    event = only_event(FILES["litellm_cache_hit.json"])
    assert event.gateway_cache_hit is True
    assert event.event_id == "chatcmpl-one_cache_hit1795374020.5"
    assert tokens(event)[:4] == (2006, None, None, 300)


def test_a_rewritten_id_alone_tells_a_cache_hit() -> None:
    assert only_event(changed("litellm_cache_hit.json", cache_hit=None)).gateway_cache_hit is True
    assert only_event(changed("litellm_cache_hit.json", cache_hit=None, id="chatcmpl-one")).gateway_cache_hit is None


@pytest.mark.parametrize(
    "spell",
    [
        lambda lines: b"[" + b",".join(lines) + b"]",
        b"\n".join,
        lambda lines: b"\r\n".join(lines) + b"\r\n",
        lambda lines: b"\x00\x00\x00\x00\x09[" + b",".join(lines) + b"]",
    ],
    ids=["array", "ndjson", "ndjson with crlf", "array in a registry frame"],
)
def test_every_delivery_of_the_same_payloads_gives_the_same_events(spell: Any) -> None:
    lines = FILES["litellm_anthropic.ndjson"].splitlines()
    events = results(spell([*lines, json.dumps(json.loads(FILES[SUCCESS])).encode()]))
    assert [event.event_id for event in events] == ["call-0003", "call-0004", "call-0001"]


def test_anthropics_classes_are_already_folded_in_and_its_geography_is_the_region() -> None:
    """21 + 2048 + 16399 = 18468, added up by LiteLLM: nothing is added twice."""
    [first, second] = outcomes(FILES["litellm_anthropic.ndjson"])
    assert tokens(first.result) == (18468, 16399, 2048, 512, None)
    assert (said(first.result)["inference_region"], first.region_source) == ("us", "provider_geo")
    assert (said(second.result)["inference_region"], second.region_source) == ("aws:us-west-2", "endpoint")


def test_times_without_a_zone_are_read_as_utc_and_said_to_be() -> None:
    [_, outcome] = outcomes(FILES["litellm_anthropic.ndjson"])
    assert said(outcome.result)["ended_at"] == "2026-11-22T19:00:41.250000Z"
    assert outcome.notes == ("time_zone_assumed",)


@pytest.mark.parametrize(
    ("spelling", "ended_at"),
    [
        (1795374003.5, "2026-11-22T19:00:03.500000Z"),
        (1795374003, "2026-11-22T19:00:03.000000Z"),
        (1795374003500, "2026-11-22T19:00:03.500000Z"),
        ("1795374003.5", "2026-11-22T19:00:03.500000Z"),
        ("2026-11-22T20:00:03.5+01:00", "2026-11-22T19:00:03.500000Z"),
        ("2026-11-22 19:00:03.500000", "2026-11-22T19:00:03.500000Z"),
        ("2026-11-22T19:00:03.500000123Z", "2026-11-22T19:00:03.500000Z"),
    ],
)
def test_the_end_is_read_in_every_spelling_that_is_in_use(spelling: object, ended_at: str) -> None:
    assert only_event(changed(SUCCESS, endTime=spelling)).ended_at == ended_at


@pytest.mark.parametrize("spelling", ["yesterday", True, -5.0, 12, "0001-01-01T00:00:00+23:00", "2150-01-01"])
def test_an_end_that_is_no_time_is_refused_by_name(spelling: object) -> None:
    [found] = results(changed(SUCCESS, endTime=spelling))
    assert found.reason == "invalid_field"
    assert found.detail.startswith(("endTime:", "ended_at:"))


@pytest.mark.parametrize(
    ("metadata", "tenant"),
    [
        ({"user_api_key_team_id": "t", "user_api_key_org_id": "o", "user_api_key_user_id": "u"}, "t"),
        ({"user_api_key_team_id": "", "user_api_key_org_id": "o", "user_api_key_user_id": "u"}, "o"),
        ({"user_api_key_team_id": None, "user_api_key_user_id": "u", "user_api_key_hash": "h"}, "u"),
        ({"user_api_key_hash": "h"}, "h"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_tenant_is_the_first_of_team_organisation_user_and_key(metadata: object, tenant: str) -> None:
    assert only_event(changed(SUCCESS, metadata=metadata)).tenant_id == tenant


def test_detail_objects_may_be_null_everywhere() -> None:
    usage = {
        "prompt_tokens": 8,
        "completion_tokens": 4,
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
    }
    payload = changed(SUCCESS, prompt_tokens=8, completion_tokens=4, total_tokens=12, metadata={"usage_object": usage})
    assert tokens(only_event(payload)) == (8, None, None, 4, None)


def test_the_replies_own_usage_stands_in_where_no_usage_object_is_carried() -> None:
    response = {
        "model": "gpt-4o-2024-08-06",
        "usage": {"prompt_tokens": 2006, "prompt_tokens_details": {"cached_tokens": 7}},
    }
    event = only_event(changed(SUCCESS, metadata={}, response=response))
    assert tokens(event) == (2006, 7, None, 300, None)


def test_a_success_without_any_token_is_unknown_and_not_zero() -> None:
    event = only_event(changed(SUCCESS, prompt_tokens=0, completion_tokens=0, total_tokens=0, metadata={}))
    assert (tokens(event), event.usage_quality) == ((None, None, None, None, None), "missing")


@pytest.mark.parametrize(
    ("call_type", "counted", "expected"),
    [
        ("aimage_generation", 0, "not_an_inference"),
        ("acreate_file", 0, "not_an_inference"),
        ("call_mcp_tool", 0, "not_an_inference"),
        ("aimage_generation", 40, "event"),
        # Asked for again: 1.80 logs the tokens of the answer each time.
        ("aget_responses", 40, "not_an_inference"),
        ("pass_through_endpoint", 0, "event"),
        ("aresponses", 0, "event"),
        (None, 40, "event"),
    ],
)
def test_calls_that_are_no_inference_and_have_no_tokens_are_ignored(
    call_type: str, counted: int, expected: str
) -> None:
    payload = changed(SUCCESS, call_type=call_type, prompt_tokens=counted, completion_tokens=0, total_tokens=counted)
    assert reasons(results(payload)) == [expected]


def test_the_name_that_the_proxy_was_asked_for_is_not_the_model_that_answered() -> None:
    """The proxy writes it over the reply's model: behind `gpt-4` may stand anything."""
    behind = {"model": "hosted_vllm/meta-llama/Llama-3.1-8B-Instruct", "custom_llm_provider": "hosted_vllm"}
    event = only_event(changed(SUCCESS, **behind, model_group="gpt-4", response={"model": "gpt-4"}))
    assert (event.request_model, event.response_model) == ("hosted_vllm/meta-llama/Llama-3.1-8B-Instruct", None)
    event = only_event(changed(SUCCESS, **behind, model_group="gpt-4", response={"model": "llama-3.1-8b"}))
    assert event.response_model == "llama-3.1-8b"


def test_a_responses_call_around_a_chat_call_that_is_logged_too_counts_once() -> None:
    """As 1.80 logs it: without provider, the chat's id within its own."""
    inner = b"litellm:custom_llm_provider:anthropic;model_id:None;response_id:chatcmpl-one"
    outer = {"id": "resp_" + base64.b64encode(inner).decode(), "litellm_call_id": None, "call_type": "aresponses"}
    assert reasons(results(changed(SUCCESS, **outer, custom_llm_provider=None))) == ["repeats_inner_call"]
    assert reasons(results(changed(SUCCESS, **outer))) == ["event"]
    own = "resp_" + base64.b64encode(inner.replace(b"chatcmpl-one", b"resp_1")).decode()
    for call_id in (own, "resp_1", "resp_\u00e9", "call-1"):
        payload = changed(SUCCESS, **{**outer, "id": call_id}, custom_llm_provider=None)
        assert reasons(results(payload)) == ["event"]


BATCH: dict[str, Any] = {
    "id": "batch_1",
    "call_type": "aretrieve_batch",
    "model": "",
    "model_group": "",
    "prompt_tokens": 4013,
    "completion_tokens": 600,
    "total_tokens": 4613,
    "response": {"id": "batch_1", "object": "batch", "status": "completed", "completed_at": 1795374000},
    "hidden_params": {"batch_models": ["gpt-4o-2024-08-06", "gpt-4o-2024-08-06"], "batch_successful_requests": 2},
    "metadata": {
        "user_api_key_team_id": "team-a",
        "usage_object": {
            "prompt_tokens": 4013,
            "prompt_tokens_details": {"cached_tokens": 3841},
            "completion_tokens_details": {"reasoning_tokens": 256},
        },
    },
}


def test_a_finished_batch_is_its_requests_each_with_its_share() -> None:
    """2006 + 2007 = 4013; the odd cached token is left out."""
    events = results(changed(SUCCESS, **BATCH))
    assert [tokens(event) for event in events] == [(2006, 1920, 0, 300, 128), (2007, 1920, 0, 300, 128)]
    assert [event.event_id for event in events] == ["batch_1:0", "batch_1:1"]
    assert {(e.response_model, e.tenant_id, e.usage_quality) for e in events} == {
        ("gpt-4o-2024-08-06", "team-a", "derived")
    }


def test_a_batch_that_is_asked_for_again_is_the_same_events() -> None:
    """LiteLLM gives each asking a call id and an end of its own."""
    first, again = changed(SUCCESS, **BATCH), changed(SUCCESS, **BATCH, litellm_call_id="call-2", endTime=1795379999.0)
    assert results(first) == results(again)
    assert results(first)[0].ended_at == "2026-11-22T19:00:00.000000Z"


def test_a_batch_without_tokens_is_ignored_and_one_of_unknown_size_refused() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "metadata": {}}
    assert reasons(results(changed(SUCCESS, **{**BATCH, **nothing}))) == ["not_an_inference"]
    unknown: list[dict[str, Any]] = [{}, {"batch_models": []}, {**BATCH["hidden_params"]}]
    unknown[2]["batch_successful_requests"] = 10**9
    for hidden in unknown:
        assert reasons(results(changed(SUCCESS, **{**BATCH, "hidden_params": hidden}))) == ["invalid_field"]
    one_name = {"hidden_params": {"batch_models": ["gpt-4o"]}, "response": {"request_counts": {"completed": 2}}}
    assert reasons(results(changed(SUCCESS, **{**BATCH, **one_name}))) == ["invalid_field"]


def test_a_reply_that_the_proxy_passed_on_unread_has_its_own_counts_and_model() -> None:
    usage = {"prompt_tokens": 2006, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1920}}
    reply = json.dumps({"model": "gpt-4o-2024-08-06", "choices": [], "usage": usage})
    unread = {"call_type": "pass_through_endpoint", "model_group": "gpt-4o", "metadata": {}}
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    event = only_event(changed(SUCCESS, **unread, **nothing, response={"response": reply}))
    assert (tokens(event), event.response_model) == ((2006, 1920, None, 300, None), "gpt-4o-2024-08-06")
    streamed = {"response": "cannot parse chunks to standard response object. Chunks=[]"}
    assert only_event(changed(SUCCESS, **unread, **nothing, response=streamed)).usage_quality == "missing"


def test_an_embedding_has_no_output() -> None:
    payload = changed(
        SUCCESS, call_type="aembedding", prompt_tokens=9, completion_tokens=0, total_tokens=9, metadata={}
    )
    assert tokens(only_event(payload)) == (9, None, None, 0, None)


@pytest.mark.parametrize("value", [True, -1, 1.5, "many", [1], 2**40])
def test_counts_that_are_none_are_refused_by_name(value: object) -> None:
    found = results(changed(SUCCESS, prompt_tokens=value, total_tokens=None))
    assert reasons(found) == ["invalid_field"]
    assert "tokens" in found[0].detail


def test_rows_of_the_spend_log_are_read_with_their_json_columns_as_text() -> None:
    [first, second] = outcomes(FILES["spend_logs.json"])
    assert said(first.result) == {
        "event_id": "chatcmpl-three",
        "started_at": "2026-11-22T19:01:00.000000Z",
        "ended_at": "2026-11-22T19:01:02.500000Z",
        "tenant_id": "team-c",
        "team_id": "team-c",
        "user_id": "u-8",
        "api_key_id": "hash-4",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 1000,
        "cache_read_input_tokens": 768,
        "output_tokens": 250,
        "gateway_cache_hit": False,
        "status": "ok",
        "usage_quality": "reported",
    }
    assert first.notes == ("time_zone_assumed",)
    event = said(second.result)
    assert (event["tenant_id"], event["status"], tokens(second.result)) == ("org-2", "error", (0, None, None, 0, None))


def test_a_call_and_its_row_of_the_spend_log_are_one_event_where_the_row_has_the_calls_id() -> None:
    """A back-fill beside the callback counts nothing twice; rows of older releases have `request_id` alone."""
    [row] = json.loads(FILES["spend_logs.json"])[:1]
    payload = {
        "id": row["request_id"],
        "litellm_call_id": "call-0009",
        "call_type": row["call_type"],
        "status": "success",
        "model": row["model"],
        "startTime": 1_795_374_060.0,
        "endTime": 1_795_374_062.500_987,
        "metadata": {"user_api_key_team_id": row["team_id"]},
    }
    [called] = identities(json.dumps(payload).encode(), FormatOptions())
    [newer] = identities(json.dumps({**row, "litellm_call_id": "call-0009"}).encode(), FormatOptions())
    [older] = identities(json.dumps(row).encode(), FormatOptions())
    assert newer["key"] == called["key"]
    assert (older["event_id"], older["key"] == called["key"]) == (row["request_id"], False)


def test_missing_usage_is_estimated_from_the_messages_only_where_asked_for() -> None:
    """ "PLANTED-TEXT question" has 21 characters: 21 / 4, rounded up, is 6; "PLANTED-TEXT answer" has 19: 5."""
    payload = changed(SUCCESS, prompt_tokens=None, completion_tokens=None, total_tokens=None, metadata={})
    [plain] = outcomes(payload)
    assert tokens(plain.result) == (None, None, None, None, None)
    [estimated] = outcomes(payload, FormatOptions(estimate_missing_usage=True))
    assert tokens(estimated.result) == (6, None, None, 5, None)
    assert said(estimated.result)["usage_quality"] == "estimated"
    assert estimated.notes == ("input_tokens_from_text_length", "output_tokens_from_text_length")


def test_redacted_messages_are_no_text_to_estimate_from() -> None:
    messages = [{"role": "user", "content": "redacted-by-litellm"}]
    payload = changed(SUCCESS, prompt_tokens=None, total_tokens=None, metadata={}, messages=messages)
    assert only_event(payload, FormatOptions(estimate_missing_usage=True)).input_tokens is None
