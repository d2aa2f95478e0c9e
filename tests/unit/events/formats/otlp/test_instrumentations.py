"""Spans as the instrumentations in use write them: several for one call count once, and each one's counts are read right."""

import json
from typing import Any

import pytest

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Refused
from tests.support.format_payloads import (
    END_NS,
    LITELLM_SPAN,
    MARKER,
    OPENINFERENCE,
    SEMCONV_136,
    SEMCONV_141,
    START_NS,
    TRACE_ID,
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

OTHER_TRACE = "f0" * 16
MS = 1_000_000

LANGFUSE = {
    "langfuse.internal.is_app_root": True,
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o-2024-08-06",
    "langfuse.observation.model.parameters": json.dumps({"temperature": 1, "max_tokens": "Infinity"}),
    "langfuse.observation.usage_details": json.dumps(
        {"input": 86, "output": 172, "total": 2306, "input_cache_read": 1920, "output_reasoning": 128}
    ),
    "langfuse.observation.input": json.dumps([{"role": "user", "content": MARKER}]),
    "langfuse.observation.output": json.dumps({"role": "assistant", "content": MARKER}),
    "langfuse.observation.metadata.finish_reason": MARKER,
    "langfuse.observation.status_message": MARKER,
    "langfuse.trace.metadata.tenant_id": "acme",
    "user.id": "u-7",
}

ANTHROPIC_SDK = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.response.id": "msg-one",
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.cache_read.input_tokens": 1920,
    "gen_ai.usage.cache_write.input_tokens": 36,
    "gen_ai.usage.output_tokens": 300,
}
"""The client traces itself (from 2.12 on), in the scope com.anthropic.sdk.python."""

LOGFIRE_STREAM = {
    "logfire.span_type": "log",
    "logfire.msg": MARKER,
    "duration": 1.5,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.input.messages": MARKER,
    "gen_ai.usage.input_tokens": 2006,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.raw": json.dumps(
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
            "completion_tokens_details": {"reasoning_tokens": 128},
        }
    ),
}

GEMINI_WITHOUT_THOUGHTS = {
    "gen_ai.provider.name": "gcp.gen_ai",
    "gen_ai.operation.name": "generate_content",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gen_ai.usage.input_tokens": 8,
    "gen_ai.usage.output_tokens": 433,
    "gen_ai.usage.total_tokens": 1918,
}


def decoded(values: dict[str, Any], scope: str = "my.scope", **fields: Any) -> WireEvent:
    """The event of one span, which is the same from JSON and from protobuf."""
    message = traces(span(values, **fields), scope=scope)
    assert only_event(as_json(message)) == only_event(as_protobuf(message))
    return only_event(as_json(message))


