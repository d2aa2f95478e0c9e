"""OpenMeter, Langfuse, Bedrock, Kong and Envoy: each documented shape gives the events worked out by hand."""

import json

import pytest

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Refused
from tests.support.format_payloads import FILES, changed, only_event, outcomes, reasons, results, said, tokens

OPENMETER = [json.dumps(event).encode() for event in json.loads(FILES["openmeter.json"])]
ENVOY = FILES["envoy_log.ndjson"].splitlines()
BEDROCK = FILES["bedrock_log.ndjson"].splitlines()


def edited(line: bytes, **changes: object) -> bytes:
    return json.dumps({**json.loads(line), **changes}).encode()


# --- OpenMeter -------------------------------------------------------------------------------------------------------


def test_the_two_halves_of_an_openmeter_request_add_up_to_the_request() -> None:
    [first, second] = [outcomes(event)[0] for event in OPENMETER[:2]]
    assert said(first.result) == {
        "event_id": "om-1",
        "ended_at": "2026-11-22T19:02:00.000000Z",
        "tenant_id": "customer-1",
        "provider": "openai",
        "request_model": "gpt-4o",
        "input_tokens": 2006,
        "output_tokens": 0,
        "status": "ok",
        "source": "api-gateway",
        "usage_quality": "derived",
    }
    assert tokens(second.result) == (0, None, None, 300, None)
    assert first.notes == second.notes == ("half_a_request",)


def test_litellms_openmeter_event_is_a_whole_request() -> None:
    event = only_event(OPENMETER[2])
    assert tokens(event) == (10, None, None, 20, None)
    assert (event.event_id, event.tenant_id, event.source) == ("chatcmpl-four", "u-7", "litellm-proxy")


@pytest.mark.parametrize("kind", ["reasoning", "cached", "total", None, 7])
def test_a_token_type_that_may_be_part_of_another_is_refused(kind: object) -> None:
    event = json.loads(OPENMETER[0])
    event["data"]["type"] = kind
    [found] = results(json.dumps(event).encode())
    assert isinstance(found, Refused)
    assert found.reason == "unknown_token_type"


def test_an_openmeter_event_in_binary_mode_takes_id_time_and_subject_from_the_headers() -> None:
    headers = tuple(
        (f"ce_{name}", value.encode())
        for name, value in json.loads(OPENMETER[0]).items()
        if name in ("specversion", "id", "type", "source", "subject", "time")
    )
    data = json.dumps(json.loads(OPENMETER[0])["data"]).encode()
    assert only_event(data, headers=headers) == only_event(OPENMETER[0])


# --- Langfuse --------------------------------------------------------------------------------------------------------


def test_a_langfuse_batch_yields_one_item_per_entry_and_its_complete_generations_as_events() -> None:
    found = results(FILES["langfuse_batch.json"])
    assert reasons(found) == [
        "not_an_inference",
        "superseded",
        "not_an_inference",
        "event",
        "event",
        "incomplete_generation",
        "not_an_inference",
    ]


def test_create_and_update_of_a_generation_are_put_together_and_the_disjoint_details_added_up() -> None:
    """86 + 1920 = 2006 and 172 + 128 = 300; 2006 + 300 = 2306, the total."""
    event = said(results(FILES["langfuse_batch.json"])[3])
    assert event == {
        "event_id": "gen-1",
        "started_at": "2026-11-22T19:03:00.000000Z",
        "ended_at": "2026-11-22T19:03:03.500000Z",
        "tenant_id": "customer-5",
        "user_id": "customer-5",
        "request_model": "gpt-4o",
        "input_tokens": 2006,
        "cache_read_input_tokens": 1920,
        "output_tokens": 300,
        "reasoning_output_tokens": 128,
        "status": "ok",
        "usage_quality": "reported",
    }


