"""OTLP: spans that stand for one call of a model become one event each, whoever wrote them and however."""

from typing import Any

import pytest

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.reading.options import FormatOptions
from tests.support.format_payloads import (
    END_NS,
    INSTRUMENTATIONS,
    LITELLM_SPAN,
    MARKER,
    OPENINFERENCE,
    OTLP_PAYLOADS,
    SEMCONV_136,
    SEMCONV_141,
    SPAN_ID,
    TRACE_ID,
    VLLM,
    as_json,
    as_protobuf,
    log_event,
    only_event,
    outcomes,
    reasons,
    results,
    said,
    span,
    tokens,
    traces,
)


def decoded(values: dict[str, Any], **fields: Any) -> WireEvent:
    return only_event(as_json(traces(span(values, **fields))))


@pytest.mark.parametrize("name", OTLP_PAYLOADS)
def test_protobuf_and_json_of_the_same_spans_give_the_same_event(name: str) -> None:
    assert only_event(as_json(OTLP_PAYLOADS[name])) == only_event(as_protobuf(OTLP_PAYLOADS[name]))


def test_a_span_in_json_becomes_an_event_with_its_hex_ids_and_its_times_in_utc() -> None:
    event = said(only_event(as_json(OTLP_PAYLOADS["otlp_semconv_141"])))
    assert event == {
        "event_id": "5b8efff798038103d269b633813fc60c:eee19b7ec3c1b174",
        "started_at": "2026-11-22T19:00:00.250000Z",
        "ended_at": "2026-11-22T19:00:03.500000Z",
        "tenant_id": "unknown",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 2006,
        "cache_read_input_tokens": 1920,
        "cache_write_input_tokens": 64,
        "output_tokens": 300,
        "reasoning_output_tokens": 128,
        "status": "ok",
        "source": "gateway",
        "usage_quality": "reported",
    }


@pytest.mark.parametrize("emitter", INSTRUMENTATIONS)
def test_the_same_call_through_four_instrumentations_has_the_same_counts(emitter: str) -> None:
    event = decoded(INSTRUMENTATIONS[emitter])
    assert (event.input_tokens, event.cache_read_input_tokens) == (2006, 1920)
    assert (event.output_tokens, event.reasoning_output_tokens) == (300, 128)
    assert event.provider == "openai"
    assert "gpt-4o-2024-08-06" in (event.request_model, event.response_model)


def test_the_oldest_names_give_the_counts_that_they_have_and_null_for_the_rest() -> None:
    assert tokens(decoded(SEMCONV_136)) == (2006, None, None, 300, None)


def test_both_names_of_tokens_written_to_the_cache_are_read() -> None:
    for key in ("cache_write", "cache_creation"):
        assert decoded({**SEMCONV_136, f"gen_ai.usage.{key}.input_tokens": 64}).cache_write_input_tokens == 64


@pytest.mark.parametrize("spelling", [TRACE_ID.upper(), "W47/95gDgQPSabYzgT/GDA=="], ids=["upper case", "base64"])
def test_ids_in_other_spellings_give_the_same_event_id(spelling: str) -> None:
    event = decoded(SEMCONV_136, trace_id=spelling)
    assert event.event_id == f"{TRACE_ID}:{SPAN_ID}"


def test_a_span_without_ids_is_known_by_its_response_id_and_else_by_its_position() -> None:
    assert decoded(SEMCONV_136, trace_id="", span_id="").event_id == "chatcmpl-one"
    # Half an id would be shared by all spans of the trace.
    assert decoded(SEMCONV_136, span_id="").event_id == decoded(SEMCONV_136, trace_id="").event_id == "chatcmpl-one"
    anonymous = {key: value for key, value in SEMCONV_136.items() if key != "gen_ai.response.id"}
    [outcome] = outcomes(as_json(traces(span(anonymous, trace_id="0" * 32, span_id="0" * 16))))
    assert said(outcome.result)["event_id"] == "requests:3:42:0.0"
    assert outcome.notes == ("id_from_position",)


