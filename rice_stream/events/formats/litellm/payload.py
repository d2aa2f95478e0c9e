"""LiteLLM's StandardLoggingPayload (1.109), however it is delivered, and rows of its SpendLogs table.

Times are epoch seconds as floats; older versions and exports write text without a zone, which is read as UTC.
`prompt_tokens` is inclusive: LiteLLM has folded Anthropic's cache classes in.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from rice_stream.events.formats.litellm import batches as litellm_batches
from rice_stream.events.formats.litellm.spend_logs import as_payload, is_spend_logs_row
from rice_stream.events.formats.reading import energy, regions, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft, one_event
from rice_stream.events.formats.reading.items import EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.usage_objects import read_usage
from rice_stream.events.formats.reading.values import count, flag, text
from rice_stream.events.records import Ignored, RefusedError

SOURCE_FORMAT = "litellm"
TENANT_LADDER = (
    "metadata.user_api_key_team_id",
    "metadata.user_api_key_org_id",
    "metadata.user_api_key_user_id",
    "metadata.user_api_key_hash",
)
_CACHE_HIT_ID = re.compile(r"_cache_hit\d")
PASS_THROUGH = frozenset({"pass_through_endpoint", "allm_passthrough_route", "llm_passthrough_route"})
LOOKS_BACK = frozenset({"get_responses", "aget_responses", "cancel_responses", "acancel_responses"})
"""Calls that hand out an answer of before; LiteLLM 1.80 logs its tokens again each time."""
_CALLERS_METADATA = ("spend_logs_metadata", "requester_metadata")
_WRAPPED_CHAT = b";response_id:chatcmpl-"


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The one event of a payload or a row; of a finished batch, one for each request."""
    payload = as_payload(obj) if is_spend_logs_row(obj) else obj
    try:
        if text(payload.scalar("call_type")) not in litellm_batches.CALL_TYPES:
            return [one_event(payload, SOURCE_FORMAT, origin, options, _event)]
        counts, _ = _counts(payload, payload.child("metadata"))
        requests = litellm_batches.requests(payload, counts, options)
    except RefusedError as problem:
        return [problem.refusal()]
    return [
        one_event(request, SOURCE_FORMAT, origin._replace(part=number), options, _event_of_a_batch)
        for number, request in enumerate(requests)
    ] or [Ignored("not_an_inference", "a batch that has no tokens yet")]