def test_a_generation_with_plain_usage_an_error_and_litellms_metadata() -> None:
    event = said(results(FILES["langfuse_batch.json"])[4])
    assert (event["input_tokens"], event["output_tokens"], event["status"]) == (10, 20, "error")
    assert (event["tenant_id"], event["inference_region"]) == ("team-a", "gcp:europe-west4")


GENERATION = {"id": "g", "endTime": "2026-11-22T19:00:00Z", "model": "m"}


@pytest.mark.parametrize(
    ("usage", "expected", "quality"),
    [
        (
            {"usage": {"promptTokens": 10, "completionTokens": 20, "totalTokens": 30}},
            (10, None, None, 20, None),
            "reported",
        ),
        ({"usage": {"input": 100, "output": 200, "unit": "CHARACTERS"}}, (None, None, None, None, None), "missing"),
        (
            {"usage": {"input": None, "output": None, "total": 30, "unit": None}},
            (None, None, None, None, None),
            "missing",
        ),
        # Inclusive counts in the map, as LiteLLM writes them: the total decides.
        (
            {"usageDetails": {"input": 2006, "cache_read_input_tokens": 1920, "output": 300, "total": 2306}},
            (2006, 1920, None, 300, None),
            "derived",
        ),
        # LiteLLM 1.80: what was written to the cache is still in `input`. 86 - 36 = 50, and 50 + 1920 + 36 = 2006.
        (
            {
                "usageDetails": {
                    "input": 86,
                    "output": 300,
                    "total": 2306,
                    "cache_creation_input_tokens": 36,
                    "cache_read_input_tokens": 1920,
                }
            },
            (2006, 1920, 36, 300, None),
            "reported",
        ),
        (
            {"usageDetails": {"input": 86, "input_cached_tokens": 1920, "output": 300}},
            (2006, 1920, None, 300, None),
            "reported",
        ),
        (
            {"usageDetails": {"input": 1, "input_audio_tokens": 4, "output": 2, "output_audio_tokens": 8, "total": 15}},
            (5, None, None, 10, None),
            "reported",
        ),
        (
            {
                "usageDetails": {
                    "prompt_tokens": 9,
                    "completion_tokens": 1,
                    "prompt_tokens_details": {"cached_tokens": 8},
                }
            },
            (9, 8, None, 1, None),
            "reported",
        ),
        (
            {"usageDetails": {"input": 3, "output": 4}, "usage": {"input": 99, "output": 99}},
            (3, None, None, 4, None),
            "reported",
        ),
        ({}, (None, None, None, None, None), "missing"),
    ],
)
def test_langfuse_usage_in_its_shapes(usage: dict[str, object], expected: object, quality: str) -> None:
    batch = {"batch": [{"id": "e", "type": "generation-create", "body": {**GENERATION, **usage}}]}
    event = only_event(json.dumps(batch).encode())
    assert (tokens(event), event.usage_quality) == (expected, quality)


def test_the_last_complete_update_of_a_batch_stands_and_nulls_overrule_nothing() -> None:
    entries = [
        {"type": "generation-create", "body": {**GENERATION, "usage": {"input": 1, "output": 2}}},
        {"type": "generation-update", "body": {"id": "g", "model": None, "usage": {"input": 3, "output": 4}}},
    ]
    found = results(json.dumps({"batch": entries}).encode())
    assert reasons(found) == ["superseded", "event"]
    assert tokens(found[1])[0] == 3


def test_an_update_of_a_trace_leaves_its_user_as_it_was() -> None:
    """The client sends the update as one more `trace-create`, with the output and no user."""
    entries = [
        {"type": "trace-create", "body": {"id": "t", "userId": "customer-5", "metadata": {"tenant_id": "acme"}}},
        {"type": "trace-create", "body": {"userId": "of-no-trace"}},
        {"type": "generation-create", "body": {**GENERATION, "traceId": "t", "usage": {"input": 1, "output": 2}}},
        {"type": "generation-create", "body": {**GENERATION, "id": "h", "usage": {"input": 1, "output": 2}}},
        {"type": "trace-create", "body": {"id": "t", "output": "PLANTED-TEXT"}},
    ]
    found = results(json.dumps({"batch": entries}).encode())
    assert [(e.tenant_id, e.user_id) for e in found[2:4]] == [("acme", "customer-5"), ("unknown", None)]