@pytest.mark.parametrize(
    ("operation", "counted"),
    [
        ("chat", True),
        ("text_completion", True),
        ("generate_content", True),
        ("embeddings", True),
        ("acompletion", True),
        ("aembedding", True),
        ("invoke_agent", False),
        ("invoke_workflow", False),
        ("create_agent", False),
        ("execute_tool", False),
        ("fetch_response", False),
        ("retrieval", False),
        ("aimage_generation", False),
    ],
)
def test_only_operations_that_are_one_call_of_a_model_count(operation: str, counted: bool) -> None:
    found = results(as_json(traces(span({**SEMCONV_141, "gen_ai.operation.name": operation}))))
    assert reasons(found) == ["event" if counted else "not_an_inference"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"openinference.span.kind": "LLM"}, "event"),
        ({"openinference.span.kind": "EMBEDDING"}, "event"),
        ({"openinference.span.kind": "AGENT"}, "not_an_inference"),
        ({"openinference.span.kind": "CHAIN"}, "not_an_inference"),
        ({"llm.request.type": "chat"}, "event"),
        ({"llm.request.type": "rerank"}, "not_an_inference"),
        ({"ai.operationId": "ai.generateText"}, "not_an_inference"),
        ({"ai.operationId": "ai.generateText.doGenerate"}, "event"),
        ({"traceloop.span.kind": "workflow"}, "not_an_inference"),
        ({}, "not_an_inference"),
    ],
)
def test_without_an_operation_only_producers_of_single_calls_count(values: dict[str, str], expected: str) -> None:
    usage = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 7, "gen_ai.request.model": "m"}
    assert reasons(results(as_json(traces(span({**usage, **values}))))) == [expected]


def test_an_agent_run_counts_its_two_calls_and_nothing_else() -> None:
    """The agent, the workflow around it and the tool repeat or have no usage; two calls with other ids stay two."""
    ids = {"workflow": "01" * 8, "agent": "02" * 8, "first": "03" * 8, "tool": "04" * 8, "second": "05" * 8}
    usage = {k: v for k, v in SEMCONV_141.items() if "usage" in k or "model" in k}
    found = results(
        as_json(
            traces(
                span({"gen_ai.operation.name": "invoke_workflow", **usage}, span_id=ids["workflow"]),
                span(
                    {"gen_ai.operation.name": "invoke_agent", **usage}, span_id=ids["agent"], parent_id=ids["workflow"]
                ),
                span(SEMCONV_141, span_id=ids["first"], parent_id=ids["agent"]),
                span({"gen_ai.operation.name": "execute_tool"}, span_id=ids["tool"], parent_id=ids["agent"]),
                span(
                    {**SEMCONV_141, "gen_ai.response.id": "chatcmpl-two"}, span_id=ids["second"], parent_id=ids["agent"]
                ),
            )
        )
    )
    assert reasons(found) == ["not_an_inference", "not_an_inference", "event", "not_an_inference", "event"]
    assert [item.event_id.split(":")[1] for item in found if isinstance(item, WireEvent)] == [
        ids["first"],
        ids["second"],
    ]


def test_a_server_span_under_the_gateways_span_of_the_same_call_does_not_count_again() -> None:
    """vLLM's span has no response id; its counts say that it is the same call."""
    gateway, server = span(SEMCONV_141, span_id="aa" * 8), span(VLLM, name="llm_request", parent_id="bb" * 8)
    proxy = span({"http.method": "POST"}, span_id="bb" * 8, parent_id="aa" * 8)
    message = traces(gateway, proxy)
    message["resourceSpans"] += traces(server, scope="vllm.llm_engine")["resourceSpans"]
    for payload in (as_json(message), as_protobuf(message)):
        assert reasons(results(payload)) == ["event", "not_an_inference", "repeats_outer_span"]


def test_two_instrumentations_around_one_call_count_once_and_the_outer_stands() -> None:
    outer, inner = span(LITELLM_SPAN, span_id="aa" * 8), span(SEMCONV_136, span_id="bb" * 8, parent_id="aa" * 8)
    found = results(as_json(traces(inner, outer)))
    assert reasons(found) == ["repeats_outer_span", "event"]
    assert found[1].tenant_id == "team-a"


