"""Langfuse's ingestion batches as they usually are; `formats/langfuse.py` has what each field means."""

from functools import lru_cache

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from rice_stream.events.formats import langfuse
from rice_stream.events.formats.plain.fields import (
    EVENT,
    Count,
    Guard,
    MaybeCount,
    Name,
    NoOtherEnvelope,
    NotPlainError,
    PlainItem,
    Time,
    Usage,
    inclusive,
    inclusive_of,
    spelled_time,
    word,
)
from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.values import flag, text
from rice_stream.events.unnamed import UNKNOWN_TENANT


class _Hidden(msgspec.Struct, gc=False):
    api_base: Name = None


class _Metadata(msgspec.Struct, kw_only=True, gc=False):
    tenant_id: Name = None
    user_api_key_team_id: Name = None
    user_api_key_org_id: Name = None
    cache_hit: bool | Name = None
    hidden_params: _Hidden | None = None
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Usage(msgspec.Struct, kw_only=True, gc=False):
    input: Count = None
    output: Count = None
    total: Count = None
    unit: Name = None
    prompt_tokens: MaybeCount = msgspec.field(name="promptTokens", default=UNSET)
    completion_tokens: MaybeCount = msgspec.field(name="completionTokens", default=UNSET)
    total_tokens: Count = msgspec.field(name="totalTokens", default=None)


class _Body(msgspec.Struct, kw_only=True, gc=False):
    """Of a generation, or of a trace."""

    id: Name = None
    trace_id: Name = msgspec.field(name="traceId", default=None)
    type: Name = None
    start_time: Time = msgspec.field(name="startTime", default=None)
    end_time: Time = msgspec.field(name="endTime", default=None)
    model: Name = None
    level: Name = None
    user_id: Name = msgspec.field(name="userId", default=None)
    metadata: _Metadata | None = None
    usage_details: dict[str, Count] | None = msgspec.field(name="usageDetails", default=None)
    usage: _Usage | None = None
    # A name with a dot of its own goes before the path that is spelled like it.
    dotted_tenant: Guard = msgspec.field(name="metadata.tenant_id", default=UNSET)
    dotted_team: Guard = msgspec.field(name="metadata.user_api_key_team_id", default=UNSET)
    dotted_org: Guard = msgspec.field(name="metadata.user_api_key_org_id", default=UNSET)


class _Entry(msgspec.Struct, gc=False):
    type: Name = None
    body: _Body | None = None


class IngestedBatch(NoOtherEnvelope, kw_only=True, rename="camel", gc=False):
    """The wanted fields of a batch."""

    batch: list[_Entry] | None = None


_FIELDS = _Body.__struct_fields__
_NO_BODY, _NO_METADATA = _Body(), _Metadata()


def read(batch: IngestedBatch) -> list[PlainItem]:
    """The items of the entries, in order. NotPlainError: the batch is for the full decoder."""
    entries = batch.batch
    if not entries:
        raise NotPlainError
    traces: dict[str | None, _Body] = {}
    whole: dict[str | None, _Body] = {}
    last: dict[str | None, int] = {}
    calls: list[str | None] = []
    for position, entry in enumerate(entries):
        body, kind = entry.body or _NO_BODY, entry.type
        body_id = None
        if kind == "trace-create":
            trace_id = text(body.id)
            if trace_id is not None:
                traces[trace_id] = _updated(traces[trace_id], body) if trace_id in traces else body
        elif kind in langfuse.GENERATIONS or (kind in langfuse.OBSERVATIONS and word(body.type) in langfuse.CALLS):
            body_id = text(body.id)
            if body_id is None:
                raise NotPlainError
            whole[body_id] = _updated(whole[body_id], body) if body_id in whole else body
            last[body_id] = position
        elif kind is not None and kind != kind.strip():
            raise NotPlainError
        calls.append(body_id)
    items: list[PlainItem] = []
    for position, body_id in enumerate(calls):
        if body_id is None:
            items.append(langfuse.NO_GENERATION)
        elif last[body_id] != position:
            items.append(langfuse.SUPERSEDED)
        else:
            items.append(_item(body_id, whole[body_id], traces))
    return items