def test_an_update_whose_model_came_in_an_earlier_batch_is_refused_and_not_lost() -> None:
    entry = {"type": "generation-update", "body": {**GENERATION, "model": None, "usage": {"input": 1, "output": 2}}}
    assert reasons(results(json.dumps({"batch": [entry]}).encode())) == ["missing_model"]


def test_an_entry_sent_alone_and_one_that_is_no_object() -> None:
    entry = {"type": "observation-create", "body": {**GENERATION, "type": "EMBEDDING", "usage": {"input": 5}}}
    assert tokens(only_event(json.dumps(entry).encode())) == (5, None, None, 0, None)
    assert reasons(results(b'{"batch":[7, null]}')) == ["not_an_object", "not_an_object"]
    assert reasons(results(b'{"batch":[]}')) == ["empty"]


# --- Bedrock ---------------------------------------------------------------------------------------------------------


def test_bedrocks_disjoint_classes_add_up_and_the_region_is_where_it_ran() -> None:
    """21 + 2048 + 16399 = 18468."""
    [outcome] = outcomes(BEDROCK[0])
    event = said(outcome.result)
    assert tokens(outcome.result) == (18468, 16399, 2048, 512, None)
    assert (event["event_id"], event["ended_at"]) == ("bedrock-1", "2026-11-22T19:04:00.000000Z")
    assert (event["tenant_id"], event["provider"]) == ("search", "aws.bedrock")
    assert (event["inference_region"], outcome.region_source) == ("aws:us-west-2", "provider_geo")


def test_without_a_cross_region_profile_bedrock_ran_where_it_was_called() -> None:
    [outcome] = outcomes(edited(BEDROCK[0], inferenceRegion=None))
    assert (said(outcome.result)["inference_region"], outcome.region_source) == ("aws:us-east-1", "endpoint")
    [outcome] = outcomes(edited(BEDROCK[0], inferenceRegion=None, region=None))
    assert said(outcome.result)["inference_region"] == "aws:us-east-1"


def test_a_bedrock_embedding_has_no_output_and_its_account_is_the_last_resort_for_a_tenant() -> None:
    event = only_event(BEDROCK[1])
    assert (tokens(event), event.tenant_id) == ((40, None, None, 0, None), "123456789012")


def test_a_failed_bedrock_call_has_unknown_counts_and_not_zero() -> None:
    event = only_event(edited(BEDROCK[0], errorCode="ThrottlingException", input={}, output={}))
    assert (event.status, tokens(event)) == ("error", (None, None, None, None, None))


# --- Kong ------------------------------------------------------------------------------------------------------------


def test_each_ai_plugin_of_a_kong_entry_is_an_event_in_either_spelling_of_the_counts() -> None:
    [proxy, transformer] = outcomes(FILES["kong_log.json"])
    assert said(proxy.result) == {
        "event_id": "kong-req-1:proxy",
        "started_at": "2026-11-22T19:05:00.000000Z",
        "ended_at": "2026-11-22T19:05:02.500000Z",
        "tenant_id": "acme-search",
        "user_id": "c-1",
        "provider": "aws.bedrock",
        "request_model": "claude",
        "response_model": "anthropic.claude-3-haiku-20240307-v1:0",
        "input_tokens": 2006,
        "output_tokens": 300,
        "inference_region": "aws:eu-west-1",
        "gateway_cache_hit": False,
        "status": "ok",
        "usage_quality": "reported",
    }
    event = said(transformer.result)
    assert (event["event_id"], event["input_tokens"], event["output_tokens"]) == (
        "kong-req-1:ai-request-transformer",
        89,
        56,
    )
    assert "inference_region" not in event


