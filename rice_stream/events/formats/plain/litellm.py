"""LiteLLM's logging payloads as they usually are; `formats/litellm` has what each field means."""

import re
from functools import lru_cache

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from rice_stream.events.formats.litellm.batches import CALL_TYPES as BATCH_CALL_TYPES
from rice_stream.events.formats.litellm.payload import LOOKS_BACK, PASS_THROUGH
from rice_stream.events.formats.plain.fields import (
    EVENT,
    Count,
    Guard,
    Name,
    NotPlainError,
    PlainItem,
    Time,
    inclusive,
    operation,
    provider,
    spelled,
    time_us,
    word,
)
from rice_stream.events.formats.plain.usage import NOTHING_SAID, ChatUsage, chat_counts
from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.values import flag, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.quantities import NAME_LENGTH_MAX

_CACHE_HIT_ID = re.compile(r"_cache_hit\d")


class _MeteredGuard(msgspec.Struct, gc=False):
    """Metered energy, of the request or beside it, is for the full decoder."""

    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Additional(msgspec.Struct, gc=False):
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None


class _Metadata(msgspec.Struct, kw_only=True, gc=False):
    user_api_key_hash: Name = None
    user_api_key_team_id: Name = None
    user_api_key_org_id: Name = None
    user_api_key_project_id: Name = None
    user_api_key_user_id: Name = None
    spend_logs_metadata: _MeteredGuard | None = None
    requester_metadata: _MeteredGuard | None = None
    usage_object: ChatUsage | None = None
    additional_usage_values: _Additional | None = None
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Response(msgspec.Struct, kw_only=True, gc=False):
    model: Name = None
    usage: ChatUsage | None = None
    response: Guard = UNSET
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Hidden(msgspec.Struct, kw_only=True, gc=False):
    api_base: Name = None
    usage_object: ChatUsage | None = None
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Costs(msgspec.Struct, gc=False):
    data_residency: Name = None
    vertex_location: Name = None


class LoggedCall(msgspec.Struct, kw_only=True, gc=False):
    """The wanted fields of a payload, in about the order in which LiteLLM writes them."""

    id: str | None = None
    litellm_call_id: Name = None
    call_type: Name = None
    cache_hit: bool | Name = None
    status: Name = None
    custom_llm_provider: Name = None
    model: Name = None
    model_group: Name = None
    api_base: Name = None
    start_time: Time = msgspec.field(name="startTime", default=None)
    end_time: Time = msgspec.field(name="endTime", default=None)
    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    metadata: _Metadata | None = None
    response: _Response | str | None = None
    hidden_params: _Hidden | None = None
    cost_breakdown: _Costs | None = None
    # Another format's, a row of the spend logs, or something around it.
    specversion: Guard = UNSET
    resource_spans: Guard = msgspec.field(name="resourceSpans", default=UNSET)
    resource_logs: Guard = msgspec.field(name="resourceLogs", default=UNSET)
    resource_metrics: Guard = msgspec.field(name="resourceMetrics", default=UNSET)
    batch: Guard = UNSET
    body: Guard = UNSET
    schema_type: Guard = msgspec.field(name="schemaType", default=UNSET)
    event_id: Guard = UNSET
    ai: Guard = UNSET
    spend: Guard = UNSET
    # A name with a dot of its own goes before the path that is spelled like it.
    dotted_team: Guard = msgspec.field(name="metadata.user_api_key_team_id", default=UNSET)
    dotted_org: Guard = msgspec.field(name="metadata.user_api_key_org_id", default=UNSET)
    dotted_user: Guard = msgspec.field(name="metadata.user_api_key_user_id", default=UNSET)
    dotted_key: Guard = msgspec.field(name="metadata.user_api_key_hash", default=UNSET)


def read(payload: LoggedCall) -> list[PlainItem]:
    """The event of a payload. NotPlainError: it is for the full decoder."""
    operation_name, calls_a_model = _kind_of(payload.call_type)
    if not calls_a_model or not _is_usual(payload):
        raise NotPlainError
    event_id, call_id, started_us, ended_us = _identity(payload)
    group = word(payload.model_group)
    request = word(payload.model) or group
    reply = _reply(payload.response)
    answered = word(reply.model)
    response = None if answered == group else answered
    metadata, hidden = payload.metadata or _NO_METADATA, payload.hidden_params or _NO_HIDDEN
    if not _nothing_metered(metadata, reply, hidden):
        raise NotPlainError
    failed = word(payload.status) == "failure"
    usage = metadata.usage_object or hidden.usage_object or reply.usage
    cache_read, cache_write, reasoning = _classes(usage, metadata, hidden, reply)
    given, written = payload.prompt_tokens, payload.completion_tokens
    if (not (given or written) and not failed) or not (request or response):
        raise NotPlainError
    if written is None and operation_name == EMBEDDINGS:
        written = 0
    given, cache_read, cache_write, written, reasoning, quality = inclusive(
        given, cache_read, cache_write, written, reasoning, payload.total_tokens
    )
    costs = payload.cost_breakdown or _NO_COSTS
    region, region_source = _place(
        usage.inference_geo if usage is not None else None,
        costs.data_residency,
        costs.vertex_location,
        payload.api_base,
        hidden.api_base,
    )
    team, key = word(metadata.user_api_key_team_id), word(metadata.user_api_key_hash)
    user = word(metadata.user_api_key_user_id)
    event = replace(
        EVENT,
        event_id=event_id,
        started_at=None if started_us is None else spelled(started_us),
        ended_at=spelled(ended_us),
        tenant_id=team or word(metadata.user_api_key_org_id) or user or key or UNKNOWN_TENANT,
        team_id=team,
        project_id=word(metadata.user_api_key_project_id),
        user_id=user,
        provider=provider(payload.custom_llm_provider),
        request_model=request,
        response_model=response,
        input_tokens=given,
        cache_read_input_tokens=cache_read,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        inference_region=region,
        status="error" if failed else "ok",
        gateway_cache_hit=True if _CACHE_HIT_ID.search(call_id) else flag(payload.cache_hit),
        cache_write_input_tokens=cache_write,
        api_key_id=key,
        usage_quality=quality,
    )
    return [(event, region_source)]


