"""The `usage` objects of model providers, told apart by their keys: one place for their conventions.

| shape | input includes cached tokens | output includes reasoning |
|---|---|---|
| OpenAI chat completions (`prompt_tokens`) | yes | yes |
| OpenAI Responses (`input_tokens` with `*_details`) | yes | yes |
| Anthropic messages (`cache_*_input_tokens`) | no: three disjoint classes | yes |
| Gemini (`usageMetadata`, in Python `usage_metadata`) | yes; tool-use prompt apart | no, most versions; the total tells |
| Bedrock Converse (`inputTokens`) | no; the total tells | yes |

Sources: openai 3.54.0, anthropic 2.12.0, google-genai and Bedrock replies as recorded by their instrumentations' tests.
"""

from collections.abc import Mapping
from typing import Any, Literal

from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import count

UsageShape = Literal["openai_chat", "openai_responses", "anthropic", "gemini", "bedrock_converse", "none"]

_GEMINI_KEYS = (
    *("promptTokenCount", "candidatesTokenCount", "totalTokenCount"),
    # The same as Google's Python clients dump it.
    *("prompt_token_count", "candidates_token_count", "total_token_count"),
)
_ANTHROPIC_KEYS = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "inference_geo")


def shape_of(usage: Mapping[str, Any]) -> UsageShape:
    """Whose usage object this is; `none` if it has no count that we know."""
    if any(key in usage for key in _GEMINI_KEYS):
        return "gemini"
    if "inputTokens" in usage or "outputTokens" in usage:
        return "bedrock_converse"
    if "prompt_tokens" in usage or "completion_tokens" in usage or "prompt_token" in usage:
        return "openai_chat"
    if "input_tokens" not in usage and "output_tokens" not in usage:
        return "none"
    return "anthropic" if any(key in usage for key in _ANTHROPIC_KEYS) else "openai_responses"


def read_usage(usage: Mapping[str, Any]) -> TokenCounts:
    """The counts of a usage object. RefusedError `invalid_field` names a count that is none (boolean, negative)."""
    return _READERS[shape_of(usage)](usage)


def _openai_chat(usage: Mapping[str, Any]) -> TokenCounts:
    # LiteLLM folds Anthropic's classes into this shape and keeps their names beside it; prompt_tokens includes them.
    prompt, completion = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    return TokenCounts(
        # Kong's documentation up to 3.9 has the singular.
        input_tokens=_first(usage, "prompt_tokens", "prompt_token"),
        cache_read=_largest(
            _first(prompt, "cached_tokens"),
            _first(usage, "cache_read_input_tokens"),
            # DeepSeek's own name.
            _first(usage, "prompt_cache_hit_tokens"),
        ),
        cache_write=_largest(
            _first(prompt, "cache_write_tokens"),
            _first(prompt, "cache_creation_tokens"),
            _first(usage, "cache_creation_input_tokens"),
        ),
        output_tokens=_first(usage, "completion_tokens", "completion_token"),
        reasoning=_largest(_first(completion, "reasoning_tokens"), _first(usage, "reasoning_tokens")),
        total=_first(usage, "total_tokens"),
    )


def _openai_responses(usage: Mapping[str, Any]) -> TokenCounts:
    given, written = _details(usage, "input_tokens_details"), _details(usage, "output_tokens_details")
    return TokenCounts(
        input_tokens=_first(usage, "input_tokens"),
        cache_read=_first(given, "cached_tokens"),
        cache_write=_first(given, "cache_write_tokens"),
        output_tokens=_first(usage, "output_tokens"),
        reasoning=_first(written, "reasoning_tokens"),
        total=_first(usage, "total_tokens"),
    )


def _anthropic(usage: Mapping[str, Any]) -> TokenCounts:
    cache_write = _first(usage, "cache_creation_input_tokens")
    if cache_write is None:
        by_age = _details(usage, "cache_creation")
        parts = [_first(by_age, "ephemeral_5m_input_tokens"), _first(by_age, "ephemeral_1h_input_tokens")]
        cache_write = None if parts == [None, None] else sum(part or 0 for part in parts)
    return TokenCounts(
        input_tokens=_first(usage, "input_tokens"),
        cache_read=_first(usage, "cache_read_input_tokens"),
        cache_write=cache_write,
        output_tokens=_first(usage, "output_tokens"),
        reasoning=_first(_details(usage, "output_tokens_details"), "thinking_tokens"),
        total=_first(usage, "total_tokens"),
        cached_outside=True,
    )


def _gemini(usage: Mapping[str, Any]) -> TokenCounts:
    prompt = _first(usage, "promptTokenCount", "prompt_token_count")
    tools = _first(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    written = _first(usage, "candidatesTokenCount", "candidates_token_count")
    thoughts = _first(usage, "thoughtsTokenCount", "thoughts_token_count")
    given = None if prompt is None and tools is None else (prompt or 0) + (tools or 0)
    total = _first(usage, "totalTokenCount", "total_token_count")
    if written is None and thoughts is not None:
        # Stopped while thinking: there were no candidates, and the field is left out.
        written = 0
    if thoughts is None and None not in (given, written, total) and (given or 0) + (written or 0) < (total or 0):
        # Clients from before thinking models drop the thoughts' count; the total still holds them.
        written = None
    return TokenCounts(
        input_tokens=given,
        cache_read=_first(usage, "cachedContentTokenCount", "cached_content_token_count"),
        output_tokens=written,
        reasoning=thoughts,
        total=total,
        reasoning_outside=True,
    )


def _bedrock_converse(usage: Mapping[str, Any]) -> TokenCounts:
    return TokenCounts(
        input_tokens=_first(usage, "inputTokens"),
        cache_read=_first(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
        cache_write=_first(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"),
        output_tokens=_first(usage, "outputTokens"),
        total=_first(usage, "totalTokens"),
        cached_outside=True,
    )


def _nothing(usage: Mapping[str, Any]) -> TokenCounts:
    return TokenCounts(total=_first(usage, "total_tokens"))


_READERS = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock_converse": _bedrock_converse,
    "none": _nothing,
}


def _details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = usage.get(name)
    return found if isinstance(found, dict) else {}


def _first(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        if name in usage:
            found = count(usage[name], name)
            if found is not None:
                return found
    return None


def _largest(*found: int | None) -> int | None:
    """The same count under several names: some writers leave all but one at 0."""
    return max((value for value in found if value is not None), default=None)