def test_spans_that_are_their_own_ancestors_end_the_search() -> None:
    first = span(SEMCONV_141, span_id="aa" * 8, parent_id="bb" * 8)
    second = span({**SEMCONV_141, "gen_ai.response.id": "x"}, span_id="bb" * 8, parent_id="aa" * 8)
    assert reasons(results(as_json(traces(first, second)))) == ["event", "event"]


def test_vllm_spans_count_by_their_name_and_scope_and_run_where_their_resource_is() -> None:
    [outcome] = outcomes(as_json(OTLP_PAYLOADS["otlp_vllm"]))
    event = said(outcome.result)
    assert tokens(outcome.result) == (2006, 1920, None, 300, None)
    assert event["provider"] == "vllm"
    assert (event["inference_region"], outcome.region_source) == ("gcp:europe-west4", "span")
    assert reasons(results(as_json(traces(span(VLLM, name="llm_request"), scope="other")))) == ["not_an_inference"]


def test_the_resources_region_is_the_senders_and_never_the_models() -> None:
    message = traces(span(SEMCONV_141), resource={"cloud.provider": "aws", "cloud.region": "eu-west-3"})
    [outcome] = outcomes(as_json(message))
    assert "inference_region" not in said(outcome.result)
    assert outcome.region_source == "unknown"


@pytest.mark.parametrize(
    ("values", "region", "source"),
    [
        ({"cloud.provider": "aws", "cloud.region": "eu-west-1"}, "aws:eu-west-1", "span"),
        ({"server.address": "bedrock-runtime.us-east-1.amazonaws.com"}, "aws:us-east-1", "endpoint"),
        ({"server.address": "api.openai.com"}, None, "unknown"),
        (
            {"metadata.usage_object": "{'prompt_tokens': 1, 'inference_geo': 'us'}", "cloud.region": "x"},
            "us",
            "provider_geo",
        ),
        ({"hidden_params": '{"api_base": "https://eu.api.openai.com/v1"}'}, "eu", "endpoint"),
    ],
)
def test_the_region_comes_from_the_first_rung_that_knows_it(values: dict[str, str], region: str, source: str) -> None:
    [outcome] = outcomes(as_json(traces(span({**SEMCONV_136, **values}))))
    assert (said(outcome.result).get("inference_region"), outcome.region_source) == (region, source)


_DETAILS = "'prompt_tokens': 2006, 'prompt_tokens_details': {'cached_tokens': 1920}"
_OBJECTS = "'prompt_tokens': 2006, 'prompt_tokens_details': Wrapper(audio_tokens=None, cached_tokens=1920)"


@pytest.mark.parametrize(
    "written",
    [
        f"{{{_DETAILS}, 'completion_tokens_details': {{'reasoning_tokens': 128}}}}",
        f"{{{_DETAILS}, 'completion_tokens_details': {{'reasoning_tokens': 128}}}}".replace("'", '"'),
        f"{{{_OBJECTS}, 'completion_tokens_details': Details(reasoning_tokens=128)}}",
    ],
    ids=["repr", "json", "repr of objects"],
)
def test_litellms_raw_usage_fills_in_cached_and_reasoning_tokens(written: str) -> None:
    assert tokens(decoded({**SEMCONV_136, "metadata.usage_object": written})) == (2006, 1920, None, 300, 128)


@pytest.mark.parametrize(
    "written",
    [
        "__import__('os').system('true')",
        "{'prompt_tokens_details': {'cached_tokens': 10**9}}",
        "-" * 4000 + "1",
        "(" * 4000,
        "{'a': " * 60 + "1" + "}" * 60,
        "{'prompt_tokens_details': {'cached_tokens': 1920}}" + " " * 9000,
        "[x for x in y]",
        "{**{'prompt_tokens': 1}}",
        "\x00{}",
    ],
)
def test_a_raw_usage_that_is_no_plain_dict_is_left_aside_unevaluated(written: str) -> None:
    assert tokens(decoded({**SEMCONV_136, "metadata.usage_object": written}))[1] is None


