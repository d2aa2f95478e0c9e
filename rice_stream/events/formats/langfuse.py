"""Langfuse ingestion batches: complete generations, with the trace's user where the batch holds the trace.

Langfuse sends a generation in parts (create, then updates of the same body id). Within a batch the parts are put
together and the last complete one stands. A part whose model came in an earlier batch cannot be an event.
"""

from dataclasses import replace
from typing import Any

from rice_stream.events.formats.reading import energy, regions
from rice_stream.events.formats.reading.drafts import EventDraft
from rice_stream.events.formats.reading.items import UNEXPECTED, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.usage_objects import read_usage
from rice_stream.events.formats.reading.values import count, flag, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.records import Ignored, Refusal, RefusedError

SOURCE_FORMAT = "langfuse"
TENANT_LADDER = (
    "metadata.tenant_id",
    "metadata.user_api_key_team_id",
    "metadata.user_api_key_org_id",
    "trace.metadata.tenant_id",
    "trace.userId",
)
ENTRY_TYPES = frozenset(
    {"generation-create", "generation-update", "observation-create", "observation-update", "trace-create"}
)
GENERATIONS = frozenset({"generation-create", "generation-update"})
OBSERVATIONS = frozenset({"observation-create", "observation-update"})
CALLS = frozenset({"GENERATION", "EMBEDDING"})
CACHE_READ_KEYS = ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "input_cache_read_tokens")
CACHE_WRITE_KEYS = (
    "input_cache_creation",
    "cache_creation_input_tokens",
    "input_cache_write",
    "input_cache_write_tokens",
)
REASONING_KEYS = ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens")
_NO_OBJECT = JsonObject({})
EMPTY = Ignored("empty", "a batch without entries")
NO_GENERATION = Ignored("not_an_inference", "an entry that is no generation")
SUPERSEDED = Ignored("superseded", "a later entry of the batch has the same generation")
STILL_RUNNING = Ignored("incomplete_generation", "a generation without endTime: it is still running")


