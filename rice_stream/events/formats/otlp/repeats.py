"""Within one record: of the spans that several instrumentations write for one call of a model, one stands.

A framework and the client below it, a gateway and the server behind it, or a client that traces itself and the
instrumentation around it all write down the same call with the same counts. Some nest their spans; many do not, since
a callback or a stream has no hold on the context, and so stand side by side, or each in a trace of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp.span import OtlpSpan
from rice_stream.events.formats.reading.items import Item
from rice_stream.events.formats.reading.values import text
from rice_stream.events.records import Refusal

_ANCESTORS_MAX = 64
_LOOK_BACK_MAX = 64
"""Bounds the work for records that are nothing but spans of equal counts."""


class _Call(NamedTuple):
    """A span that counts, with what tells whether another one is the same call."""

    position: int
    span: OtlpSpan
    response_id: str | None
    tokens: tuple[object, object]
    reasoning: int
    provider: str | None
    models: tuple[str, ...]
    """Requested and resolved, as far as they are said, in lower case."""
    started_at: str
    ended_at: str


def repeats(spans: Sequence[OtlpSpan | Refusal], items: Sequence[Item]) -> set[int]:
    """The positions of the spans that repeat another one's call.

    The outermost stands, of spans side by side the one that began first. It stands for one span of each other
    instrumentation: as many calls as one instrumentation saw are left, however alike they are.
    """
    calls = {
        position: _Call(
            position,
            span,
            text(span.attributes.get(names.RESPONSE_ID)),
            (item["input_tokens"], item["output_tokens"]),
            item["reasoning_output_tokens"] or 0,
            item["provider"],
            tuple(name.lower() for name in (item["request_model"], item["response_model"]) if name),
            item.get("started_at") or item["ended_at"],
            item["ended_at"],
        )
        for position, (span, item) in enumerate(zip(spans, items, strict=True))
        if isinstance(span, OtlpSpan) and isinstance(item, dict) and span.span_id and not span.is_log
    }
    inside = _inside_another(spans, calls)
    outermost = [call for position, call in calls.items() if position not in inside]
    if len({call.span.scope for call in outermost}) < 2:
        return set(inside)
    seen_by = {call.position: {call.span.scope} for call in outermost}
    for inner, outer in inside.items():
        if outer in seen_by:
            seen_by[outer].add(calls[inner].span.scope)
    beside = _beside_another(outermost, lambda call: call.response_id, _anywhere, seen_by)
    others = [call for call in outermost if call.position not in beside]
    return set(inside) | beside | _beside_another(others, lambda call: call.tokens, _near, seen_by)


def _inside_another(spans: Sequence[OtlpSpan | Refusal], calls: Mapping[int, _Call]) -> dict[int, int]:
    """Per span that has one for the same call around it, however many others between: the position of that one."""
    position_of = {
        (span.trace_id, span.span_id): position
        for position, span in enumerate(spans)
        if isinstance(span, OtlpSpan) and span.span_id and not span.is_log
    }
    outer_of = {}
    for position, call in calls.items():
        inner = call.span
        for _ in range(_ANCESTORS_MAX):
            around = position_of.get((inner.trace_id, inner.parent_id)) if inner.parent_id else None
            outer = None if around is None else spans[around]
            if around is None or not isinstance(outer, OtlpSpan) or outer.span_id == call.span.span_id:
                break
            if around in calls and _same_call(call, calls[around]):
                outer_of[position] = around
                break
            inner = outer
    return outer_of


def _same_call(one: _Call, other: _Call) -> bool:
    if one.response_id is not None and other.response_id is not None:
        return one.response_id == other.response_id
    return one.tokens[0] == other.tokens[0] and not _outputs(one).isdisjoint(_outputs(other))


def _outputs(call: _Call) -> set[object]:
    """With the reasoning and without: not every span around or within another one knows of it."""
    output = call.tokens[1]
    return {output, output - call.reasoning} if isinstance(output, int) else {output}


def _beside_another(
    calls: Sequence[_Call],
    mark: Callable[[_Call], Hashable],
    may_be_same: Callable[[_Call, _Call], bool],
    seen_by: Mapping[int, set[str]],
) -> set[int]:
    """Of calls with the same mark at the same time, by instrumentations that the one that is kept has not seen yet."""
    groups: dict[Hashable, list[_Call]] = defaultdict(list)
    # Spelled alike, so that their order is the order of their texts; of two that begin together the longer is first.
    for call in sorted(sorted(calls, key=lambda call: call.ended_at, reverse=True), key=lambda call: call.started_at):
        if mark(call) is not None:
            groups[mark(call)].append(call)
    repeating = set()
    for group in groups.values():
        kept: list[tuple[_Call, datetime]] = []
        for call in group:
            started, ended = datetime.fromisoformat(call.started_at), datetime.fromisoformat(call.ended_at)
            middle = started + (ended - started) / 2
            for other, other_ended in reversed(kept[-_LOOK_BACK_MAX:]):
                seen = seen_by[other.position]
                if call.span.scope not in seen and middle <= other_ended and may_be_same(call, other):
                    seen.add(call.span.scope)
                    repeating.add(call.position)
                    break
            else:
                kept.append((call, ended))
    return repeating


def _anywhere(one: _Call, other: _Call) -> bool:
    """A response id is the provider's own: gateways that answer from a cache give it again, but not at the same time."""
    del one, other
    return True


def _near(inner: _Call, outer: _Call) -> bool:
    """Equal counts alone are the same call only in one trace, or where the inner span has no other place to be."""
    if inner.response_id is not None and outer.response_id is not None:
        return False
    if not _one_model(inner, outer):
        return False
    if inner.span.trace_id == outer.span.trace_id:
        return True
    one_provider = None in (inner.provider, outer.provider) or inner.provider == outer.provider
    return not inner.span.parent_id and one_provider and inner.span.resource == outer.span.resource


def _one_model(one: _Call, other: _Call) -> bool:
    """Instrumentations spell a model alike but for a date or a prefix; what two models were asked at once is two calls."""
    if not one.models or not other.models:
        return True
    return any(name in said or said in name for name in one.models for said in other.models)
