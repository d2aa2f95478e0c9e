"""OTLP in JSON: lowerCamelCase, ids in hex, 64-bit integers as decimal strings; unknown fields are skipped.

Not protobuf's own JSON mapping, whose parser reads the hex ids as base64 and so corrupts them without a word.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.otlp.span import OtlpSpan, hex_id
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.values import coerced
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import Refusal

_HEX = re.compile(r"[0-9a-fA-F]+")
_NULL = msgspec.Raw(b"null")
STATUS_ERROR = (2, "STATUS_CODE_ERROR")
_ANY = msgspec.json.Decoder()


class _KeyValue(msgspec.Struct):
    key: str = ""
    value: msgspec.Raw = _NULL


class _Resource(msgspec.Struct):
    attributes: list[_KeyValue] | None = None


class _Scope(msgspec.Struct):
    name: str | None = None


class _Status(msgspec.Struct):
    code: Any = None


class _ScopeItems(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] | None = None
    log_records: list[msgspec.Raw] | None = None


class _ResourceItems(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeItems] | None = None
    scope_logs: list[_ScopeItems] | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: Any = None
    span_id: Any = None
    parent_span_id: Any = None
    name: str | None = None
    start_time_unix_nano: Any = None
    end_time_unix_nano: Any = None
    attributes: list[_KeyValue] | None = None
    status: _Status | None = None


class _LogRecord(msgspec.Struct, rename="camel"):
    trace_id: Any = None
    span_id: Any = None
    event_name: str | None = None
    time_unix_nano: Any = None
    observed_time_unix_nano: Any = None
    attributes: list[_KeyValue] | None = None


_RESOURCE_ITEMS = msgspec.json.Decoder(_ResourceItems)
_RESOURCE = msgspec.json.Decoder(_Resource | None)
_SPAN = msgspec.json.Decoder(_Span)
_LOG_RECORD = msgspec.json.Decoder(_LogRecord)


def read(obj: JsonObject, wanted: frozenset[str], configured: frozenset[str]) -> Iterator[OtlpSpan | Refusal]:
    """The spans and log records of the object; one that cannot be read costs its neighbours nothing."""
    of_resource = names.WANTED_OF_RESOURCE | configured
    for field in ("resourceSpans", "resourceLogs"):
        if field in obj and not obj.raw_elements(field) and obj.value(field) not in (None, []):
            yield _not_otlp(f"{field}: must be an array")
        for raw in obj.raw_elements(field):
            try:
                entry = _RESOURCE_ITEMS.decode(raw)
            except JSON_ERRORS:
                yield _not_otlp(f"{field}: an entry is not built as OTLP says")
                continue
            yield from _read_entry(entry, wanted, of_resource)


def _not_otlp(detail: str) -> Refusal:
    return Refusal("invalid_otlp", detail)


def _read_entry(
    entry: _ResourceItems, wanted: frozenset[str], of_resource: frozenset[str]
) -> Iterator[OtlpSpan | Refusal]:
    try:
        shared = _attributes(entry.resource.attributes if entry.resource else None, of_resource)
    except JSON_ERRORS:
        yield _not_otlp("resource: an attribute is not built as OTLP says")
        return
    for scoped in (*(entry.scope_spans or ()), *(entry.scope_logs or ())):
        scope = (scoped.scope.name if scoped.scope else None) or ""
        for raw in scoped.spans or ():
            yield _span(raw, scope, wanted, shared)
        for raw in scoped.log_records or ():
            yield _log_record(raw, scope, wanted, shared)


def _span(raw: msgspec.Raw, scope: str, wanted: frozenset[str], resource: dict[str, Any]) -> OtlpSpan | Refusal:
    try:
        span = _SPAN.decode(raw)
        attributes = _attributes(span.attributes, wanted)
    except JSON_ERRORS:
        return _not_otlp("spans: one is not built as OTLP says")
    return OtlpSpan(
        is_log=False,
        name=span.name or "",
        event_name="",
        trace_id=id_of(span.trace_id),
        span_id=id_of(span.span_id),
        parent_id=id_of(span.parent_span_id),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status is not None and span.status.code in STATUS_ERROR,
        scope=scope,
        attributes=attributes,
        resource=resource,
    )


def _log_record(raw: msgspec.Raw, scope: str, wanted: frozenset[str], resource: dict[str, Any]) -> OtlpSpan | Refusal:
    try:
        record = _LOG_RECORD.decode(raw)
        attributes = _attributes(record.attributes, wanted)
    except JSON_ERRORS:
        return _not_otlp("logRecords: one is not built as OTLP says")
    own_time = record.time_unix_nano if record.time_unix_nano not in (None, "", "0", 0) else None
    return OtlpSpan(
        is_log=True,
        name="",
        event_name=record.event_name or str(attributes.get(names.EVENT_NAME, "")),
        trace_id=id_of(record.trace_id),
        span_id=id_of(record.span_id),
        parent_id="",
        start_ns=None,
        end_ns=record.observed_time_unix_nano if own_time is None else own_time,
        failed=False,
        scope=scope,
        attributes=attributes,
        resource=resource,
    )


def id_of(value: object) -> str:
    """Hex in lower case. Senders that use protobuf's own JSON mapping write base64: turned back into the same hex."""
    if not isinstance(value, str):
        return ""
    if value.endswith("="):
        try:
            return hex_id(base64.b64decode(value, validate=True))
        except binascii.Error:
            return ""
    return value.lower() if _HEX.fullmatch(value) and value.strip("0") else ""


def _attributes(pairs: list[_KeyValue] | None, wanted: frozenset[str]) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs or () if pair.key in wanted}


def value_of(raw: bytes | msgspec.Raw) -> Any:
    """The value that an AnyValue in JSON holds; None for what no attribute that is read has."""
    return _value(_ANY.decode(raw))


def resource_attributes(raw: bytes, wanted: frozenset[str]) -> dict[str, Any]:
    """The wanted attributes of a resource in JSON; one of JSON_ERRORS where it is not built as OTLP says."""
    resource = _RESOURCE.decode(raw)
    return _attributes(resource.attributes if resource else None, wanted)


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    if "stringValue" in value:
        return value["stringValue"] if isinstance(value["stringValue"], str) else None
    if "intValue" in value:
        return coerced(value["intValue"])
    if "boolValue" in value:
        return value["boolValue"] if isinstance(value["boolValue"], bool) else None
    if "doubleValue" in value:
        return value["doubleValue"] if isinstance(value["doubleValue"], int | float) else None
    elements = value["arrayValue"].get("values") if isinstance(value.get("arrayValue"), dict) else None
    if not isinstance(elements, list):
        return None
    return [e["stringValue"] for e in elements if isinstance(e, dict) and isinstance(e.get("stringValue"), str)]