def _event_of_a_batch(request: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    event = _event(request, draft)
    if isinstance(event, Ignored):
        return event
    # What was metered was metered of the whole batch.
    return {**event, "usage_quality": "derived", "energy_joules": None, "energy_boundary": None}


def _event(payload: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    metadata = payload.child("metadata")
    call_type = text(payload.scalar("call_type"))
    draft.identify(text(payload.scalar("litellm_call_id")) or payload.scalar("id"))
    draft.happened(moment(payload.scalar("endTime"), "endTime"), moment(payload.scalar("startTime"), "startTime"))
    draft.models(
        request=text(payload.scalar("model")) or text(payload.scalar("model_group")),
        response=_response_model(payload),
        provider=vocabulary.provider(payload.scalar("custom_llm_provider")),
    )
    failed = text(payload.scalar("status")) == "failure"
    draft.ended(failed=failed)
    draft.fields["gateway_cache_hit"] = _from_cache(payload)
    operation = vocabulary.operation(call_type)
    if call_type in LOOKS_BACK:
        return Ignored("not_an_inference", "an answer that was counted when it was written, asked for again")
    if _wraps_a_chat(payload):
        return Ignored("repeats_inner_call", "a Responses call around a chat call, which is logged too")
    counts, usage = _counts(payload, metadata)
    if call_type in PASS_THROUGH and not (counts.input_tokens or counts.output_tokens):
        # From a host that it does not know LiteLLM hands the reply on unread.
        counts = read_usage(_object(_unread_reply(payload), "usage"))
    nothing_counted = not (counts.input_tokens or counts.output_tokens)
    if nothing_counted and operation is None and call_type not in (None, *PASS_THROUGH):
        # Files, batches, images, speech, tools: LiteLLM logs them all, with token counts of 0.
        return Ignored("not_an_inference", "a call that is no completion and no embedding, without tokens")
    if nothing_counted and not failed:
        # LiteLLM writes 0 where it does not know; nothing that succeeded read 0 tokens.
        counts = TokenCounts()
    draft.used(
        counts,
        operation,
        lambda: characters(payload.value("messages")),
        lambda: characters(payload.child("response").value("choices")),
    )
    draft.metered(energy.of_objects(_energy_holders(payload, metadata)))
    _place(payload, usage, draft)
    _charge(payload, metadata, draft)
    return draft.done()


def _response_model(payload: JsonObject) -> str | None:
    """The proxy writes the name that it was asked for over the model's: `gpt-4` for whatever stands behind `gpt-4`."""
    answered = text(payload.child("response").scalar("model")) or text(_unread_reply(payload).scalar("model"))
    return None if answered == text(payload.scalar("model_group")) else answered


def _unread_reply(payload: JsonObject) -> JsonObject:
    """What a pass-through endpoint answered, logged as text; of a stream LiteLLM keeps only words about it."""
    return payload.child("response").child("response")


def _energy_holders(payload: JsonObject, metadata: JsonObject) -> Iterator[JsonObject]:
    """Where metered energy may be: the host's reply, then what the caller or a hook of the proxy wrote into the metadata."""
    yield payload.child("response")
    yield _unread_reply(payload)
    yield metadata
    for name in _CALLERS_METADATA:
        yield metadata.child(name)
    yield payload.child("hidden_params")


def _wraps_a_chat(payload: JsonObject) -> bool:
    """LiteLLM 1.80 logs the Responses call of a model that only chats beside its chat call, and without provider.

    Its id has the chat's id in it, in base64: `resp_` and `litellm:custom_llm_provider:x;model_id:y;response_id:z`.
    """
    call_id = text(payload.scalar("id")) or ""
    if not call_id.startswith("resp_") or text(payload.scalar("custom_llm_provider")) is not None:
        return False
    try:
        return _WRAPPED_CHAT in base64.b64decode(call_id.removeprefix("resp_"))
    except (binascii.Error, ValueError):
        return False


def _counts(payload: JsonObject, metadata: JsonObject) -> tuple[TokenCounts, dict[str, Any]]:
    """The payload's own counts; the classes within them from the raw usage object that it carries along."""
    usage = (
        _object(metadata, "usage_object")
        or _object(payload.child("hidden_params"), "usage_object")
        or _object(payload.child("response"), "usage")
    )
    raw = read_usage(usage)
    # SpendLogs rows of newer versions keep the cache classes here.
    additional = metadata.child("additional_usage_values")
    cache_read = count(additional.value("cache_read_input_tokens"), "cache_read_input_tokens")
    cache_write = count(additional.value("cache_creation_input_tokens"), "cache_creation_input_tokens")
    counts = TokenCounts(
        input_tokens=count(payload.value("prompt_tokens"), "prompt_tokens"),
        cache_read=cache_read if raw.cache_read is None else raw.cache_read,
        cache_write=cache_write if raw.cache_write is None else raw.cache_write,
        output_tokens=count(payload.value("completion_tokens"), "completion_tokens"),
        reasoning=raw.reasoning,
        total=count(payload.value("total_tokens"), "total_tokens"),
    )
    return counts, usage


def _object(holder: JsonObject, name: str) -> dict[str, Any]:
    found = holder.value(name) if holder.is_object(name) else None
    return found if isinstance(found, dict) else {}


def _from_cache(payload: JsonObject) -> bool | None:
    """Answered by the gateway's own cache: full counts, and no model ran. The id tells too (`<id>_cache_hit<epoch>`)."""
    hit = flag(payload.scalar("cache_hit"))
    rewritten = _CACHE_HIT_ID.search(text(payload.scalar("id")) or "") is not None
    return True if rewritten else hit


def _place(payload: JsonObject, usage: dict[str, Any], draft: EventDraft) -> None:
    costs, hidden = payload.child("cost_breakdown"), payload.child("hidden_params")
    draft.ran_in(
        (usage.get("inference_geo"), "provider_geo"),
        (costs.scalar("data_residency"), "provider_geo"),
        (regions.in_cloud("gcp", costs.scalar("vertex_location")), "endpoint"),
        (regions.of_endpoint(payload.scalar("api_base")), "endpoint"),
        (regions.of_endpoint(hidden.scalar("api_base")), "endpoint"),
    )


def _charge(payload: JsonObject, metadata: JsonObject, draft: EventDraft) -> None:
    def find(name: str) -> object:
        return payload.tags("request_tags") if name == "tags" else payload.find(name)

    draft.fields["team_id"] = text(metadata.scalar("user_api_key_team_id"))
    draft.fields["project_id"] = text(metadata.scalar("user_api_key_project_id"))
    draft.fields["user_id"] = text(metadata.scalar("user_api_key_user_id"))
    draft.fields["api_key_id"] = text(metadata.scalar("user_api_key_hash"))
    draft.charge(find, TENANT_LADDER)