def is_ingestion(obj: JsonObject) -> bool:
    """Whether the object is a batch, or an entry of one sent alone."""
    if "batch" in obj:
        return obj.is_array("batch")
    return obj.is_object("body") and text(obj.scalar("type")) in ENTRY_TYPES


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The entries of one batch (or one entry sent alone), in order."""
    if not is_ingestion(obj):
        return [Refusal(UNEXPECTED, "batch: must be an array of entries with type and body")]
    entries: list[JsonObject | None] = options.bounded(obj.children("batch")) if "batch" in obj else [obj]
    if not entries:
        return [EMPTY]
    traces = _traces(entries)
    whole, last = _put_together(entries)
    items: list[Item] = []
    for position, entry in enumerate(entries):
        if entry is None:
            items.append(Refusal("not_an_object", "an entry of the batch must be a JSON object"))
            continue
        body = entry.child("body")
        if not _is_call(entry, body):
            items.append(NO_GENERATION)
            continue
        body_id = text(body.scalar("id"))
        if body_id is not None and last[body_id] != position:
            items.append(SUPERSEDED)
            continue
        body = whole.get(body_id or "", body)
        draft = EventDraft(SOURCE_FORMAT, origin._replace(part=position), options)
        try:
            items.append(_event(body, traces.get(text(body.scalar("traceId")) or "", _NO_OBJECT), draft))
        except RefusedError as problem:
            items.append(problem.refusal(draft.fields))
    return items


def _is_call(entry: JsonObject, body: JsonObject) -> bool:
    kind = text(entry.scalar("type"))
    return kind in GENERATIONS or (kind in OBSERVATIONS and text(body.scalar("type")) in CALLS)


def _traces(entries: list[JsonObject | None]) -> dict[str, JsonObject]:
    """Traces by id. An update of a trace comes as one more `trace-create`, with only what is new."""
    traces: dict[str, JsonObject] = {}
    bodies = [entry.child("body") for entry in entries if entry and text(entry.scalar("type")) == "trace-create"]
    for body in bodies:
        trace_id = text(body.scalar("id"))
        if trace_id is not None:
            traces[trace_id] = traces.get(trace_id, _NO_OBJECT).updated(body)
    return traces


def _put_together(entries: list[JsonObject | None]) -> tuple[dict[str, JsonObject], dict[str, int]]:
    """Per body id: the fields of all its entries, later ones over earlier ones, and the position of the last entry."""
    whole: dict[str, JsonObject] = {}
    last: dict[str, int] = {}
    for position, entry in enumerate(entries):
        body = entry.child("body") if entry is not None else _NO_OBJECT
        body_id = text(body.scalar("id"))
        if entry is None or body_id is None or not _is_call(entry, body):
            continue
        before = whole.get(body_id)
        whole[body_id] = body if before is None else before.updated(body)
        last[body_id] = position
    return whole, last


def _event(body: JsonObject, trace: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    draft.identify(body.scalar("id"))
    ended = moment(body.scalar("endTime"), "endTime")
    if ended is None:
        return STILL_RUNNING
    draft.happened(ended, moment(body.scalar("startTime"), "startTime"))
    draft.models(request=body.scalar("model"))
    draft.ended(failed=text(body.scalar("level")) == "ERROR")
    metadata = body.child("metadata")
    draft.fields["gateway_cache_hit"] = flag(metadata.scalar("cache_hit"))
    draft.used(
        _counts(body),
        EMBEDDINGS if text(body.scalar("type")) == "EMBEDDING" else None,
        lambda: characters(body.value("input")),
        lambda: characters(body.value("output")),
    )
    draft.metered(energy.of_objects([metadata]))
    draft.ran_in((regions.of_endpoint(metadata.child("hidden_params").scalar("api_base")), "endpoint"))
    draft.fields["user_id"] = text(trace.scalar("userId"))

    def find(name: str) -> object:
        if name == "tags":
            return trace.tags("tags")
        return trace.find(name.removeprefix("trace.")) if name.startswith("trace.") else body.find(name)

    draft.charge(find, TENANT_LADDER)
    return draft.done()


def _counts(body: JsonObject) -> TokenCounts:
    """`usageDetails` where it has counts, else `usage`."""
    details = body.value("usageDetails")
    if isinstance(details, dict) and details:
        return details_counts(details)
    usage = body.value("usage")
    if not isinstance(usage, dict):
        return TokenCounts()
    if "promptTokens" in usage or "completionTokens" in usage:
        return _given(usage, "promptTokens", "completionTokens", "totalTokens")
    if text(usage.get("unit")) not in (None, "TOKENS"):
        # Characters, seconds or images say nothing about tokens.
        return TokenCounts()
    return _given(usage, "input", "output", "total")


def details_counts(details: dict[str, Any]) -> TokenCounts:
    """The counts of a `usageDetails` map: a provider's usage object, or Langfuse's own classes."""
    if "prompt_tokens" in details or "input_tokens" in details:
        return read_usage(details)
    return _disjoint(details)


def _given(usage: dict[str, Any], given: str, written: str, total: str) -> TokenCounts:
    return TokenCounts(
        input_tokens=count(usage.get(given), given),
        output_tokens=count(usage.get(written), written),
        total=count(usage.get(total), total),
    )


def _disjoint(details: dict[str, Any]) -> TokenCounts:
    """Langfuse's own map: every key a class of its own, `input` without cached, `output` without reasoning tokens."""
    special = (*CACHE_READ_KEYS, *CACHE_WRITE_KEYS, *REASONING_KEYS)
    others = {key: count(value, "usageDetails") or 0 for key, value in details.items() if key not in special}
    counts = TokenCounts(
        input_tokens=count(details.get("input"), "input"),
        cache_read=_first(details, CACHE_READ_KEYS),
        cache_write=_first(details, CACHE_WRITE_KEYS),
        output_tokens=count(details.get("output"), "output"),
        reasoning=_first(details, REASONING_KEYS),
        total=count(details.get("total"), "total"),
        other_input=sum(value for key, value in others.items() if key.startswith("input_")),
        other_output=sum(value for key, value in others.items() if key.startswith("output_")),
        cached_outside=True,
        reasoning_outside=True,
    )
    return _without_written(counts)


def _without_written(counts: TokenCounts) -> TokenCounts:
    """LiteLLM takes out of `input` only what was read from the cache, and leaves in what was written: the total tells."""
    given, written, total = counts.input_tokens, counts.cache_write, counts.total
    if given is None or written is None or total is None or written > given:
        return counts
    others = (counts.cache_read, counts.output_tokens, counts.reasoning, counts.other_input, counts.other_output)
    return replace(counts, input_tokens=given - written) if given + sum(n or 0 for n in others) == total else counts


def _first(details: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((found for key in keys if (found := count(details.get(key), key)) is not None), None)
