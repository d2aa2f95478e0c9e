"""Spans as they usually are: what a span says over and over is understood once, by the full decoder, and remembered.

A span's attributes are of two kinds. Counts, ids and times are its own. All others (models, operation, provider, who is
charged, ...) have few values in a stream of spans, and so have scope and resource: what the full decoder makes of these
is kept as a template, which the span's own attributes complete.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp import langfuse as otlp_langfuse
from rice_stream.events.formats.otlp import spans as otlp
from rice_stream.events.formats.otlp.span import OtlpSpan
from rice_stream.events.formats.plain.fields import Found, NotPlainError, PlainItem, inclusive, spelled, word
from rice_stream.events.formats.plain.printed_values import own_place, with_raw_usage
from rice_stream.events.formats.reading.checking import accept
from rice_stream.events.formats.reading.drafts import EventDraft
from rice_stream.events.formats.reading.items import ItemOrigin
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.records import Ignored, RawRecord, RefusedError
from rice_stream.quantities import NAME_LENGTH_MAX

_COUNTS = (names.INPUT, names.OUTPUT, names.CACHE_READ, names.CACHE_WRITE, names.REASONING, names.TOTAL)
_COUNTED = frozenset(name for group in _COUNTS for name in group)
_USERS = ("user.id", "enduser.id")
_OWN = _COUNTED | {*_USERS, names.RESPONSE_ID, names.HIDDEN_PARAMS, *names.USAGE_OBJECTS}
_FOR_THE_FULL_DECODER = frozenset(
    {*names.ENERGY_JOULES, names.DURATION, names.THOUGHTS_APART, otlp_langfuse.USAGE_DETAILS, names.EVENT_NAME}
)
_SAYS_OPERATION = frozenset(
    {names.OPERATION, names.OPENINFERENCE_KIND, names.AI_SDK_OPERATION, otlp_langfuse.TYPE, *names.REQUEST_TYPE}
)


class SpanShape:
    """What the attributes of these names, in this order, are for: each by its position."""

    __slots__ = ("counts", "hidden", "repeating", "says_operation", "usage", "users", "usual")

    def __init__(self, keys: Sequence[str]) -> None:
        at = {key: position for position, key in enumerate(keys) if key in names.WANTED}
        self.usual = len(at) == sum(key in names.WANTED for key in keys) and at.keys().isdisjoint(_FOR_THE_FULL_DECODER)
        self.says_operation = not at.keys().isdisjoint(_SAYS_OPERATION)
        self.counts = [[at[name] for name in group if name in at] for group in _COUNTS]
        self.usage = [at[name] for name in names.USAGE_OBJECTS if name in at]
        self.hidden = at.get(names.HIDDEN_PARAMS)
        self.users = [at[name] for name in _USERS if name in at]
        self.repeating = [(key, position) for key, position in at.items() if key not in _OWN]


class Values(Protocol):
    """The values of a span's attributes, by position; each is read when it is asked for."""

    def __getitem__(self, position: int, /) -> Any: ...


class Resource:
    """The wanted attributes of a resource. The same one is the same object, so it can be part of a key."""

    __slots__ = ("attributes",)

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes


class Template(NamedTuple):
    """What spans with the same repeating attributes, scope and resource have in common; `event` has no counts of theirs."""

    event: WireEvent
    region_source: str
    is_embedding: bool
    cached_apart: bool
    is_vllm: bool


def special_name(name: str | None) -> str:
    """The span's name where it says what the span is; else empty, since names may be of any number."""
    return name if name == otlp.VLLM_SPAN or name == otlp.ADK_SPAN else ""