def scoped(*spans: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """One message of spans of several instrumentations."""
    return {"resourceSpans": [entry for scope, one in spans for entry in traces(one, scope=scope)["resourceSpans"]]}


def within(
    values: dict[str, Any], span_id: str, *, trace_id: str = TRACE_ID, parent_id: str = "01" * 8
) -> dict[str, Any]:
    """A span that begins after and ends before another one of the usual times."""
    times: dict[str, Any] = {"startTimeUnixNano": str(START_NS + 5 * MS), "endTimeUnixNano": str(END_NS - 5 * MS)}
    return span(values, span_id=span_id, trace_id=trace_id, parent_id=parent_id, **times)


# --- Langfuse's SDKs ---


def test_a_langfuse_generation_is_an_event_with_inclusive_counts() -> None:
    event = said(decoded(LANGFUSE, scope="langfuse-sdk"))
    assert {name: event.get(name) for name in ("request_model", "tenant_id", "user_id", "status", "usage_quality")} == {
        "request_model": "gpt-4o-2024-08-06",
        "tenant_id": "acme",
        "user_id": "u-7",
        "status": "ok",
        "usage_quality": "reported",
    }
    assert tokens(decoded(LANGFUSE)) == (2006, 1920, None, 300, 128)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (
            {
                "prompt_tokens": 2006,
                "completion_tokens": 300,
                "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920},
                "completion_tokens_details": {"reasoning_tokens": 128},
            },
            (2006, 1920, None, 300, 128),
        ),
        (
            {
                "input_tokens": 2006,
                "output_tokens": 300,
                "total_tokens": 2306,
                "input_tokens_details": {"cached_tokens": 1920},
                "output_tokens_details": {"reasoning_tokens": 128},
            },
            (2006, 1920, None, 300, 128),
        ),
        (
            {"input": 50, "cache_read_input_tokens": 1920, "cache_creation_input_tokens": 36, "output": 300},
            (2006, 1920, 36, 300, None),
        ),
    ],
    ids=["chat completions", "responses", "anthropic through langchain"],
)
def test_langfuses_map_may_be_the_providers_own_usage(
    details: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    event = decoded({**LANGFUSE, "langfuse.observation.usage_details": json.dumps(details)})
    assert tokens(event) == expected


def test_a_langfuse_embedding_has_no_output() -> None:
    values = {**LANGFUSE, "langfuse.observation.type": "embedding"}
    assert tokens(decoded({**values, "langfuse.observation.usage_details": '{"input": 9}'})) == (9, None, None, 0, None)


@pytest.mark.parametrize("kind", ["span", "agent", "tool", "chain", "retriever", "evaluator", "guardrail", "event"])
def test_other_observations_of_langfuse_do_not_count(kind: str) -> None:
    values = {**LANGFUSE, "langfuse.observation.type": kind}
    assert reasons(results(as_json(traces(span(values))))) == ["not_an_inference"]


@pytest.mark.parametrize(
    "details", ["", "{}", "[1]", "{broken", '{"input": 0, "output": 0}', '{"input": null}', "{" * 9000]
)
def test_a_langfuse_generation_without_counts_is_ignored_by_name(details: str) -> None:
    values = {**LANGFUSE, "langfuse.observation.usage_details": details}
    assert reasons(results(as_json(traces(span(values))))) == ["no_usage"]


def test_a_negative_count_of_langfuse_is_refused_by_name() -> None:
    values = {**LANGFUSE, "langfuse.observation.usage_details": '{"input": -1, "output": 3}'}
    [found] = results(as_json(traces(span(values))))
    assert (found.reason, "usageDetails" in found.detail) == ("invalid_field", True)


def test_a_langfuse_generation_failed_if_its_level_says_so() -> None:
    assert decoded({**LANGFUSE, "langfuse.observation.level": "ERROR"}).status == "error"
    assert decoded({**LANGFUSE, "langfuse.observation.level": "WARNING"}).status == "ok"


def test_counts_under_the_conventions_names_go_before_langfuses_map() -> None:
    values = {**SEMCONV_141, **LANGFUSE, "langfuse.observation.usage_details": '{"input": 1, "output": 1}'}
    assert tokens(decoded(values)) == (2006, 1920, 64, 300, 128)


# --- Whose names and conventions ---


def test_a_gemini_total_holds_the_thoughts_that_the_span_leaves_out() -> None:
    """433 + 1,477 = 1,910: the provider counts them apart, and Traceloop writes no reasoning tokens."""
    event = decoded(GEMINI_WITHOUT_THOUGHTS)
    assert (event.input_tokens, event.output_tokens, event.usage_quality) == (8, 1910, "derived")
    assert decoded({**GEMINI_WITHOUT_THOUGHTS, "gen_ai.usage.total_tokens": 441}).output_tokens == 433


def test_a_total_above_the_counts_of_another_provider_is_no_output() -> None:
    event = decoded({**GEMINI_WITHOUT_THOUGHTS, "gen_ai.provider.name": "openai"})
    assert (event.output_tokens, event.usage_quality) == (433, "derived")


def test_pydantic_ai_names_geminis_thoughts() -> None:
    values = {
        **GEMINI_WITHOUT_THOUGHTS,
        "gen_ai.usage.output_tokens": 1910,
        "gen_ai.usage.details.thoughts_tokens": 1477,
    }
    assert tokens(decoded(values)) == (8, None, None, 1910, 1477)


def test_a_model_call_of_googles_agent_development_kit_counts_once_with_its_thoughts() -> None:
    """Older releases write `call_llm` alone, later ones the same around a span by the conventions without thoughts."""
    counts = {
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 433,
        "gen_ai.request.model": "gemini-2.5-flash",
    }
    older = {**counts, "gen_ai.system": "gcp.vertex.agent", "gcp.vertex.agent.llm_response": MARKER}
    later = {**older, "gen_ai.usage.experimental.reasoning_tokens": 1477}
    inner = {**counts, "gen_ai.system": "gemini", "gen_ai.operation.name": "generate_content"}
    event = decoded(older, name="call_llm", scope="gcp.vertex.agent")
    assert (tokens(event), event.provider) == ((8, None, None, 433, None), None)
    assert tokens(decoded(later, name="call_llm", scope="gcp.vertex.agent")) == (8, None, None, 1910, 1477)
    assert reasons(results(as_json(traces(span(older, name="call_llm"))))) == ["not_an_inference"]
    outer = span(later, name="call_llm", span_id="aa" * 8)
    message = scoped(("gcp.vertex.agent", within(inner, "bb" * 8, parent_id="aa" * 8)), ("gcp.vertex.agent", outer))
    assert reasons(results(as_json(message))) == ["repeats_outer_span", "event"]


@pytest.mark.parametrize(
    "scope",
    [
        "opentelemetry.instrumentation.bedrock",
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        "openlit.instrumentation.anthropic",
        "openlit.instrumentation.bedrock",
    ],
)
@pytest.mark.parametrize("total", [{}, {"gen_ai.usage.total_tokens": 5300}])
def test_instrumentations_that_leave_cached_tokens_out_of_the_input_are_known_by_their_scope(
    scope: str, total: dict[str, int]
) -> None:
    """5,000 + 1,920 + 36 = 6,956. Nothing but the scope tells: the cached tokens would fit into the input."""
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 5000,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 1920,
        "gen_ai.usage.cache_creation.input_tokens": 36,
        **total,
    }
    assert tokens(decoded(values, scope=scope)) == (6956, 1920, 36, 300, None)
    assert decoded(values, scope=scope).usage_quality == "reported"
    assert decoded(values).input_tokens == 5000


