"""OTLP in protobuf as it usually is: only the wanted fields are parsed, and attributes stay bytes until they are needed.

The messages here have the wire format of OTLP's TracesData, with a few of its fields. What is not declared is skipped by its
length, and an attribute, a resource or a scope is declared as bytes: nearly all of them were seen before, and are known by
their bytes. `formats/otlp/proto.py` has how it is read in full.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ProtoResource
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp import proto as full
from rice_stream.events.formats.otlp import spans as otlp
from rice_stream.events.formats.plain.fields import NotPlainError, PlainItem
from rice_stream.events.formats.plain.otlp import (
    Resource,
    SpanShape,
    Template,
    completed,
    special_name,
    stand_apart,
    template_of,
)
from rice_stream.events.records import Ignored

_Field = descriptor_pb2.FieldDescriptorProto
_FIELDS: dict[str, list[tuple[int, str, str]]] = {
    "Traces": [(1, "resource_spans", "*ResourceSpans")],
    "ResourceSpans": [(1, "resource", "*bytes"), (2, "scope_spans", "*ScopeSpans")],
    "ScopeSpans": [(1, "scope", "*bytes"), (2, "spans", "*Span")],
    "Span": [
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (4, "parent_span_id", "bytes"),
        (5, "name", "bytes"),
        (7, "start_time_unix_nano", "fixed64"),
        (8, "end_time_unix_nano", "fixed64"),
        (9, "attributes", "*bytes"),
        (15, "status", "Status"),
    ],
    "Status": [(3, "code", "int32")],
}
"""Message -> (number, name, type) of its fields as OTLP numbers them; `*` repeats. A field that is a message there and may
occur once is repeated here: one that is split in two is for the full decoder, which puts the parts together."""
_TYPES = {"bytes": _Field.TYPE_BYTES, "fixed64": _Field.TYPE_FIXED64, "int32": _Field.TYPE_INT32}
_PACKAGE = "rice_stream.otlp"


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="rice_stream/otlp.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for number, name, written in fields:
            kind = written.removeprefix("*")
            label = _Field.LABEL_REPEATED if written != kind else _Field.LABEL_OPTIONAL
            field = described.field.add(name=name, number=number, label=label)
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Traces"))


_parse: Callable[[bytes], Any] = _message_class().FromString
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_NO_TRACE, _NO_SPAN = bytes(_TRACE_ID_BYTES), bytes(_SPAN_ID_BYTES)
_KEY_BYTES_MAX = 127
_SHAPES_MAX = 1024


class Layout:
    """How the attributes of a span lie: the same keys in the same order, each behind the same first bytes."""

    __slots__ = ("counts", "lengths", "prefixes", "repeating", "shape")

    def __init__(self, prefixes: tuple[bytes, ...]) -> None:
        self.prefixes = prefixes
        self.lengths = list(map(len, prefixes))
        self.shape = SpanShape([prefix[2:-1].decode() for prefix in prefixes])
        self.repeating = [position for _, position in self.shape.repeating]
        self.counts = [
            (positions[0], len(prefixes[positions[0]])) if positions else None for positions in self.shape.counts
        ]

    def fits(self, attributes: list[bytes]) -> bool:
        return all(map(bytes.startswith, attributes, self.prefixes))


_layouts: dict[tuple[int, bytes], list[Layout]] = {}
"""By the number of attributes and the beginning of the first one."""
_START_BYTES = 16


def read(value: bytes, skipped: frozenset[str]) -> list[PlainItem]:
    """The items of a message. NotPlainError: it is for the full decoder; DecodeError: it is no such message."""
    items: list[PlainItem] = []
    scopes: list[str] = []
    ids: list[str] = []
    parents: list[str] = []
    for entry in _parse(value).resource_spans:
        resource = resource_of(_only(entry.resource))
        for scoped in entry.scope_spans:
            scope = scope_of(_only(scoped.scope))
            for span in scoped.spans:
                trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
                if len(trace_id) != _TRACE_ID_BYTES or len(span_id) != _SPAN_ID_BYTES:
                    raise NotPlainError
                if trace_id == _NO_TRACE or span_id == _NO_SPAN:
                    raise NotPlainError
                own_id = span_id.hex()
                items.append(_item(span, f"{trace_id.hex()}:{own_id}", scope, resource, skipped))
                scopes.append(scope)
                ids.append(own_id)
                parents.append(parent_id.hex() if parent_id else "")
    if not items or not (len(items) == 1 or stand_apart(items, scopes, ids, parents)):
        raise NotPlainError
    return items


def _item(span: Any, event_id: str, scope: str, resource: Resource, skipped: frozenset[str]) -> PlainItem:
    attributes = list(span.attributes)
    layout = _layout(attributes)
    shape = layout.shape
    if not shape.usual:
        raise NotPlainError
    name = special_name(span.name.decode())
    if not shape.says_operation and not name:
        return otlp.NO_CALL
    template = known_template(
        tuple([attributes[position] for position in layout.repeating]), name, scope, resource, skipped
    )
    if template is None:
        raise NotPlainError
    if isinstance(template, Ignored):
        return template
    counts = [None if at is None else _count(attributes[at[0]][at[1] :]) for at in layout.counts]
    started_ns, ended_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if not ended_ns:
        raise NotPlainError
    return completed(
        template,
        shape,
        _Values(attributes),
        counts,
        event_id,
        started_ns // 1000 if started_ns else None,
        ended_ns // 1000,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
    )


def _layout(attributes: list[bytes]) -> Layout:
    key = (len(attributes), attributes[0][:_START_BYTES] if attributes else b"")
    for layout in _layouts.get(key, ()):
        if layout.fits(attributes):
            return layout
    layout = Layout(tuple(map(prefix_of, attributes)))
    if len(_layouts) < _SHAPES_MAX:
        alike = _layouts.setdefault(key, [])
        alike.insert(0, layout)
        del alike[8:]
    return layout


def prefix_of(attribute: bytes) -> bytes:
    """The first bytes of an attribute: the key's field and the tag of the value's. NotPlainError: not written as everybody
    does, the key first."""
    if len(attribute) < 2 or attribute[0] != 0x0A or attribute[1] > _KEY_BYTES_MAX:
        raise NotPlainError
    end = 2 + attribute[1]
    if attribute[end : end + 1] != b"\x12":
        raise NotPlainError
    return attribute[: end + 1]


class _Values:
    """The values of attributes, each read when it is asked for, and not remembered."""

    __slots__ = ("_attributes",)

    def __init__(self, attributes: list[bytes]) -> None:
        self._attributes = attributes

    def __getitem__(self, position: int) -> Any:
        return pair_of(self._attributes[position])[1]


@lru_cache(maxsize=16_384)
def _count(value: bytes) -> int:
    """Of the bytes of an attribute from the length of its value on. NotPlainError: no whole number."""
    pair = KeyValue.FromString(b"\x12" + value)
    if pair.value.WhichOneof("value") != "int_value" or pair.value.int_value < 0:
        raise NotPlainError
    return int(pair.value.int_value)


def pair_of(attribute: bytes) -> tuple[str, Any]:
    """Name and value of an attribute. DecodeError: it is none."""
    pair = KeyValue.FromString(attribute)
    return pair.key, full.value_of(pair.value)


@lru_cache(maxsize=4096)
def known_template(
    repeating: tuple[bytes, ...], name: str, scope: str, resource: Resource, skipped: frozenset[str]
) -> Template | Ignored | None:
    """`otlp.template_of` of attributes as they are written, remembered."""
    return template_of(dict(map(pair_of, repeating)), name, scope, resource, skipped)


@lru_cache(maxsize=4096)
def resource_of(written: bytes) -> Resource:
    """The wanted attributes of a resource as it is written, remembered. DecodeError: it is none."""
    return Resource(full.attributes_of(ProtoResource.FromString(written).attributes, names.WANTED_OF_RESOURCE))


@lru_cache(maxsize=4096)
def scope_of(written: bytes) -> str:
    """The name of a scope as it is written, remembered. DecodeError: it is none."""
    return InstrumentationScope.FromString(written).name


def _only(parts: Any) -> bytes:
    """The one part of a field; empty for none."""
    if len(parts) == 1:
        only: bytes = parts[0]
        return only
    if parts:
        raise NotPlainError
    return b""


PROBLEMS = (DecodeError, UnicodeDecodeError)