def test_an_inference_log_event_is_the_event_of_its_span() -> None:
    """Same id, same time, same counts: the store sees the second one as a repeat."""
    of_span, of_log = (only_event(as_json(OTLP_PAYLOADS[name])) for name in ("otlp_semconv_141", "otlp_log_event"))
    assert (of_log.event_id, of_log.ended_at, of_log.tenant_id, of_log.source) == (
        of_span.event_id,
        of_span.ended_at,
        of_span.tenant_id,
        of_span.source,
    )
    assert tokens(of_log) == tokens(of_span)


def test_log_events_can_be_set_not_to_count() -> None:
    message = as_protobuf(OTLP_PAYLOADS["otlp_log_event"])
    assert reasons(results(message, FormatOptions(count_log_events=False))) == ["log_events_off"]


def test_a_log_event_without_a_span_counts_in_any_case() -> None:
    """Nothing else tells of that call."""
    for payload in (as_json, as_protobuf):
        message = payload(log_event({**SEMCONV_141, "gen_ai.response.id": "resp-1"}, traceId="", spanId=""))
        assert only_event(message, FormatOptions(count_log_events=False)).event_id == "resp-1"


@pytest.mark.parametrize("name", ["gen_ai.choice", "gen_ai.user.message", "", "browser.page_view"])
def test_other_log_records_are_ignored(name: str) -> None:
    assert reasons(results(as_json(log_event(SEMCONV_141, eventName=name)))) == ["not_an_inference"]


def test_an_older_log_record_names_its_event_in_an_attribute_and_may_have_only_the_observed_time() -> None:
    values = {**SEMCONV_141, "event.name": "gen_ai.client.inference.operation.details"}
    message = log_event(values, eventName="", timeUnixNano="0", observedTimeUnixNano=str(END_NS))
    for payload in (as_json(message), as_protobuf(message)):
        assert only_event(payload).ended_at == "2026-11-22T19:00:03.500000Z"


def test_a_failed_call_with_counts_still_counts_as_failed() -> None:
    assert decoded(SEMCONV_141, error=True).status == "error"
    assert decoded({**SEMCONV_141, "error.type": "timeout"}).status == "error"


def test_a_call_without_counts_is_ignored_by_name() -> None:
    values = {key: value for key, value in SEMCONV_136.items() if "usage" not in key}
    assert reasons(results(as_json(traces(span(values))))) == ["no_usage"]
    assert reasons(results(as_json(traces(span({**values, "gen_ai.usage.input_tokens": ""}))))) == ["no_usage"]


def test_an_embeddings_span_has_no_output_and_null_would_be_wrong() -> None:
    event = decoded(
        {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 9}
    )
    assert tokens(event) == (9, None, None, 0, None)
    openinference = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "m",
        "llm.token_count.prompt": 9,
        "llm.token_count.total": 9,
        "embedding.embeddings.0.embedding.text": MARKER,
    }
    event = decoded(openinference)
    assert (tokens(event), event.request_model, event.usage_quality) == ((9, None, None, 0, None), "m", "reported")


@pytest.mark.parametrize(
    ("spelling", "value"), [("12", "2006"), ("float", 2006.0), ("text", "2006"), ("empty, then prompt", "")]
)
def test_counts_are_read_from_any_spelling_of_a_whole_number(spelling: str, value: object) -> None:
    del spelling
    values = {**SEMCONV_136, "gen_ai.usage.input_tokens": value, "gen_ai.usage.prompt_tokens": 2006}
    assert decoded(values).input_tokens == 2006


@pytest.mark.parametrize(("key", "value"), [("input_tokens", -1), ("output_tokens", -300), ("input_tokens", 2**31)])
def test_counts_that_cannot_be_are_refused_by_name(key: str, value: int) -> None:
    [found] = results(as_json(traces(span({**SEMCONV_136, f"gen_ai.usage.{key}": value}))))
    assert (found.reason, key in found.detail) == ("invalid_field", True)