def test_openinferences_newer_names_tell_the_requested_from_the_resolved_model() -> None:
    event = decoded(
        {**OPENINFERENCE, "llm.request.model_name": "gpt-4o", "llm.response.model_name": "gpt-4o-2024-08-06"}
    )
    assert (event.request_model, event.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")


def test_a_framework_is_no_provider() -> None:
    values = {key: value for key, value in SEMCONV_136.items() if key != "gen_ai.system"}
    assert decoded({**values, "gen_ai.system": "Langchain"}).provider is None
    assert decoded({**values, "gen_ai.system": "Langchain", "llm.provider": "openai"}).provider == "openai"


def test_the_end_of_a_stream_that_logfire_writes_without_extent_has_the_streams_duration_and_raw_usage() -> None:
    event = decoded(LOGFIRE_STREAM, scope="logfire.openai", startTimeUnixNano=str(END_NS))
    assert tokens(event) == (2006, 1920, None, 300, 128)
    assert (event.started_at, event.ended_at) == ("2026-11-22T19:00:02.000000Z", "2026-11-22T19:00:03.500000Z")
    # Elsewhere the word may mean anything.
    assert decoded(LOGFIRE_STREAM).started_at == "2026-11-22T19:00:00.250000Z"
    assert decoded({**LOGFIRE_STREAM, "duration": "long"}, startTimeUnixNano=str(END_NS)).started_at == event.ended_at


def test_zeros_alone_are_counts_only_of_what_ran_no_inference() -> None:
    """Traceloop wrote them for a stream that had not begun: an event of 0 tokens would be a silent zero."""
    values = {**SEMCONV_136, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    assert reasons(results(as_json(traces(span(values))))) == ["no_usage"]
    assert decoded(values, error=True).input_tokens == 0
    assert decoded({**values, "litellm.cache_hit": True}).gateway_cache_hit is True


# --- One call, several spans ---


def test_a_framework_and_a_client_side_by_side_in_one_trace_count_once() -> None:
    """A framework's callbacks do not hold the context, so the client's span is its sibling; neither knows a response id."""
    root = span({"http.method": "POST"}, span_id="01" * 8)
    framework, client = span(OPENINFERENCE, span_id="aa" * 8, parent_id="01" * 8), within(OPENINFERENCE, "bb" * 8)
    message = scoped(("web", root), ("client", client), ("framework", framework))
    for payload in (as_json(message), as_protobuf(message)):
        found = results(payload)
        assert reasons(found) == ["not_an_inference", "repeats_outer_span", "event"]
        assert found[2].event_id == f"{TRACE_ID}:{'aa' * 8}"


def test_a_client_that_traces_itself_and_the_instrumentation_of_it_count_once_in_whatever_traces() -> None:
    """The response id is the provider's; Traceloop counts the first streamed token twice, which does not part them."""
    own = within(ANTHROPIC_SDK, "bb" * 8, trace_id=OTHER_TRACE, parent_id="0c" * 8)
    around = span({**ANTHROPIC_SDK, "gen_ai.usage.output_tokens": 301}, span_id="aa" * 8)
    message = scoped(("com.anthropic.sdk.python", own), ("opentelemetry.instrumentation.anthropic", around))
    assert reasons(results(as_json(message))) == ["repeats_outer_span", "event"]


def test_a_span_that_begins_a_trace_of_its_own_within_another_ones_time_is_the_same_call() -> None:
    framework = span(OPENINFERENCE, span_id="aa" * 8, parent_id="01" * 8)
    alone = within(OPENINFERENCE, "bb" * 8, trace_id=OTHER_TRACE, parent_id="")
    elsewhere = within(OPENINFERENCE, "bb" * 8, trace_id=OTHER_TRACE)
    assert reasons(results(as_json(scoped(("a", framework), ("b", alone))))) == ["event", "repeats_outer_span"]
    assert reasons(results(as_json(scoped(("a", framework), ("b", elsewhere))))) == ["event", "event"]
    google = within({**OPENINFERENCE, "llm.provider": "google"}, "bb" * 8, trace_id=OTHER_TRACE, parent_id="")
    assert reasons(results(as_json(scoped(("a", framework), ("b", google))))) == ["event", "event"]
    another_service = scoped(("a", framework), ("b", alone))
    another_service["resourceSpans"][1]["resource"] = {
        "attributes": [{"key": "service.name", "value": {"stringValue": "other"}}]
    }
    assert reasons(results(as_json(another_service))) == ["event", "event"]


def test_calls_that_are_merely_alike_stay_apart() -> None:
    first = span(OPENINFERENCE, span_id="aa" * 8)
    same_scope = scoped(("a", first), ("a", within(OPENINFERENCE, "bb" * 8)))
    other_counts = scoped(("a", first), ("b", within({**OPENINFERENCE, "llm.token_count.prompt": 2007}, "bb" * 8)))
    afterwards: dict[str, Any] = {"startTimeUnixNano": str(END_NS + MS), "endTimeUnixNano": str(END_NS + 9 * MS)}
    later = scoped(("a", first), ("b", span(OPENINFERENCE, span_id="bb" * 8, **afterwards)))
    other_id = {**SEMCONV_136, "gen_ai.response.id": "chatcmpl-two"}
    other_ids = scoped(("a", span(SEMCONV_136, span_id="aa" * 8)), ("b", within(other_id, "bb" * 8)))
    other_model = scoped(("a", first), ("b", within({**OPENINFERENCE, "llm.model_name": "claude-haiku-4-5"}, "bb" * 8)))
    for message in (same_scope, other_counts, later, other_ids, other_model):
        assert reasons(results(as_json(message))) == ["event", "event"]


def test_a_cached_reply_with_the_first_ones_id_is_a_request_of_its_own() -> None:
    first = span(SEMCONV_136, span_id="aa" * 8)
    times: dict[str, Any] = {"startTimeUnixNano": str(END_NS + MS), "endTimeUnixNano": str(END_NS + 9 * MS)}
    again = span({**LITELLM_SPAN, "litellm.cache_hit": True}, span_id="bb" * 8, **times)
    assert reasons(results(as_json(scoped(("client", first), ("litellm", again))))) == ["event", "event"]


@pytest.mark.parametrize("calls", [2, 5])
def test_of_alike_calls_at_the_same_time_as_many_are_left_as_one_instrumentation_saw(calls: int) -> None:
    spans = [("framework", span(OPENINFERENCE, span_id=f"a{n}" * 8, parent_id="01" * 8)) for n in range(calls)]
    spans += [("client", within(OPENINFERENCE, f"b{n}" * 8)) for n in range(calls + 1)]
    assert reasons(results(as_json(scoped(*spans)))).count("event") == calls + 1


def test_a_framework_a_client_and_the_clients_own_tracing_count_once() -> None:
    """The instrumentation has the client's own span within it; the framework's stands beside both."""
    values = {key: value for key, value in ANTHROPIC_SDK.items() if key != "gen_ai.response.id"}
    framework = span(values, span_id="aa" * 8, parent_id="01" * 8)
    client, own = within(values, "bb" * 8), within(ANTHROPIC_SDK, "cc" * 8, parent_id="bb" * 8)
    message = scoped(("com.anthropic.sdk.python", own), ("client", client), ("framework", framework))
    assert reasons(results(as_json(message))) == ["repeats_outer_span", "repeats_outer_span", "event"]


def test_the_end_of_a_stream_beside_the_clients_own_span_is_the_same_call() -> None:
    """Logfire's ends a moment later and has no response id."""
    own = span(SEMCONV_141, span_id="aa" * 8, parent_id="01" * 8)
    at_end: dict[str, Any] = {"startTimeUnixNano": str(END_NS + MS), "endTimeUnixNano": str(END_NS + MS)}
    stream = span(LOGFIRE_STREAM, span_id="bb" * 8, parent_id="01" * 8, **at_end)
    assert reasons(results(as_json(scoped(("logfire.openai", stream), ("client", own))))) == [
        "repeats_outer_span",
        "event",
    ]


# --- Log events, and text ---


def test_openlits_log_event_repeats_a_span_even_where_it_names_none() -> None:
    message = log_event(SEMCONV_141, traceId="", spanId="")
    message["resourceLogs"][0]["scopeLogs"][0]["scope"] = {"name": "openlit.instrumentation.openai"}
    for payload in (as_json(message), as_protobuf(message)):
        assert reasons(results(payload, FormatOptions(count_log_events=False))) == ["log_events_off"]
        assert reasons(results(payload, FormatOptions(count_log_events=True))) == ["event"]


@pytest.mark.parametrize("values", [LANGFUSE, LOGFIRE_STREAM, {**LANGFUSE, **LOGFIRE_STREAM, **OPENINFERENCE}])
@pytest.mark.parametrize("estimate", [False, True])
def test_no_text_comes_out_of_these_spans(values: dict[str, Any], *, estimate: bool) -> None:
    options = FormatOptions(estimate_missing_usage=estimate)
    without_usage = {key: value for key, value in values.items() if "usage" not in key and "token_count" not in key}
    negative = json.loads(json.dumps(values).replace("172", "-172").replace("300", "-300"))
    for message in (traces(span(values)), traces(span(without_usage)), traces(span(negative))):
        for payload in (as_json(message), as_protobuf(message)):
            for outcome in outcomes(payload, options):
                found = outcome.result
                said_of_it = found.payload if isinstance(found, Refused) else found
                assert MARKER not in repr((said_of_it, outcome.notes))