def _updated(before: _Body, later: _Body) -> _Body:
    """The fields of both, later ones over earlier ones; its nulls say nothing."""
    said = {name: value for name in _FIELDS if (value := getattr(later, name)) is not None and value is not UNSET}
    return msgspec.structs.replace(before, **said)


def _item(body_id: str, body: _Body, traces: dict[str | None, _Body]) -> PlainItem:
    ended_at = spelled_time(body.end_time, "endTime")
    if ended_at is None:
        return langfuse.STILL_RUNNING
    started_at, model = spelled_time(body.start_time, "startTime"), word(body.model)
    if model is None or (started_at is not None and started_at > ended_at):
        raise NotPlainError
    metadata = body.metadata or _NO_METADATA
    given, read_, made, written, reasoning, quality = _usage(body)
    hidden = metadata.hidden_params
    region, region_source = _place(hidden.api_base if hidden is not None else None)
    trace = traces.get(text(body.trace_id), _NO_BODY) if traces else _NO_BODY
    user = word(trace.user_id)
    event = replace(
        EVENT,
        event_id=body_id,
        started_at=started_at,
        ended_at=ended_at,
        tenant_id=(
            word(metadata.tenant_id)
            or word(metadata.user_api_key_team_id)
            or word(metadata.user_api_key_org_id)
            or (word(trace.metadata.tenant_id) if trace.metadata is not None else None)
            or user
            or UNKNOWN_TENANT
        ),
        user_id=user,
        request_model=model,
        input_tokens=given,
        cache_read_input_tokens=read_,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        inference_region=region,
        status="error" if word(body.level) == "ERROR" else "ok",
        gateway_cache_hit=flag(metadata.cache_hit),
        cache_write_input_tokens=made,
        usage_quality=quality,
    )
    return event, region_source


def _usage(body: _Body) -> Usage:
    """`usageDetails` where it has counts, else `usage`."""
    none_written = 0 if word(body.type) == "EMBEDDING" else None
    if body.usage_details:
        return _disjoint(body.usage_details) or _full(body.usage_details, none_written)
    usage = body.usage
    if usage is None:
        return inclusive(None, None, None, none_written, None, None)
    if usage.prompt_tokens is not UNSET or usage.completion_tokens is not UNSET:
        given = None if usage.prompt_tokens is UNSET else usage.prompt_tokens
        written = None if usage.completion_tokens is UNSET else usage.completion_tokens
        total = usage.total_tokens
    elif word(usage.unit) in (None, "TOKENS"):
        given, written, total = usage.input, usage.output, usage.total
    else:
        raise NotPlainError
    return inclusive(given, None, None, none_written if written is None else written, None, total)


_CLASSES = {
    "input": 0,
    "output": 1,
    "total": 2,
    **dict.fromkeys(langfuse.CACHE_READ_KEYS, 3),
    **dict.fromkeys(langfuse.REASONING_KEYS, 4),
}


def _disjoint(details: dict[str, int | None]) -> Usage | None:
    """The usual map: each class at most once, none written to a cache, nothing unknown. None: for `_full`."""
    found: list[int | None] = [None] * 5
    for name, value in details.items():
        number = _CLASSES.get(name)
        if number is None or found[number] is not None:
            return None
        found[number] = value
    given, written, total, read_, reasoning = found
    if given is None or written is None:
        return None
    return inclusive(given, read_, None, written, reasoning, total, cached_outside=True, reasoning_outside=True)


def _full(details: dict[str, int | None], none_written: int | None) -> Usage:
    counts = langfuse.details_counts(details)
    if counts.output_tokens is None and none_written == 0:
        raise NotPlainError
    return inclusive_of(counts)


@lru_cache(maxsize=1024)
def _place(api_base: str | None) -> tuple[str | None, str]:
    return regions.first_known([(regions.of_endpoint(api_base), "endpoint")])
