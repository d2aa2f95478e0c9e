"""Which format an object is in, by its keys: for topics whose format is not set."""

from rice_stream.events.formats import bedrock, envoy, langfuse
from rice_stream.events.formats import provider_replies as provider_usage
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import CANONICAL
from rice_stream.events.formats.reading.values import text

_OTLP_KEYS = ("resourceSpans", "resourceLogs", "resourceMetrics")
_CANONICAL_KEYS = ("input_tokens", "output_tokens", "ended_at")


def sniff(obj: JsonObject) -> str:
    """The format's name; `canonical` for everything that no other format knows, so that its reasons are told.

    The first that fits, in this order (docs/event-formats.md has it as a table, a test goes through it).
    """
    if any(key in obj for key in _OTLP_KEYS):
        return "otlp"
    if langfuse.is_ingestion(obj):
        return "langfuse"
    if "schemaType" in obj and text(obj.scalar("schemaType")) == bedrock.SCHEMA_TYPE:
        return "bedrock"
    if "event_id" in obj and any(key in obj for key in _CANONICAL_KEYS):
        return CANONICAL
    if obj.is_object("ai"):
        return "kong"
    if "litellm_call_id" in obj or ("call_type" in obj and "startTime" in obj):
        return "litellm"
    if envoy.is_access_log(obj):
        return "envoy"
    if provider_usage.has_usage(obj):
        return "provider_usage"
    return CANONICAL
