"""Bedrock's invocation log as it usually is; `formats/bedrock.py` has what each field means."""

from functools import lru_cache

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from rice_stream.events.formats.bedrock import ARN_REGION, EMBEDDING_MODELS, SCHEMA_TYPE
from rice_stream.events.formats.plain.fields import (
    EVENT,
    Count,
    Guard,
    Name,
    NoOtherFormat,
    NotPlainError,
    PlainItem,
    Time,
    inclusive,
    spelled_time,
    word,
)
from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.values import text
from rice_stream.events.unnamed import UNKNOWN_TENANT


class _Identity(msgspec.Struct, gc=False):
    arn: Name = None


class _Metadata(msgspec.Struct, gc=False):
    tenant_id: Name = None
    tenant: Name = None
    team_id: Name = None
    team: Name = None


class _Input(msgspec.Struct, rename="camel", gc=False):
    input_token_count: Count = None
    cache_read_input_token_count: Count = None
    cache_write_input_token_count: Count = None
    cache_read_input_tokens: Count = None
    cache_write_input_tokens: Count = None


class _Output(msgspec.Struct, rename="camel", gc=False):
    output_token_count: Count = None


class BedrockEntry(NoOtherFormat, kw_only=True, rename="camel", gc=False):
    """The wanted fields of an entry."""

    schema_type: Name = None
    timestamp: Time = None
    account_id: Name = None
    identity: _Identity | None = None
    region: Name = None
    inference_region: Name = None
    request_id: Name = None
    model_id: Name = None
    request_metadata: _Metadata | None = None
    input: _Input | None = None
    output: _Output | None = None
    error_code: Name = None
    # A name with a dot of its own goes before the path that is spelled like it.
    dotted_tenant_id: Guard = msgspec.field(name="requestMetadata.tenant_id", default=UNSET)
    dotted_tenant: Guard = msgspec.field(name="requestMetadata.tenant", default=UNSET)
    dotted_team_id: Guard = msgspec.field(name="requestMetadata.team_id", default=UNSET)
    dotted_team: Guard = msgspec.field(name="requestMetadata.team", default=UNSET)
    dotted_arn: Guard = msgspec.field(name="identity.arn", default=UNSET)


_NO_METADATA, _NO_INPUT, _NO_OUTPUT, _NO_IDENTITY = _Metadata(), _Input(), _Output(), _Identity()


def read(entry: BedrockEntry) -> list[PlainItem]:
    """The event of an entry. NotPlainError: it is for the full decoder."""
    if entry.schema_type != SCHEMA_TYPE:
        raise NotPlainError
    event_id, ended_at = text(entry.request_id), spelled_time(entry.timestamp, "timestamp")
    model, is_embedding, region, region_source = _served(entry.model_id, entry.inference_region, entry.region)
    if event_id is None or ended_at is None or model is None:
        raise NotPlainError
    given, written = entry.input or _NO_INPUT, (entry.output or _NO_OUTPUT).output_token_count
    read, made = given.cache_read_input_token_count, given.cache_write_input_token_count
    input_tokens, read, made, written, _, quality = inclusive(
        given.input_token_count,
        given.cache_read_input_tokens if read is None else read,
        given.cache_write_input_tokens if made is None else made,
        0 if written is None and is_embedding else written,
        None,
        None,
        cached_outside=True,
    )
    arn = word((entry.identity or _NO_IDENTITY).arn)
    metadata = entry.request_metadata or _NO_METADATA
    event = replace(
        EVENT,
        event_id=event_id,
        ended_at=ended_at,
        tenant_id=(
            word(metadata.tenant_id)
            or word(metadata.tenant)
            or word(metadata.team_id)
            or word(metadata.team)
            or arn
            or word(entry.account_id)
            or UNKNOWN_TENANT
        ),
        user_id=arn,
        provider="aws.bedrock",
        request_model=model,
        input_tokens=input_tokens,
        cache_read_input_tokens=read,
        output_tokens=written,
        inference_region=region,
        status="ok" if word(entry.error_code) is None else "error",
        cache_write_input_tokens=made,
        usage_quality=quality,
    )
    return [(event, region_source)]


@lru_cache(maxsize=4096)
def _served(
    model_id: str | None, inference_region: str | None, region: str | None
) -> tuple[str | None, bool, str | None, str]:
    """The model, whether it embeds, and the region with its rung."""
    model = text(model_id) or ""
    arn = ARN_REGION.match(model)
    place = regions.first_known(
        (
            (regions.in_cloud("aws", inference_region), "provider_geo"),
            (regions.in_cloud("aws", region), "endpoint"),
            (regions.in_cloud("aws", arn.group(1)) if arn else None, "endpoint"),
        )
    )
    return model or None, EMBEDDING_MODELS.search(model) is not None, *place
