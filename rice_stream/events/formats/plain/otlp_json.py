"""OTLP in JSON as it usually is; `formats/otlp/json.py` has how it is read in full."""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp import json as full
from rice_stream.events.formats.otlp import spans as otlp
from rice_stream.events.formats.plain.fields import Guard, NotPlainError, PlainItem
from rice_stream.events.formats.plain.otlp import (
    Resource,
    SpanShape,
    Template,
    completed,
    own_counts,
    special_name,
    stand_apart,
    template_of,
)
from rice_stream.events.records import Ignored

_REMEMBERED_BYTES_MAX = 256


class _Pair(msgspec.Struct, gc=False):
    key: str
    value: msgspec.Raw


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_Pair] | None = None
    status: _Status | None = None


class _Scope(msgspec.Struct, gc=False):
    name: str | None = None


class _ScopeSpans(msgspec.Struct, rename="camel", gc=False):
    scope: _Scope | None = None
    spans: list[_Span] | None = None
    log_records: Guard = UNSET


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"null")
    scope_spans: list[_ScopeSpans] | None = None
    scope_logs: Guard = UNSET


class Traces(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """The wanted fields of a message."""

    resource_spans: list[_ResourceSpans]
    resource_logs: Guard = UNSET
    resource_metrics: Guard = UNSET
    specversion: Guard = UNSET


def read(traces: Traces, skipped: frozenset[str]) -> list[PlainItem]:
    """The items of a message. NotPlainError: it is for the full decoder."""
    items: list[PlainItem] = []
    scopes: list[str] = []
    ids: list[str] = []
    parents: list[str] = []
    for entry in traces.resource_spans:
        resource = _resource(bytes(entry.resource))
        for scoped in entry.scope_spans or ():
            scope = (scoped.scope.name if scoped.scope is not None else None) or ""
            for span in scoped.spans or ():
                trace_id, span_id = full.id_of(span.trace_id), full.id_of(span.span_id)
                if not trace_id or not span_id:
                    raise NotPlainError
                items.append(_item(span, f"{trace_id}:{span_id}", scope, resource, skipped))
                scopes.append(scope)
                ids.append(span_id)
                parents.append(full.id_of(span.parent_span_id) if span.parent_span_id else "")
    if not items or not (len(items) == 1 or stand_apart(items, scopes, ids, parents)):
        raise NotPlainError
    return items


def _item(span: _Span, event_id: str, scope: str, resource: Resource, skipped: frozenset[str]) -> PlainItem:
    pairs = span.attributes or ()
    shape = _shape(tuple([pair.key for pair in pairs]))
    if not shape.usual:
        raise NotPlainError
    name = special_name(span.name)
    if not shape.says_operation and not name:
        return otlp.NO_CALL
    values = _Values(pairs)
    template = _template(
        tuple([(key, values.remembered(position)) for key, position in shape.repeating]), name, scope, resource, skipped
    )
    if template is None:
        raise NotPlainError
    if isinstance(template, Ignored):
        return template
    ended_us = _microseconds(span.end_time_unix_nano)
    if ended_us is None:
        raise NotPlainError
    failed = span.status is not None and span.status.code in full.STATUS_ERROR
    return completed(
        template,
        shape,
        values,
        own_counts(shape, values.remembered),
        event_id,
        _microseconds(span.start_time_unix_nano),
        ended_us,
        failed=failed,
    )


class _Values:
    """The values of attributes, each read when it is asked for; names and counts are remembered, and nothing else."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Any) -> None:
        self._pairs = pairs

    def __getitem__(self, position: int) -> Any:
        return full.value_of(self._pairs[position].value)

    def remembered(self, position: int) -> Any:
        """The same of a name or a count."""
        raw = bytes(self._pairs[position].value)
        return _remembered(raw) if len(raw) <= _REMEMBERED_BYTES_MAX else full.value_of(raw)


def _microseconds(nanoseconds: int | str | None) -> int | None:
    """Of nanoseconds since the epoch, which are usually written as text; 0 is none."""
    if isinstance(nanoseconds, str):
        if not (nanoseconds.isascii() and nanoseconds.isdigit() and len(nanoseconds) < 20):
            if nanoseconds == "":
                return None
            raise NotPlainError
        nanoseconds = int(nanoseconds)
    if nanoseconds is None or nanoseconds == 0:
        return None
    if nanoseconds < 0:
        raise NotPlainError
    return nanoseconds // 1000


_remembered = lru_cache(maxsize=8192)(full.value_of)
_shape = lru_cache(maxsize=1024)(SpanShape)


@lru_cache(maxsize=4096)
def _resource(raw: bytes) -> Resource:
    return Resource(full.resource_attributes(raw, names.WANTED_OF_RESOURCE))


@lru_cache(maxsize=4096)
def _template(
    repeating: tuple[tuple[str, Any], ...], name: str, scope: str, resource: Resource, skipped: frozenset[str]
) -> Template | Ignored | None:
    return template_of(dict(repeating), name, scope, resource, skipped)
