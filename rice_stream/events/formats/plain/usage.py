"""The usage object of OpenAI's chat completions, which most gateways write, as a typed struct."""

import msgspec
from msgspec import UNSET

from rice_stream.events.formats.plain.fields import Count, Guard, Name, NotPlainError

ChatCounts = tuple[int | None, int | None, int | None, int | None, int | None, int | None]
"""Input, cache read, cache write, output, reasoning, total, as the object says them."""


class PromptDetails(msgspec.Struct, gc=False):
    """What the input is made of."""

    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None


class CompletionDetails(msgspec.Struct, gc=False):
    """What the output is made of."""

    reasoning_tokens: Count = None


class ChatUsage(msgspec.Struct, kw_only=True, gc=False):
    """The wanted fields; the guards are keys by which the object is of another shape."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_token: Count = None
    completion_token: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    prompt_cache_hit_tokens: Count = None
    reasoning_tokens: Count = None
    inference_geo: Name = None
    gemini_prompt: Guard = msgspec.field(name="promptTokenCount", default=UNSET)
    gemini_candidates: Guard = msgspec.field(name="candidatesTokenCount", default=UNSET)
    gemini_total: Guard = msgspec.field(name="totalTokenCount", default=UNSET)
    prompt_token_count: Guard = UNSET
    candidates_token_count: Guard = UNSET
    total_token_count: Guard = UNSET
    converse_input: Guard = msgspec.field(name="inputTokens", default=UNSET)
    converse_output: Guard = msgspec.field(name="outputTokens", default=UNSET)


NOTHING_SAID = ChatUsage()


def chat_counts(usage: ChatUsage) -> ChatCounts:
    """The counts of the object. NotPlainError: it has none."""
    given = usage.prompt_tokens if usage.prompt_tokens is not None else usage.prompt_token
    written = usage.completion_tokens if usage.completion_tokens is not None else usage.completion_token
    if given is None and usage.completion_tokens is None:
        raise NotPlainError  # told from other shapes by the names alone
    read, made, reasoning = usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.reasoning_tokens
    if usage.prompt_cache_hit_tokens is not None:
        read = _larger(read, usage.prompt_cache_hit_tokens)
    details = usage.prompt_tokens_details
    if details is not None:
        read = _larger(read, details.cached_tokens)
        made = _larger(_larger(made, details.cache_write_tokens), details.cache_creation_tokens)
    if usage.completion_tokens_details is not None:
        reasoning = _larger(reasoning, usage.completion_tokens_details.reasoning_tokens)
    return given, read, made, written, reasoning, usage.total_tokens


def _larger(one: int | None, other: int | None) -> int | None:
    if other is None:
        return one
    return other if one is None or other > one else one
