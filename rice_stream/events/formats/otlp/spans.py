"""OTLP traces and logs -> events: only spans that stand for one call of a model, each counted once.

A span counts if it has an input or output count and its operation is chat, text_completion, generate_content or
embeddings; or, without an operation, if it comes from a producer whose spans are single calls. Agents, workflows and
tools repeat what their calls carry. So does, within one record, what a second instrumentation writes of the same call.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp import json as otlp_json
from rice_stream.events.formats.otlp import langfuse as otlp_langfuse
from rice_stream.events.formats.otlp.repeats import repeats
from rice_stream.events.formats.otlp.span import OtlpSpan, wanted_names
from rice_stream.events.formats.reading import energy, regions, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft
from rice_stream.events.formats.reading.items import UNEXPECTED, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import Moment, from_nanoseconds, milliseconds
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters_of_json
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import first_text, flag, text
from rice_stream.events.records import Ignored, Refusal, RefusedError

SOURCE_FORMAT = "otlp"
NOT_OTLP = Refusal(UNEXPECTED, "neither OTLP/JSON nor a TracesData or LogsData message")
NO_CALL = Ignored("not_an_inference", "a span that does not stand for one call of a model")
SKIPPED_SCOPE = Ignored("skipped_scope", "its instrumentation scope is set not to count")
NO_USAGE = Ignored("no_usage", "a call of a model without token counts")
INFERENCE_EVENT = "gen_ai.client.inference.operation.details"
_OPENINFERENCE_CALLS = {"LLM": "chat", "EMBEDDING": vocabulary.EMBEDDINGS}
_AI_SDK_CALLS = {
    ".doGenerate": "generate_content",
    ".doStream": "generate_content",
    ".doEmbed": vocabulary.EMBEDDINGS,
}
VLLM_SPAN = "llm_request"
ADK_SPAN, _ADK_SCOPE = "call_llm", "gcp.vertex.agent"
_OPENLIT = "openlit."


def decode_proto(value: bytes, origin: ItemOrigin, options: FormatOptions) -> list[Item] | None:
    """The items of a protobuf message; None if it is neither TracesData nor LogsData with anything in it."""
    # Imported where protobuf is read: who sends JSON alone needs no message classes.
    from rice_stream.events.formats.otlp import proto as otlp_proto

    spans = otlp_proto.read(value, wanted_names(options), options.attribute_names)
    return None if spans is None else _decide_all(spans, origin, options)


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The items of one OTLP/JSON object."""
    if "resourceMetrics" in obj:
        return [Ignored("aggregate_metrics", "metrics are sums over requests, not requests")]
    if "resourceSpans" not in obj and "resourceLogs" not in obj:
        return [NOT_OTLP]
    return _decide_all(otlp_json.read(obj, wanted_names(options), options.attribute_names), origin, options)


