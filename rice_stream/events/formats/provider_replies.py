"""Replies of model providers, or records around their usage object: OpenAI, Anthropic, Gemini, Bedrock Converse.

The usage object's keys say whose it is. Id, time and tenant are what the reply or the record around it carries;
Anthropic's reply has no time and Converse's neither, so there the record's own time stands.
"""

from collections.abc import Mapping
from typing import Any

from rice_stream.events.formats.reading import energy, regions, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft, one_event
from rice_stream.events.formats.reading.items import UNEXPECTED, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import Moment, milliseconds, moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters
from rice_stream.events.formats.reading.usage_objects import UsageShape, read_usage, shape_of
from rice_stream.events.formats.reading.values import first_text, text
from rice_stream.events.records import Ignored, RefusedError

SOURCE_FORMAT = "provider_usage"
TENANT_LADDER = ("tenant_id", "tenant", "metadata.tenant_id", "metadata.tenant", "team_id", "metadata.team_id")
USAGE_FIELDS = ("usage", "usageMetadata", "usage_metadata")
ENDED = ("ended_at", "completed_at", "timestamp", "time", "created_at", "created", "createTime", "create_time")
STARTED = ("started_at",)
IDS = ("event_id", "id", "responseId", "response_id", "request_id", "requestId", "ResponseMetadata.RequestId")
RESPONSE_MODEL = ("model", "modelVersion", "model_version", "modelId", "model_id", "response_model")
HEADER_DATES = ("ResponseMetadata.HTTPHeaders.date", "sdk_http_response.headers.date", "sdkHttpResponse.headers.date")
"""When boto3's and google-genai's replies came, where nothing else says it."""
_OPENAI_MODELS = (
    "gpt-",
    "chatgpt-",
    "o1",
    "o3",
    "o4",
    "text-embedding-",
    "codex",
    "ft:gpt-",
    "davinci",
    "computer-use",
)
_PROVIDER_OF_SHAPE: Mapping[UsageShape, str] = {
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "bedrock_converse": "aws.bedrock",
}
_FAILED = frozenset({"failed", "error", "cancelled"})
_OF_A_REPLY = ("object", "type", "choices", "candidates", "output", "error")
_TEXTS = ("choices", "output", "content", "candidates")


def has_usage(obj: JsonObject) -> bool:
    """Whether the object is a reply, or a stream's event around one."""
    return _has_usage_field(obj) or (obj.is_object("response") and _is_stream_event(obj))


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The event of one reply. Streams repeat it in their last event (`response.completed`)."""
    reply = obj.child("response") if not _has_usage_field(obj) and obj.is_object("response") else obj
    return [one_event(reply, SOURCE_FORMAT, origin, options, _event)]


def _is_reply(obj: JsonObject) -> bool:
    return _has_usage_field(obj) or any(name in obj for name in _OF_A_REPLY)


def _is_stream_event(obj: JsonObject) -> bool:
    return (text(obj.scalar("type")) or "").startswith("response.")


def _has_usage_field(obj: JsonObject) -> bool:
    return any(name in obj for name in USAGE_FIELDS)


def _event(reply: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    if not _is_reply(reply):
        raise RefusedError(UNEXPECTED, "no field of a provider's reply")
    usage = next((value for name in USAGE_FIELDS if isinstance(value := reply.value(name), dict)), {})
    shape = shape_of(usage)
    if shape == "openai_responses" and text(reply.scalar("type")) == "message":
        # Anthropic's reply before it had caches: the classes are disjoint, and there are none.
        shape = "anthropic"
    if shape == "none" or _goes_on(reply):
        return Ignored("no_usage", "a reply, or a part of one, without token counts")
    model = first_text(reply.find, RESPONSE_MODEL)
    provider = vocabulary.provider(reply.scalar("provider")) or _provider(shape, model)
    draft.identify(first_text(reply.find, IDS))
    draft.happened(*_times(reply))
    draft.models(request=reply.scalar("request_model"), response=model, provider=provider)
    draft.ended(failed=text(reply.scalar("status")) in _FAILED or reply.is_object("error"))
    is_list = text(reply.scalar("object")) == "list"
    draft.used(
        read_usage(usage),
        vocabulary.EMBEDDINGS if is_list else None,
        lambda: None,
        lambda: next((n for name in _TEXTS if (n := characters(reply.value(name))) is not None), None),
    )
    draft.metered(energy.of_objects([reply, *(reply.child(name) for name in (*USAGE_FIELDS, "metadata"))]))
    draft.ran_in(
        (usage.get("inference_geo"), "provider_geo"),
        (reply.scalar("inference_region"), "provider_geo"),
        (regions.of_endpoint(reply.scalar("api_base")), "endpoint"),
    )
    draft.fields["user_id"] = first_text(reply.find, ("user_id", "user"))
    draft.charge(reply.find, TENANT_LADDER)
    return draft.done()


def _goes_on(reply: JsonObject) -> bool:
    """A chunk of google-genai's stream before its last: every chunk repeats the counts up to then."""
    if not reply.is_object("usage_metadata"):
        return False
    answers = reply.children("candidates")
    return bool(answers) and not any(answer and text(answer.scalar("finish_reason")) for answer in answers)


def _provider(shape: UsageShape, model: str | None) -> str | None:
    """Only what the reply shows: many servers speak OpenAI's shape, so there the model's name must agree."""
    known = _PROVIDER_OF_SHAPE.get(shape)
    if known is None and model is not None and model.startswith(_OPENAI_MODELS):
        return "openai"
    return known


def _times(reply: JsonObject) -> tuple[Moment | None, Moment | None]:
    """(end, start) as the reply says; Converse says how long it took."""
    ended: Any = next((time for name in (*ENDED, *HEADER_DATES) if (time := _time(reply, name))), None)
    at = moment(ended, "ended_at")
    # OpenAI's Responses carry both; elsewhere `created_at` is all there is.
    names = (*STARTED, "created_at") if _time(reply, "completed_at") else STARTED
    started = moment(next((time for name in names if (time := _time(reply, name))), None), "started_at")
    duration_us = milliseconds(reply.child("metrics").scalar("latencyMs"))
    if at is not None and started is None and duration_us is not None:
        started = Moment(at.us - duration_us, at.zone_assumed)
    return at, started


def _time(reply: JsonObject, name: str) -> str | float | None:
    """A time as it came: both spellings are in use."""
    found = reply.find(name)
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None