def test_disjoint_cache_classes_of_a_careless_instrumentation_are_added_up() -> None:
    """21 + 2048 + 16399 = 18468: more cached tokens than input tokens can only be Anthropic's disjoint classes."""
    values = {
        **SEMCONV_136,
        "gen_ai.usage.input_tokens": 21,
        "gen_ai.usage.cache_read_input_tokens": 16399,
        "gen_ai.usage.cache_creation_input_tokens": 2048,
    }
    event = decoded(values)
    assert tokens(event)[:3] == (18468, 16399, 2048)
    assert event.usage_quality == "derived"


def test_one_bad_span_costs_its_neighbours_nothing() -> None:
    message = traces(span(SEMCONV_136, span_id="01" * 8), span(SEMCONV_136), span(OPENINFERENCE, span_id="03" * 8))
    message["resourceSpans"][0]["scopeSpans"][0]["spans"][1] = {"attributes": {"not": "a list"}}
    message["resourceSpans"].append("no entry")
    assert reasons(results(as_json(message))) == ["event", "invalid_otlp", "event", "invalid_otlp"]


def test_unknown_fields_and_attribute_kinds_are_skipped() -> None:
    message = traces(span(SEMCONV_136, links=[{"traceId": "zz"}], newField={"a": [1]}), anotherField=7)
    odd = [{"key": "gen_ai.request.model", "value": {"newValue": {}}}, {"key": "llm.model_name"}, {"value": None}]
    message["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] += odd
    assert only_event(as_json(message)).response_model == "gpt-4o-2024-08-06"


def test_a_message_without_spans_and_one_of_metrics_are_ignored_not_lost() -> None:
    assert reasons(results(b'{"resourceSpans":[]}')) == ["empty"]
    assert reasons(results(b'{"resourceMetrics":[{"scopeMetrics":[]}]}')) == ["aggregate_metrics"]
    assert reasons(results(b'{"resourceSpans":{}}')) == ["invalid_otlp"]


def test_a_span_that_never_ended_counts_at_its_start_and_one_without_times_is_refused() -> None:
    [outcome] = outcomes(as_json(traces(span(SEMCONV_136, endTimeUnixNano="0"))))
    assert said(outcome.result)["ended_at"] == "2026-11-22T19:00:00.250000Z"
    assert outcome.notes == ("end_from_start",)
    timeless = as_json(traces(span(SEMCONV_136, endTimeUnixNano="0", startTimeUnixNano=0)))
    assert reasons(results(timeless)) == ["missing_time"]
    negative = as_json(traces(span(SEMCONV_136, endTimeUnixNano=-5)))
    assert reasons(results(negative)) == ["invalid_field"]
    nonsense = as_json(traces(span(SEMCONV_136, endTimeUnixNano="soon")))
    assert reasons(results(nonsense)) == ["invalid_field"]


def test_a_service_that_nobody_named_is_no_source() -> None:
    unnamed = traces(span(SEMCONV_136), resource={"service.name": "unknown_service:python"})
    assert only_event(as_json(unnamed)).source is None


def test_scopes_can_be_left_out_where_another_span_of_the_call_is_collected_elsewhere() -> None:
    options = FormatOptions(skipped_scopes=frozenset({"vllm.llm_engine"}))
    assert reasons(results(as_json(OTLP_PAYLOADS["otlp_vllm"]), options)) == ["skipped_scope"]


def test_missing_usage_is_estimated_from_the_texts_length_only_where_asked_for() -> None:
    """MARKER has 12 characters: 12 / 4 = 3 tokens each way."""
    values = {key: value for key, value in SEMCONV_136.items() if "usage" not in key}
    for encode in (as_json, as_protobuf):
        payload = encode(traces(span(values)))
        event = only_event(payload, FormatOptions(estimate_missing_usage=True))
        assert (event.input_tokens, event.output_tokens, event.usage_quality) == (3, 3, "estimated")


def test_a_gateway_cache_hit_in_a_litellm_span_is_marked() -> None:
    assert decoded({**LITELLM_SPAN, "litellm.cache_hit": True}).gateway_cache_hit is True
    assert decoded({**LITELLM_SPAN, "litellm.cache_hit": "True"}).gateway_cache_hit is True
    assert decoded(LITELLM_SPAN).gateway_cache_hit is False