def _decide_all(spans: Iterable[OtlpSpan | Refusal], origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    read = options.bounded(spans)
    items: list[Item] = []
    for position, span in enumerate(read):
        if isinstance(span, Refusal):
            items.append(span)
            continue
        draft = EventDraft(SOURCE_FORMAT, origin._replace(part=position), options)
        try:
            items.append(_decide(*_at_end(span, draft, options)))
        except RefusedError as problem:
            items.append(problem.refusal(draft.fields))
    return _without_repeats(read, items) or [Ignored("empty", "no span and no log record")]


def _at_end(span: OtlpSpan, draft: EventDraft, options: FormatOptions) -> tuple[OtlpSpan, EventDraft, FormatOptions]:
    """The span with the options of when it ended, and of its resource what these look at: nothing of later ones."""
    if not options.changes:
        return span, draft, options
    try:
        ended = from_nanoseconds(span.end_ns, "endTimeUnixNano") or from_nanoseconds(span.start_ns, "startTimeUnixNano")
        then = draft.options_at(ended)
    except RefusedError:
        then = options  # a broken time: refused for it, where the span counts at all
    looked_at = names.WANTED_OF_RESOURCE | then.attribute_names
    resource = {name: value for name, value in span.resource.items() if name in looked_at}
    return span._replace(resource=resource), draft, then


def _decide(span: OtlpSpan, draft: EventDraft, options: FormatOptions) -> Item:
    operation = operation_of(span)
    if span.is_log and span.event_name != INFERENCE_EVENT:
        return Ignored("not_an_inference", "a log record that is no inference event")
    # Written beside the span of the same call, a moment before or after its end: under another key, it would count again.
    if span.is_log and _has_a_span(span) and not options.count_log_events:
        return Ignored(
            "log_events_off", "an inference log event of a span, which counts itself (RICE_COUNT_LOG_EVENTS)"
        )
    if operation is None:
        return NO_CALL
    if span.scope in options.skipped_scopes:
        return SKIPPED_SCOPE
    if not _has_usage(span) and not (options.estimate_missing_usage and _has_text(span.attributes)):
        return NO_USAGE
    return event_of(span, operation, draft)


def _has_a_span(log_event: OtlpSpan) -> bool:
    """OpenLIT writes one beside every span, but after a stream has ended it no longer knows which."""
    return bool(log_event.span_id) or log_event.scope.startswith(_OPENLIT)


def _has_usage(span: OtlpSpan) -> bool:
    """Zeros alone are counts only where no inference is likely: some write them before a stream begins, and no more."""
    attributes = span.attributes
    if names.has_usage(attributes) or otlp_langfuse.has_usage(attributes):
        return True
    nothing_ran = _failed(span) or flag(attributes.get(names.CACHE_HIT)) is True
    return nothing_ran and names.has_usage(attributes, zeros=True)


def _failed(span: OtlpSpan) -> bool:
    attributes = span.attributes
    return span.failed or text(attributes.get(names.ERROR_TYPE)) is not None or otlp_langfuse.failed(attributes)


def operation_of(span: OtlpSpan) -> str | None:
    """The operation of a span that stands for one call, None for every other span."""
    attributes = span.attributes
    if text(attributes.get(names.OPERATION)) is not None:
        return vocabulary.operation(attributes[names.OPERATION])
    if span.is_log:
        return "chat"
    kind = text(attributes.get(names.OPENINFERENCE_KIND))
    if kind is not None:
        return _OPENINFERENCE_CALLS.get(kind.upper())
    sdk_call = text(attributes.get(names.AI_SDK_OPERATION))
    if sdk_call is not None:
        return next((operation for end, operation in _AI_SDK_CALLS.items() if sdk_call.endswith(end)), None)
    if otlp_langfuse.TYPE in attributes:
        return otlp_langfuse.operation(attributes)
    request_type = names.first(attributes, names.REQUEST_TYPE)
    if request_type is not None:
        return vocabulary.operation(request_type)
    if (span.name, span.scope) == (ADK_SPAN, _ADK_SCOPE):
        return "generate_content"
    return "chat" if is_vllm(span) else None


def is_vllm(span: OtlpSpan) -> bool:
    """Whether the span comes from the server itself."""
    return span.name == VLLM_SPAN and span.scope.startswith("vllm")


def event_of(span: OtlpSpan, operation: str, draft: EventDraft) -> EventFields:
    """The event of a span that stands for one call."""
    attributes = span.attributes
    if span.trace_id and span.span_id:
        draft.identify(f"{span.trace_id}:{span.span_id}")
    else:
        draft.identify(attributes.get(names.RESPONSE_ID))
    draft.happened(from_nanoseconds(span.end_ns, "endTimeUnixNano"), _started(span))
    draft.models(
        request=names.first(attributes, names.REQUEST_MODEL),
        response=names.first(attributes, names.RESPONSE_MODEL),
        provider=names.provider(attributes) or ("vllm" if is_vllm(span) else None),
    )
    draft.ended(failed=_failed(span))
    draft.fields["gateway_cache_hit"] = flag(attributes.get(names.CACHE_HIT))
    raw_usage = names.usage_object(attributes)
    draft.used(
        _counts(span, raw_usage),
        operation,
        lambda: _length(attributes, names.INPUT_TEXT),
        lambda: _length(attributes, names.OUTPUT_TEXT),
    )
    draft.metered(energy.of_attributes(attributes.get, names.ENERGY_JOULES, names.ENERGY_BOUNDARY))
    _place(span, raw_usage, draft)
    _charge(span, draft)
    return draft.done()


def _started(span: OtlpSpan) -> Moment | None:
    started = from_nanoseconds(span.start_ns, "startTimeUnixNano")
    took = span.attributes.get(names.DURATION)
    if started is None or span.start_ns != span.end_ns or not isinstance(took, float):
        return started
    return Moment(max(0, started.us - (milliseconds(took * 1000) or 0)))


def _counts(span: OtlpSpan, raw_usage: Mapping[str, Any]) -> TokenCounts:
    """From the attributes of everyone; from Langfuse's own where there are none of these."""
    attributes = span.attributes
    if otlp_langfuse.USAGE_DETAILS in attributes and not names.has_usage(attributes, zeros=True):
        return otlp_langfuse.read_counts(attributes)
    return names.read_counts(attributes, raw_usage, cached_apart=span.scope in names.CACHED_APART_SCOPES)


def _place(span: OtlpSpan, raw_usage: Mapping[str, Any], draft: EventDraft) -> None:
    """The resource's region is where the sender runs: it counts for vLLM alone, whose spans come from the server."""
    attributes = span.attributes
    written = text(attributes.get(names.HIDDEN_PARAMS))
    hidden = JsonObject.read(written.encode()) if written else None
    resource = span.resource if is_vllm(span) else {}
    draft.ran_in(
        (raw_usage.get("inference_geo"), "provider_geo"),
        (regions.in_cloud(attributes.get(names.SPAN_CLOUD), attributes.get(names.SPAN_REGION)), "span"),
        *((regions.of_endpoint(attributes[name]), "endpoint") for name in names.ENDPOINT if name in attributes),
        (regions.of_endpoint(hidden.scalar("api_base")) if hidden else None, "endpoint"),
        (regions.in_cloud(resource.get(names.SPAN_CLOUD), resource.get(names.SPAN_REGION)), "span"),
    )


def _charge(span: OtlpSpan, draft: EventDraft) -> None:
    def find(name: str) -> object:
        own = span.attributes.get(name)
        return span.resource.get(name) if own is None else own

    service = text(span.resource.get(names.SERVICE_NAME))
    # The SDKs' own name for a service that nobody named.
    draft.fields["source"] = None if service is None or service.startswith("unknown_service") else service
    draft.fields["team_id"] = text(find(names.TEAM))
    draft.fields["project_id"] = text(find(names.PROJECT))
    draft.fields["user_id"] = first_text(find, names.USER)
    draft.fields["api_key_id"] = text(find(names.API_KEY))
    draft.charge(find, names.TENANT_LADDER)


def _has_text(attributes: Mapping[str, Any]) -> bool:
    return any(attributes.get(name) for name in names.TEXT)


def _length(attributes: Mapping[str, Any], texts: tuple[str, ...]) -> int | None:
    return next((found for name in texts if (found := characters_of_json(attributes.get(name))) is not None), None)


def _without_repeats(spans: list[OtlpSpan | Refusal], items: list[Item]) -> list[Item]:
    """Within one record; across records this cannot be seen: there `skipped_scopes` is the means."""
    if sum(isinstance(item, dict) for item in items) < 2:
        return items
    repeated = repeats(spans, items)
    again = Ignored("repeats_outer_span", "a span around or beside it carries the same call")
    return [again if position in repeated else item for position, item in enumerate(items)]