def test_kong_entries_without_ai_or_without_an_answer_are_ignored() -> None:
    assert reasons(results(changed("kong_log.json", ai={}))) == ["not_an_inference"]
    unanswered = {"proxy": {"meta": {"request_model": "m"}, "usage": {}}}
    assert reasons(results(changed("kong_log.json", ai=unanswered, response={"status": 429}))) == ["no_usage"]
    answered = only_event(changed("kong_log.json", ai=unanswered))
    assert (tokens(answered)[0], answered.usage_quality) == (None, "missing")


def test_a_kong_plugin_with_counts_and_no_model_is_refused_and_not_passed_over() -> None:
    ai = {"ai-llm-as-judge": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, "guard": {"verdict": "ok"}}
    assert reasons(results(changed("kong_log.json", ai=ai))) == ["missing_model"]


def test_a_kong_cache_hit_is_marked() -> None:
    plugin = {"meta": {"request_model": "m"}, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    ai = {"proxy": {**plugin, "cache": {"cache_status": "Hit"}}}
    assert only_event(changed("kong_log.json", ai=ai)).gateway_cache_hit is True


def test_a_kong_entry_without_id_and_time_takes_them_from_its_record() -> None:
    payload = changed("kong_log.json", request=..., started_at=...)
    assert reasons(results(payload)) == ["missing_time", "missing_time"]
    [first, second] = outcomes(payload, stamped=True)
    assert (said(first.result)["event_id"], said(second.result)["event_id"]) == (
        "requests:3:42:0.0",
        "requests:3:42:0.1",
    )
    assert said(first.result)["ended_at"] == "2026-11-22T20:00:00.000000Z"
    assert first.notes == ("id_from_position", "time_from_record")


# --- Envoy -----------------------------------------------------------------------------------------------------------


def test_an_envoy_line_has_its_counts_its_duration_and_no_provider_from_a_backends_name() -> None:
    [outcome] = outcomes(ENVOY[0])
    assert said(outcome.result) == {
        "event_id": "envoy-1",
        "started_at": "2026-11-22T19:06:00.250000Z",
        "ended_at": "2026-11-22T19:06:03.500000Z",
        "tenant_id": "acme",
        "request_model": "some-model",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 2006,
        "cache_read_input_tokens": 1920,
        "output_tokens": 300,
        "reasoning_output_tokens": 128,
        "inference_region": "gcp:us-central1",
        "status": "ok",
        "usage_quality": "reported",
    }
    assert outcome.region_source == "endpoint"


def test_envoys_dashes_are_nulls_and_a_failed_request_is_an_event_without_counts() -> None:
    event = only_event(ENVOY[1])
    assert (event.status, tokens(event), event.provider) == ("error", (None, None, None, None, None), "openai")
    assert event.response_model is None


def test_an_envoy_line_without_model_and_tokens_is_no_call_of_a_model() -> None:
    assert reasons(results(ENVOY[2])) == ["not_an_inference"]


def test_an_embeddings_path_has_no_output() -> None:
    line = edited(ENVOY[0], **{"request.path": "/v1/embeddings?x=1", "gen_ai.usage.output_tokens": "-"})
    line = edited(line, **{"gen_ai.usage.reasoning_tokens": None})
    assert tokens(only_event(line))[3] == 0


@pytest.mark.parametrize("name", ["openmeter.json", "bedrock_log.ndjson", "kong_log.json", "envoy_log.ndjson"])
def test_every_gateway_is_charged_by_configured_attributes_first(name: str) -> None:
    options = FormatOptions(attributes={"tenant_id": ("nowhere", "kafka.topic")})
    events = [outcome.result for outcome in outcomes(FILES[name], options) if isinstance(outcome.result, WireEvent)]
    assert {event.tenant_id for event in events} == {"requests"}