def template_of(
    attributes: dict[str, Any], name: str, scope: str, resource: Resource, skipped: frozenset[str]
) -> Template | Ignored | None:
    """What the full decoder makes of a span with these attributes and a count; None: such spans are left to it."""
    counted = {**attributes, names.INPUT[0]: 1, names.OUTPUT[0]: 1}
    span = OtlpSpan(
        is_log=False,
        name=name,
        event_name="",
        trace_id=_TRACE,
        span_id=_SPAN,
        parent_id="",
        start_ns=_AT_NS,
        end_ns=_AT_NS,
        failed=False,
        scope=scope,
        attributes=counted,
        resource=resource.attributes,
    )
    draft = EventDraft(otlp.SOURCE_FORMAT, ItemOrigin(RawRecord("", 0, 0, None)), DEFAULT_OPTIONS)
    operation = otlp.operation_of(span)
    if operation is None:
        return otlp.NO_CALL
    if scope in skipped:
        return otlp.SKIPPED_SCOPE
    try:
        fields = otlp.event_of(span, operation, draft)
    except RefusedError:
        return None
    event = accept(fields)
    if not isinstance(event, WireEvent):
        return None
    apart = scope in names.CACHED_APART_SCOPES
    return Template(event, fields["region_source"], operation == EMBEDDINGS, apart, otlp.is_vllm(span))


_TRACE, _SPAN, _AT_NS = "f" * 32, "f" * 16, 1_800_000_000_000_000_000


def completed(
    template: Template,
    shape: SpanShape,
    values: Values,
    counts: Sequence[int | None],
    event_id: str,
    started_us: int | None,
    ended_us: int,
    *,
    failed: bool,
) -> Found | Ignored:
    """The event of a span: the template with what is the span's own. `values` hold those at the shape's positions."""
    given, written, read, made, reasoning, total = counts
    if not (given or written):
        if given is None and written is None:
            return otlp.NO_USAGE
        raise NotPlainError
    event, region_source = template.event, template.region_source
    region = event.inference_region
    if shape.usage:
        read, made, reasoning, (region, region_source) = with_raw_usage(
            values[shape.usage[0]], read, made, reasoning, region, region_source
        )
    if shape.hidden is not None and template.is_vllm:
        raise NotPlainError
    if region is None and shape.hidden is not None:
        region, region_source = own_place(values[shape.hidden])
    if written is None and template.is_embedding:
        written = 0
    if template.cached_apart:
        total = None
    elif total is not None and given is not None and written is not None and total != given + written:
        raise NotPlainError
    given, read, made, written, reasoning, quality = inclusive(
        given, read, made, written, reasoning, total, cached_outside=template.cached_apart
    )
    if started_us is not None and started_us > ended_us:
        raise NotPlainError
    user = event.user_id
    if user is None and shape.users:
        user = own_user(values[at] for at in shape.users)
    return (
        msgspec.structs.replace(
            event,
            event_id=event_id,
            started_at=None if started_us is None else spelled(started_us),
            ended_at=spelled(ended_us),
            user_id=user,
            input_tokens=given,
            cache_read_input_tokens=read,
            output_tokens=written,
            reasoning_output_tokens=reasoning,
            inference_region=region,
            status="error" if failed else event.status,
            cache_write_input_tokens=made,
            usage_quality=quality,
        ),
        region_source,
    )


def own_counts(shape: SpanShape, value_at: Callable[[int], Any]) -> list[int | None]:
    """Input, output, read from a cache, written to one, reasoning, total. NotPlainError: one is no whole number."""
    found: list[int | None] = []
    for positions in shape.counts:
        value = value_at(positions[0]) if positions else None
        if positions and (type(value) is not int or value < 0):
            raise NotPlainError
        found.append(value)
    return found


def own_user(values: Iterable[object]) -> str | None:
    """The first of a span's attributes that names a user. NotPlainError: one before it is no name."""
    return next((found for value in values if (found := _name(value)) is not None), None)


def _name(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > NAME_LENGTH_MAX:
        raise NotPlainError
    return word(value)


def stand_apart(items: Iterable[PlainItem], scopes: Iterable[str], ids: Sequence[str], parents: Sequence[str]) -> bool:
    """Whether no two events of a record can be one call: all of one instrumentation, and none around another."""
    events = [position for position, item in enumerate(items) if not isinstance(item, Ignored)]
    if len(events) < 2:
        return True
    scope_of = list(scopes)
    if len({scope_of[position] for position in events}) > 1:
        return False
    position_of = {span_id: position for position, span_id in enumerate(ids)}
    counted = set(events)
    for position in events:
        around = position_of.get(parents[position])
        for _ in range(_ANCESTORS_MAX):
            if around is None:
                break
            if around in counted:
                return False
            around = position_of.get(parents[around])
        else:
            return False
    return True


_ANCESTORS_MAX = 64
