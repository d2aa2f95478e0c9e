"""AWS Bedrock's model-invocation log. `inputTokenCount` leaves cached tokens out."""

import re

from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.drafts import EventDraft, one_event
from rice_stream.events.formats.reading.items import Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import count, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS

SOURCE_FORMAT = "bedrock"
SCHEMA_TYPE = "ModelInvocationLog"
TENANT_LADDER = (
    "requestMetadata.tenant_id",
    "requestMetadata.tenant",
    "requestMetadata.team_id",
    "requestMetadata.team",
    "identity.arn",
    "accountId",
)
ARN_REGION = re.compile(r"^arn:aws[a-z-]*:bedrock:([a-z0-9-]+):")
EMBEDDING_MODELS = re.compile(r"\bembed", re.IGNORECASE)


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The event of one entry."""
    return [one_event(obj, SOURCE_FORMAT, origin, options, _event)]


def _event(entry: JsonObject, draft: EventDraft) -> Item:
    model = text(entry.scalar("modelId")) or ""
    draft.identify(entry.scalar("requestId"))
    draft.happened(moment(entry.scalar("timestamp"), "timestamp"))
    draft.models(request=model, provider="aws.bedrock")
    draft.ended(failed=text(entry.scalar("errorCode")) is not None)
    given, written = entry.child("input"), entry.child("output")
    draft.used(
        TokenCounts(
            input_tokens=count(given.value("inputTokenCount"), "inputTokenCount"),
            cache_read=_cached(given, "cacheRead"),
            cache_write=_cached(given, "cacheWrite"),
            output_tokens=count(written.value("outputTokenCount"), "outputTokenCount"),
            cached_outside=True,
        ),
        EMBEDDINGS if EMBEDDING_MODELS.search(model) else None,
        lambda: characters(given.value("inputBodyJson")),
        lambda: characters(written.value("outputBodyJson")),
    )
    arn = ARN_REGION.match(model)
    draft.ran_in(
        # A cross-region profile ran it elsewhere than where it was called.
        (regions.in_cloud("aws", entry.scalar("inferenceRegion")), "provider_geo"),
        (regions.in_cloud("aws", entry.scalar("region")), "endpoint"),
        (regions.in_cloud("aws", arn.group(1)) if arn else None, "endpoint"),
    )
    draft.fields["user_id"] = text(entry.child("identity").scalar("arn"))
    draft.charge(entry.find, TENANT_LADDER)
    return draft.done()


def _cached(given: JsonObject, kind: str) -> int | None:
    for name in (f"{kind}InputTokenCount", f"{kind}InputTokens"):
        found = count(given.value(name), name)
        if found is not None:
            return found
    return None
