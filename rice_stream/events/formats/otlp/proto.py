"""OTLP in protobuf, as the Collector's kafkaexporter writes it: TracesData or LogsData without any frame."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Status, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp.span import OtlpSpan, hex_id

_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_Message = TypeVar("_Message", TracesData, LogsData)


def read(value: bytes, wanted: frozenset[str], configured: frozenset[str]) -> Iterator[OtlpSpan] | None:
    """The spans or log records of the message; None if it is neither.

    The two messages share their outer field numbers, so bytes of one often parse as the other: TracesData is taken if
    a span has ids of the right length, else LogsData if a record has a time or a name.
    """
    traces = _parsed(TracesData(), value)
    if traces is not None and any(_is_span(span) for span in _spans(traces.resource_spans)):
        return _read_traces(traces.resource_spans, wanted, names.WANTED_OF_RESOURCE | configured)
    logs = _parsed(LogsData(), value)
    if logs is not None and any(_is_record(record) for record in _records(logs.resource_logs)):
        return _read_logs(logs.resource_logs, wanted, names.WANTED_OF_RESOURCE | configured)
    return None


def _parsed(message: _Message, value: bytes) -> _Message | None:
    try:
        message.ParseFromString(value)
    except DecodeError:
        return None
    return message


def _is_span(span: ProtoSpan) -> bool:
    return len(span.trace_id) == _TRACE_ID_BYTES and len(span.span_id) == _SPAN_ID_BYTES


def _is_record(record: LogRecord) -> bool:
    return bool(record.time_unix_nano or record.observed_time_unix_nano or record.event_name)


def _spans(resources: Iterable[ResourceSpans]) -> Iterator[ProtoSpan]:
    for resource in resources:
        for scope in resource.scope_spans:
            yield from scope.spans


def _records(resources: Iterable[ResourceLogs]) -> Iterator[LogRecord]:
    for resource in resources:
        for scope in resource.scope_logs:
            yield from scope.log_records


def _read_traces(
    resources: Iterable[ResourceSpans], wanted: frozenset[str], of_resource: frozenset[str]
) -> Iterator[OtlpSpan]:
    for resource in resources:
        shared = attributes_of(resource.resource.attributes, of_resource)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield OtlpSpan(
                    is_log=False,
                    name=span.name,
                    event_name="",
                    trace_id=hex_id(span.trace_id),
                    span_id=hex_id(span.span_id),
                    parent_id=hex_id(span.parent_span_id),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    failed=span.status.code == Status.STATUS_CODE_ERROR,
                    scope=scope.scope.name,
                    attributes=attributes_of(span.attributes, wanted),
                    resource=shared,
                )


def _read_logs(
    resources: Iterable[ResourceLogs], wanted: frozenset[str], of_resource: frozenset[str]
) -> Iterator[OtlpSpan]:
    for resource in resources:
        shared = attributes_of(resource.resource.attributes, of_resource)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                attributes = attributes_of(record.attributes, wanted)
                yield OtlpSpan(
                    is_log=True,
                    name="",
                    event_name=record.event_name or str(attributes.get(names.EVENT_NAME, "")),
                    trace_id=hex_id(record.trace_id),
                    span_id=hex_id(record.span_id),
                    parent_id="",
                    start_ns=None,
                    end_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    failed=False,
                    scope=scope.scope.name,
                    attributes=attributes,
                    resource=shared,
                )


def attributes_of(pairs: Iterable[KeyValue], wanted: frozenset[str]) -> dict[str, Any]:
    """The wanted ones of attributes, by name."""
    return {pair.key: value_of(pair.value) for pair in pairs if pair.key in wanted}


def value_of(value: AnyValue) -> Any:
    """The value that an AnyValue holds; None for what no attribute that is read has."""
    # Nearly every attribute is one of these two; naming the kind costs more than reading them.
    if value.string_value:
        return value.string_value
    if value.int_value:
        return value.int_value
    kind = value.WhichOneof("value")
    if kind is None or kind in ("kvlist_value", "bytes_value"):
        return None
    if kind == "array_value":
        return [inner.string_value for inner in value.array_value.values if inner.string_value]
    return getattr(value, kind)