_NO_METADATA, _NO_HIDDEN, _NO_COSTS, _NO_REPLY = _Metadata(), _Hidden(), _Costs(), _Response()


def _is_usual(payload: LoggedCall) -> bool:
    """Whether nothing is there that another decoder, or a part of this format's own that is seldom needed, looks at."""
    return (
        payload.specversion is UNSET
        and payload.resource_spans is UNSET
        and payload.resource_logs is UNSET
        and payload.resource_metrics is UNSET
        and payload.batch is UNSET
        and payload.body is UNSET
        and payload.schema_type is UNSET
        and payload.event_id is UNSET
        and payload.ai is UNSET
        and payload.spend is UNSET
        and payload.dotted_team is UNSET
        and payload.dotted_org is UNSET
        and payload.dotted_user is UNSET
        and payload.dotted_key is UNSET
    )


def _identity(payload: LoggedCall) -> tuple[str, str, int | None, int]:
    """The event's id, LiteLLM's own of the answer, start and end."""
    call_id = payload.id or ""
    event_id = text(payload.litellm_call_id)
    ended_us, started_us = time_us(payload.end_time, "endTime"), time_us(payload.start_time, "startTime")
    if event_id is None and payload.call_type is not None and started_us is not None:
        event_id = text(call_id)  # the format is told by these two
    if event_id is None or len(event_id) > NAME_LENGTH_MAX or ended_us is None or call_id.startswith("resp_"):
        raise NotPlainError
    if started_us is not None and started_us > ended_us:
        raise NotPlainError
    return event_id, call_id, started_us, ended_us


def _classes(
    usage: ChatUsage | None, metadata: _Metadata, hidden: _Hidden, reply: _Response
) -> tuple[int | None, int | None, int | None]:
    """The classes within the counts: read from a cache, written to one, reasoning."""
    cache_read = cache_write = reasoning = None
    if usage is not None and usage != NOTHING_SAID:
        _, cache_read, cache_write, _, reasoning, _ = chat_counts(usage)
    elif any(other not in (None, NOTHING_SAID) for other in (hidden.usage_object, reply.usage)):
        raise NotPlainError  # an empty one is passed over, and another one follows
    additional = metadata.additional_usage_values
    if additional is not None:
        cache_read = additional.cache_read_input_tokens if cache_read is None else cache_read
        cache_write = additional.cache_creation_input_tokens if cache_write is None else cache_write
    return cache_read, cache_write, reasoning


def _reply(response: _Response | str | None) -> _Response:
    if response is None:
        return _NO_REPLY
    if isinstance(response, str):  # the answer alone, or a word in its place
        if response.lstrip()[:1] == "{":
            raise NotPlainError
        return _NO_REPLY
    return response


def _nothing_metered(metadata: _Metadata, reply: _Response, hidden: _Hidden) -> bool:
    """Whether nothing says how much energy was metered, and the reply is no reply that was passed through unread."""
    if (
        metadata.energy_joules is not UNSET
        or metadata.energy is not UNSET
        or reply.response is not UNSET
        or reply.energy_joules is not UNSET
        or reply.energy is not UNSET
        or hidden.energy_joules is not UNSET
        or hidden.energy is not UNSET
    ):
        return False
    callers = (metadata.spend_logs_metadata, metadata.requester_metadata)
    return all(each is None or (each.energy_joules is UNSET and each.energy is UNSET) for each in callers)


@lru_cache(maxsize=1024)
def _kind_of(call_type: str | None) -> tuple[str | None, bool]:
    """The operation, and whether it is a call of a model like any other."""
    said = text(call_type)
    name = operation(said)
    other = said in BATCH_CALL_TYPES or said in LOOKS_BACK or said in PASS_THROUGH
    return name, not other and (said is None or name is not None)


@lru_cache(maxsize=4096)
def _place(
    geo: str | None, residency: str | None, vertex: str | None, api_base: str | None, hidden_api_base: str | None
) -> tuple[str | None, str]:
    return regions.first_known(
        (
            (geo, "provider_geo"),
            (residency, "provider_geo"),
            (regions.in_cloud("gcp", vertex), "endpoint"),
            (regions.of_endpoint(api_base), "endpoint"),
            (regions.of_endpoint(hidden_api_base), "endpoint"),
        )
    )
