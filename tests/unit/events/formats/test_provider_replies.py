"""Usage objects of providers, each with its convention, in plain replies, wrapped records and stored streams."""

import json
from typing import Any

import pytest

from rice_stream.events.formats.reading.options import FormatOptions
from tests.support.format_payloads import FILES, changed, only_event, outcomes, reasons, results, said, tokens

CACHED_AND_REASONING = (2006, 1920, None, 300, 128)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("provider_openai_chat.json", CACHED_AND_REASONING),
        ("provider_openai_responses.json", CACHED_AND_REASONING),
        # 21 + 2048 + 16399: three disjoint classes.
        ("provider_anthropic.json", (18468, 16399, 2048, 512, None)),
        # 433 + 1477 = 1910, and 8 + 1910 = 1918, the total.
        ("provider_gemini.json", (8, None, None, 1910, 1477)),
        # 3 + 1789 = 1792, and 1792 + 401 = 2193, the total.
        ("provider_converse.json", (1792, 1789, 0, 401, None)),
        ("provider_stream_openai.txt", (12, None, None, 5, None)),
        ("provider_stream_anthropic.txt", (18468, 16399, 2048, 512, None)),
    ],
)
def test_each_providers_counts_become_inclusive(name: str, expected: object) -> None:
    event = only_event(FILES[name], stamped=True)
    assert (tokens(event), event.usage_quality) == (expected, "reported")


@pytest.mark.parametrize(
    ("name", "event_id", "ended_at", "provider", "model"),
    [
        ("provider_openai_chat.json", "chatcmpl-five", "19:07:00.000000", "openai", "gpt-4o-2024-08-06"),
        ("provider_openai_responses.json", "resp-1", "19:07:13.000000", "openai", "gpt-4o-2024-08-06"),
        ("provider_anthropic.json", "msg-1", "19:07:20.000000", "anthropic", "claude-sonnet-4-5-20250929"),
        ("provider_gemini.json", "gemini-1", "19:07:30.511529", "gcp.gemini", "gemini-2.5-flash"),
        (
            "provider_converse.json",
            "converse-1",
            "19:07:40.000000",
            "aws.bedrock",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
        ),
        ("provider_stream_openai.txt", "chatcmpl-six", "19:07:30.000000", "openai", "gpt-4-0613"),
        ("provider_stream_anthropic.txt", "msg-2", "20:00:00.000000", "anthropic", "claude-sonnet-4-5-20250929"),
    ],
)
def test_id_time_provider_and_model_come_from_the_reply(
    name: str, event_id: str, ended_at: str, provider: str, model: str
) -> None:
    event = only_event(FILES[name], stamped=True)
    assert (event.event_id, event.ended_at) == (event_id, f"2026-11-22T{ended_at}Z")
    assert (event.provider, event.response_model) == (provider, model)


def test_times_that_a_reply_implies_give_its_start() -> None:
    assert only_event(FILES["provider_openai_responses.json"]).started_at == "2026-11-22T19:07:10.000000Z"
    assert only_event(FILES["provider_converse.json"]).started_at == "2026-11-22T19:07:38.500000Z"


def test_a_reply_without_time_is_refused_in_a_file_and_takes_the_records_time_from_kafka() -> None:
    payload = changed("provider_anthropic.json", timestamp=...)
    assert reasons(results(payload)) == ["missing_time"]
    [outcome] = outcomes(payload, stamped=True)
    assert said(outcome.result)["ended_at"] == "2026-11-22T20:00:00.000000Z"
    assert outcome.notes == ("time_from_record",)


def usage(shape: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"id": "r", "created": 1795374420, "model": "m", "usage": shape, **more}).encode()


