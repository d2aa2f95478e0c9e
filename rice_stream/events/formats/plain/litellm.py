"""LiteLLM's logging payloads as they usually are; `formats/litellm` has what each field means."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.litellm.batches import CALL_TYPES as BATCH_CALL_TYPES
from rice_stream.events.formats.litellm.payload import LOOKS_BACK, PASS_THROUGH
from rice_stream.events.formats.plain.fields import (
    EVENT,
    NotPlainError,
    PlainItem,
    Usage,
    inclusive,
    operation,
    provider,
    spelled,
    time_us,
)
from rice_stream.events.formats.plain.litellm_payload import (
    CallCosts,
    CallMetadata,
    CallReply,
    HiddenParams,
    LoggedCall,
)
from rice_stream.events.formats.plain.usage import NOTHING_SAID, ChatUsage, chat_counts
from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.moments import END_US, FIRST_US
from rice_stream.events.formats.reading.values import flag, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.quantities import NAME_LENGTH_MAX

Value = TypeVar("Value", covariant=True)
CACHE_HIT, RESPONSE_ID = "_cache_hit", "resp_"
"""What stands in ids that say something of their calls, the second at the beginning."""
_CACHE_HIT_ID = re.compile(CACHE_HIT + r"\d")


class CallUser(NamedTuple):
    """Who made a call, in the order of `together.layouts.WHO`."""

    tenant_id: str
    team_id: str | None
    project_id: str | None
    source: None
    user_id: str | None
    api_key_id: str | None


class CallServed(NamedTuple):
    """What answered a call, and how it went."""

    provider: str | None
    request_model: str | None
    response_model: str | None
    inference_region: str | None
    region_source: str
    gateway_cache_hit: bool | None
    failed: bool
    is_embedding: bool


class Call(NamedTuple):
    """What a payload says: names that many calls share, and what is its own."""

    event_id: str
    started_us: int | None
    ended_us: int
    user: CallUser
    served: CallServed
    usage: Usage


def read(payload: LoggedCall) -> list[PlainItem]:
    """The event of a payload. NotPlainError: it is for the full decoder."""
    call = call_of(payload)
    return [(event_of(call), call.served.region_source)]


def event_of(call: Call) -> WireEvent:
    """The event of a call."""
    user, served = call.user, call.served
    given, cache_read, cache_write, written, reasoning, quality = call.usage
    return replace(
        EVENT,
        event_id=call.event_id,
        started_at=None if call.started_us is None else spelled(call.started_us),
        ended_at=spelled(call.ended_us),
        tenant_id=user.tenant_id,
        team_id=user.team_id,
        project_id=user.project_id,
        user_id=user.user_id,
        provider=served.provider,
        request_model=served.request_model,
        response_model=served.response_model,
        input_tokens=given,
        cache_read_input_tokens=cache_read,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        inference_region=served.inference_region,
        status="error" if served.failed else "ok",
        gateway_cache_hit=served.gateway_cache_hit,
        cache_write_input_tokens=cache_write,
        api_key_id=user.api_key_id,
        usage_quality=quality,
    )


def call_of(payload: LoggedCall) -> Call:
    """What the payload says. NotPlainError: it is for the full decoder."""
    return Call(*parts_of(payload, _USERS, _KINDS))


class KindOfCall(Protocol):
    """As much of `CallServed` as counts depend on."""

    @property
    def failed(self) -> bool: ...
    @property
    def is_embedding(self) -> bool: ...


User = TypeVar("User")
Served = TypeVar("Served", bound=KindOfCall)


class ByNames(Protocol[Value]):
    """What stands for some names as they are said."""

    def __getitem__(self, names: tuple[Any, ...], /) -> Value: ...


def parts_of(
    payload: LoggedCall, users: ByNames[User], kinds: ByNames[Served | None]
) -> tuple[str, int | None, int, User, Served, Usage]:
    """The parts of its `Call`, with what stands for the names of user (as `user_of` takes them) and kind of call (`served_by`)."""
    call_id, reply = payload.id or "", payload.response
    if type(reply) is not CallReply:
        reply = reply_of(reply)
    metadata, hidden = payload.metadata or _NO_METADATA, payload.hidden_params or NO_HIDDEN
    costs = payload.cost_breakdown or NO_COSTS
    usage = metadata.usage_object or hidden.usage_object or reply.usage
    served = kinds[
        payload.call_type,
        payload.model,
        payload.model_group,
        reply.model,
        payload.custom_llm_provider,
        payload.status,
        True if CACHE_HIT in call_id and _CACHE_HIT_ID.search(call_id) else payload.cache_hit,
        None if usage is None else usage.inference_geo,
        costs.data_residency,
        costs.vertex_location,
        payload.api_base,
        hidden.api_base,
    ]
    given, written = payload.prompt_tokens, payload.completion_tokens
    if served is None or not (given or written or served.failed):
        raise NotPlainError
    user = users[
        metadata.user_api_key_team_id,
        metadata.user_api_key_org_id,
        metadata.user_api_key_project_id,
        metadata.user_api_key_user_id,
        metadata.user_api_key_hash,
    ]
    cache_read, cache_write, reasoning = _classes(usage, metadata, hidden, reply)
    if written is None and served.is_embedding:
        written = 0
    counts = inclusive(given, cache_read, cache_write, written, reasoning, payload.total_tokens)
    return (*_identity(payload, call_id), user, served, counts)


@lru_cache(maxsize=16_384)
def user_of(team: str | None, org: str | None, project: str | None, user: str | None, key: str | None) -> CallUser:
    """Whose call it is, by names as they are said."""
    team, user, key = text(team), text(user), text(key)
    return CallUser(team or text(org) or user or key or UNKNOWN_TENANT, team, text(project), None, user, key)


@lru_cache(maxsize=4096)
def served_by(
    call_type: str | None,
    model: str | None,
    model_group: str | None,
    reply_model: str | None,
    custom_llm_provider: str | None,
    status: str | None,
    cache_hit: object,
    geo: str | None,
    residency: str | None,
    vertex: str | None,
    api_base: str | None,
    hidden_api_base: str | None,
) -> CallServed | None:
    """None: such calls are for the full decoder."""
    said = text(call_type)
    name = operation(said)
    if said in BATCH_CALL_TYPES or said in LOOKS_BACK or said in PASS_THROUGH or (said is not None and name is None):
        return None
    group, answered = text(model_group), text(reply_model)
    request, response = text(model) or group, None if answered == group else answered
    if not (request or response):
        return None
    region, region_source = regions.first_known(
        (
            (geo, "provider_geo"),
            (residency, "provider_geo"),
            (regions.in_cloud("gcp", vertex), "endpoint"),
            (regions.of_endpoint(api_base), "endpoint"),
            (regions.of_endpoint(hidden_api_base), "endpoint"),
        )
    )
    failed = text(status) == "failure"
    hit, is_embedding = flag(cache_hit), name == EMBEDDINGS
    return CallServed(
        provider(custom_llm_provider), request, response, region, region_source, hit, failed, is_embedding
    )


class _Remembered(Generic[Value]):
    def __init__(self, find: Callable[..., Value]) -> None:
        self._find = find

    def __getitem__(self, names: tuple[Any, ...], /) -> Value:
        return self._find(*names)


_USERS, _KINDS = _Remembered(user_of), _Remembered(served_by)
_NO_METADATA, NO_HIDDEN, NO_COSTS, _NO_REPLY = CallMetadata(), HiddenParams(), CallCosts(), CallReply()


def _identity(payload: LoggedCall, call_id: str) -> tuple[str, int | None, int]:
    """The event's id, start and end."""
    event_id, ended, started = text(payload.litellm_call_id), payload.end_time, payload.start_time
    ended_us, started_us = time_us(ended, "endTime"), None if started is None else time_us(started, "startTime")
    if event_id is None and payload.call_type is not None and started_us is not None:
        event_id = text(call_id)  # the format is told by these two
    if event_id is None or len(event_id) > NAME_LENGTH_MAX or call_id.startswith(RESPONSE_ID):
        raise NotPlainError
    if ended_us is None or not FIRST_US <= ended_us < END_US:
        raise NotPlainError
    if started_us is not None and not FIRST_US <= started_us <= ended_us:
        raise NotPlainError
    return event_id, started_us, ended_us


def _classes(
    usage: ChatUsage | None, metadata: CallMetadata, hidden: HiddenParams, reply: CallReply
) -> tuple[int | None, int | None, int | None]:
    """The classes within the counts: read from a cache, written to one, reasoning."""
    cache_read = cache_write = reasoning = None
    if usage is not None and (usage.prompt_tokens is not None or usage != NOTHING_SAID):
        _, cache_read, cache_write, _, reasoning, _ = chat_counts(usage)
    elif any(other not in (None, NOTHING_SAID) for other in (hidden.usage_object, reply.usage)):
        raise NotPlainError  # an empty one is passed over, and another one follows
    additional = metadata.additional_usage_values
    if additional is not None:
        cache_read = additional.cache_read_input_tokens if cache_read is None else cache_read
        cache_write = additional.cache_creation_input_tokens if cache_write is None else cache_write
    return cache_read, cache_write, reasoning


def reply_of(response: CallReply | str | None) -> CallReply:
    """What stands for it. NotPlainError: it is an object within a text."""
    if response is None:
        return _NO_REPLY
    if isinstance(response, str):  # the answer alone, or a word in its place
        if response.lstrip()[:1] == "{":
            raise NotPlainError
        return _NO_REPLY
    return response
