"""LiteLLM's payloads as most are -> numbers of their names, id, times and counts, in one function: the same as `litellm.parts_of`
says, in half the time, as it calls functions that do less than their calls take."""

from collections.abc import Mapping
from typing import Any

from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.litellm import CACHE_HIT, NO_COSTS, NO_HIDDEN, RESPONSE_ID, reply_of
from rice_stream.events.formats.plain.litellm_payload import CallReply, LoggedCall
from rice_stream.events.formats.plain.usage import ChatUsage, chat_counts
from rice_stream.events.formats.reading.moments import END_US, FIRST_US
from rice_stream.instants import SECOND_US
from rice_stream.quantities import UNKNOWN

Row = tuple[int, int, bytes, float, float, int, int, int, int, int]
"""Numbers of who called and of the kind of call; id; start and end in epoch microseconds, to be rounded; input, cache read, cache
write, output and reasoning tokens."""
_NO_USAGE = ChatUsage(prompt_tokens=0)
"""Says as much of a call as where there is none: nothing of what its counts are made of."""
_SECONDS_MIN, _SECONDS_MAX = FIRST_US / SECOND_US, END_US / SECOND_US - 1


def usual_row(
    payload: LoggedCall, users: Mapping[tuple[Any, ...], int], kinds: Mapping[tuple[Any, ...], int]
) -> Row | None:
    """None: `parts_of` is to say what it is. NotPlainError: it would raise it.

    `users` and `kinds` have numbers of names, in the order of `parts_of`: of kinds for counts as the provider reported them, and a
    negative one for kinds of calls that it raises NotPlainError for.
    """
    reply, metadata = payload.response, payload.metadata
    event_id, start, end = payload.litellm_call_id, payload.start_time, payload.end_time
    given, written = payload.prompt_tokens, payload.completion_tokens
    if metadata is None or not given or written is None or not event_id:
        return None
    if type(start) is not float or type(end) is not float or not _SECONDS_MIN <= start <= end < _SECONDS_MAX:
        return None
    if given + written != payload.total_tokens or event_id == "-" or event_id.strip() != event_id or "\x00" in event_id:
        return None
    if (call_id := payload.id) is not None and (CACHE_HIT in call_id or call_id.startswith(RESPONSE_ID)):
        return None
    if type(reply) is not CallReply:
        reply = reply_of(reply)
    hidden, costs = payload.hidden_params or NO_HIDDEN, payload.cost_breakdown or NO_COSTS
    usage = metadata.usage_object or hidden.usage_object or reply.usage or _NO_USAGE
    if usage.prompt_tokens is None:
        return None
    kind = kinds[
        payload.call_type,
        payload.model,
        payload.model_group,
        reply.model,
        payload.custom_llm_provider,
        payload.status,
        payload.cache_hit,
        usage.inference_geo,
        costs.data_residency,
        costs.vertex_location,
        payload.api_base,
        hidden.api_base,
    ]
    if kind < 0:
        raise NotPlainError
    _, read, made, _, reasoning, _ = chat_counts(usage)
    additional = metadata.additional_usage_values
    if additional is not None:
        read = additional.cache_read_input_tokens if read is None else read
        made = additional.cache_creation_input_tokens if made is None else made
    read = UNKNOWN if read is None else read
    made = UNKNOWN if made is None else made
    reasoning = UNKNOWN if reasoning is None else reasoning
    if (read if read > 0 else 0) + (made if made > 0 else 0) > given or reasoning > written:
        return None
    who = users[
        metadata.user_api_key_team_id,
        metadata.user_api_key_org_id,
        metadata.user_api_key_project_id,
        metadata.user_api_key_user_id,
        metadata.user_api_key_hash,
    ]
    started_us, ended_us = start * 1_000_000.0, end * 1_000_000.0
    return who, kind, event_id.encode(), started_us, ended_us, given, read, made, written, reasoning