@pytest.mark.parametrize(
    ("shape", "expected", "quality"),
    [
        # Embeddings: no completion count; the total says that there was none.
        ({"prompt_tokens": 8, "total_tokens": 8}, (8, None, None, 0, None), "derived"),
        # Anthropic with the cache written by age only.
        (
            {
                "input_tokens": 5,
                "output_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 20},
            },
            (125, None, 120, 7, None),
            "reported",
        ),
        (
            {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": None},
            (5, None, None, 7, None),
            "reported",
        ),
        # An Anthropic-shaped object to which somebody added an inclusive total: the total decides.
        (
            {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 800, "total_tokens": 1100},
            (1000, 800, None, 100, None),
            "derived",
        ),
        # OpenAI's shape with Anthropic's numbers: the total is the sum of all.
        (
            {
                "prompt_tokens": 1000,
                "completion_tokens": 100,
                "total_tokens": 1900,
                "prompt_tokens_details": {"cached_tokens": 800},
            },
            (1800, 800, None, 100, None),
            "derived",
        ),
        # Nothing adds up to the total: the stated convention stands, and the record says so.
        ({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 99}, (10, None, None, 20, None), "derived"),
        ({"prompt_tokens": 10, "completion_tokens": None}, (10, None, None, None, None), "reported"),
    ],
)
def test_usage_objects_in_doubt(shape: dict[str, Any], expected: object, quality: str) -> None:
    event = only_event(usage(shape))
    assert (tokens(event), event.usage_quality) == (expected, quality)


@pytest.mark.parametrize(
    ("shape", "expected", "quality"),
    [
        (
            {"promptTokenCount": 8, "candidatesTokenCount": 4, "totalTokenCount": 12},
            (8, None, None, 4, None),
            "reported",
        ),
        # Candidates that include the thoughts: 8 + 10 = 18.
        (
            {"promptTokenCount": 8, "candidatesTokenCount": 10, "thoughtsTokenCount": 6, "totalTokenCount": 18},
            (8, None, None, 10, 6),
            "derived",
        ),
        # The prompt of a tool's use is read too: 8 + 30 = 38; 38 + 4 = 42.
        (
            {
                "promptTokenCount": 8,
                "toolUsePromptTokenCount": 30,
                "candidatesTokenCount": 4,
                "totalTokenCount": 42,
                "cachedContentTokenCount": 6,
            },
            (38, 6, None, 4, None),
            "reported",
        ),
        # A client that drops the thoughts: 1918 - 8 = 1910 were written.
        (
            {"promptTokenCount": 8, "candidatesTokenCount": 433, "totalTokenCount": 1918},
            (8, None, None, 1910, None),
            "derived",
        ),
        (
            {"promptTokenCount": None, "candidatesTokenCount": 4, "totalTokenCount": None},
            (None, None, None, 4, None),
            "reported",
        ),
        ({"toolUsePromptTokenCount": 30, "candidatesTokenCount": 4}, (30, None, None, 4, None), "reported"),
        # Stopped while thinking.
        ({"promptTokenCount": 8, "thoughtsTokenCount": 50, "totalTokenCount": 58}, (8, None, None, 50, 50), "reported"),
    ],
)
def test_geminis_metadata(shape: dict[str, Any], expected: object, quality: str) -> None:
    event = only_event(changed("provider_gemini.json", usageMetadata=shape))
    assert (tokens(event), event.usage_quality) == (expected, quality)


def google_genai(**fields: Any) -> dict[str, Any]:
    """A reply as google-genai's `model_dump_json` spells it: in snake case, with its nulls, and with the headers."""
    counts = {"prompt_token_count": 8, "candidates_token_count": 433, "thoughts_token_count": 1477}
    usage = {
        **counts,
        "total_token_count": 1918,
        "cached_content_token_count": None,
        "tool_use_prompt_token_count": None,
    }
    return {
        "sdk_http_response": {"headers": {"date": "Sun, 22 Nov 2026 19:07:30 GMT"}, "body": None},
        "candidates": [{"content": {"parts": [{"text": "PLANTED-TEXT"}]}, "finish_reason": "STOP"}],
        "create_time": None,
        "model_version": "gemini-2.5-flash",
        "response_id": "gemini-2",
        "usage_metadata": usage,
        **fields,
    }


def test_google_genais_own_spelling_of_a_reply_is_read() -> None:
    """433 + 1477 = 1910, and 8 + 1910 = 1918, the total."""
    event = only_event(json.dumps(google_genai()).encode())
    assert (tokens(event), event.usage_quality) == ((8, None, None, 1910, 1477), "reported")
    assert (event.event_id, event.ended_at) == ("gemini-2", "2026-11-22T19:07:30.000000Z")
    assert (event.provider, event.response_model) == ("gcp.gemini", "gemini-2.5-flash")
    usage = {"prompt_token_count": 8, "tool_use_prompt_token_count": 30, "cached_content_token_count": 6}
    event = only_event(json.dumps(google_genai(usage_metadata={**usage, "total_token_count": 42})).encode())
    assert tokens(event) == (38, 6, None, 4, None)


def test_only_the_last_chunk_of_google_genais_stream_counts() -> None:
    """Every chunk has the counts up to then."""
    early = google_genai(
        candidates=[{"content": {"parts": [{"text": "PLANTED-TEXT"}]}, "finish_reason": None}],
        usage_metadata={"prompt_token_count": 8, "candidates_token_count": 2, "total_token_count": 10},
    )
    chunks = "\n".join(json.dumps(chunk) for chunk in (early, early, google_genai()))
    assert reasons(results(chunks.encode())) == ["no_usage", "no_usage", "event"]
    blocked = google_genai(candidates=None, usage_metadata={"prompt_token_count": 8, "total_token_count": 8})
    assert tokens(only_event(json.dumps(blocked).encode())) == (8, None, None, 0, None)


def test_a_servers_reply_in_openais_shape_names_no_provider_unless_it_says_so() -> None:
    assert only_event(changed("provider_openai_chat.json", model="llama-3.1-70b")).provider is None
    assert only_event(changed("provider_openai_chat.json", model="llama-3.1-70b", provider="Groq")).provider == "groq"


def test_anthropics_geography_is_the_region_and_global_says_nothing() -> None:
    [outcome] = outcomes(FILES["provider_anthropic.json"])
    assert (said(outcome.result)["inference_region"], outcome.region_source) == ("us", "provider_geo")
    shape = {"input_tokens": 1, "output_tokens": 1, "inference_geo": "global"}
    [outcome] = outcomes(changed("provider_anthropic.json", usage=shape))
    assert outcome.region_source == "unknown"


def test_parts_of_a_stream_without_counts_are_ignored() -> None:
    assert reasons(results(usage({}))) == ["no_usage"]
    assert reasons(results(changed("provider_openai_chat.json", usage=None))) == ["no_usage"]
    assert reasons(results(b'data: {"id":"x","choices":[],"usage":null}\n\ndata: [DONE]\n')) == ["no_usage"]


def test_bytes_that_only_begin_as_a_stream_are_refused() -> None:
    """Without an event in it there is nothing to ignore: a sender's mistake must not vanish."""
    assert reasons(results(b"data: nonsense\n")) == ["not_json"]
    assert reasons(results(b": nonsense\n")) == ["not_json"]


def test_the_last_event_of_a_responses_stream_is_the_reply() -> None:
    reply = json.loads(FILES["provider_openai_responses.json"])
    completed = json.dumps({"type": "response.completed", "sequence_number": 9, "response": reply}).encode()
    assert only_event(completed) == only_event(FILES["provider_openai_responses.json"])
    stream = b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp-1","usage":null}}\n\n'
    assert only_event(stream + b"event: response.completed\ndata: " + completed + b"\n\n") == only_event(completed)


def test_a_reply_that_carries_a_response_object_of_its_own_is_still_read_by_its_own_usage() -> None:
    reply = json.loads(FILES["provider_openai_chat.json"])
    assert only_event(json.dumps({**reply, "response": {"text": "x"}}).encode()).event_id == "chatcmpl-five"


def test_a_boolean_is_no_time() -> None:
    payload = changed("provider_openai_chat.json", created=True)
    assert reasons(results(payload)) == ["missing_time"]


def test_a_failed_reply_is_marked() -> None:
    assert only_event(changed("provider_openai_responses.json", status="failed")).status == "error"
    assert only_event(changed("provider_openai_chat.json", error={"message": "x"})).status == "error"


def test_output_is_estimated_from_the_answers_length_only_where_asked_for() -> None:
    """ "PLANTED-TEXT" has 12 characters: 3 tokens."""
    choices = [{"message": {"role": "assistant", "content": "PLANTED-TEXT"}}]
    payload = usage({"prompt_tokens": 10, "completion_tokens": None}, choices=choices)
    event = only_event(payload, FormatOptions(estimate_missing_usage=True))
    assert (tokens(event), event.usage_quality) == ((10, None, None, 3, None), "estimated")
