"""Canonical JSON: one object, an array of objects, or NDJSON; each possibly wrapped in CloudEvents 1.0.

The slow and complete path: the hot path (`decode.py`) hands over only what is not one plain canonical object.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from rice_stream.events.canonical import FIELD_NAMES, CanonicalEvent, RawEvent, WireEvent, describe_problems, to_wire
from rice_stream.events.records import RawRecord, Rejection
from rice_stream.events.redact import redact

JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises on bytes that are not JSON (RecursionError: nested too deeply)."""

_RAW_OBJECT = msgspec.json.Decoder(RawEvent)
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
_MAPPING = msgspec.json.Decoder(dict[str, Any])
_CE_TO_FIELD = {"id": "event_id", "source": "source", "time": "ended_at", "tenantid": "tenant_id"}
"""CloudEvents attributes that fill a field which the event itself does not carry."""


class _NotAnEventError(Exception):
    """Carries reason and detail from the place that found it to the place that writes the rejection."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode_record(record: RawRecord) -> Iterator[WireEvent | Rejection]:
    """Every item of the record, in order, as an event or a rejection; at least one for any bytes whatever."""
    value = record.value
    if value is None or not value.strip():
        yield Rejection(record, 0, "empty_value", "the record has no value", redact(value))
        return
    attributes = _binary_attributes(record.headers)
    for item, text in enumerate(_split(_without_registry_frame(value))):
        yield _decode_item(record, item, text, attributes)


def _without_registry_frame(value: bytes) -> bytes:
    # Confluent's serializers put a zero byte and a 4-byte schema id in front of the JSON.
    return value[5:] if value[0] == 0 and value[5:6] in (b"{", b"[") else value


def _split(value: bytes) -> list[bytes]:
    """The items of a record: an array's elements, or NDJSON's lines, or the one object."""
    text = value.strip()
    if text.startswith(b"["):
        try:
            return [bytes(element) for element in _RAW_LIST.decode(text)] or [text]
        except JSON_ERRORS:
            return [text]
    if b"\n" in text:
        try:
            _ANY.decode(text)
        except JSON_ERRORS:
            return [line for line in text.splitlines() if line.strip()]
    return [text]


def _decode_item(record: RawRecord, item: int, text: bytes, attributes: Mapping[str, str]) -> WireEvent | Rejection:
    try:
        return to_wire(CanonicalEvent.model_validate(_fields(text, attributes)))
    except _NotAnEventError as problem:
        reason, detail = problem.reason, problem.detail
    except ValidationError as error:
        reason, detail = describe_problems(error)
    return Rejection(record, item, reason, detail, redact(text, _mapping_or_none(text)))


def _mapping_or_none(text: bytes) -> Any:
    try:
        return _MAPPING.decode(text)
    except JSON_ERRORS:
        return None


def _fields(text: bytes, attributes: Mapping[str, str]) -> dict[str, Any]:
    """The known fields of one item, out of its CloudEvents envelope where it has one."""
    if not text.lstrip().startswith(b"{"):
        try:
            _ANY.decode(text)
        except JSON_ERRORS as error:
            raise _NotAnEventError("not_json", f"not JSON: {error}") from error
        raise _NotAnEventError("not_an_object", "must be a JSON object, an array of objects, or one object a line")
    fields = _known(text)
    envelope = attributes
    if "event_id" not in fields or "tenant_id" not in fields:
        structured = _mapping_or_none(text)
        if isinstance(structured, dict) and "specversion" in structured:
            fields = _data_fields(structured)
            envelope = {k: v for k, v in structured.items() if isinstance(v, str)}
    for attribute, field in _CE_TO_FIELD.items():
        if field not in fields and attribute in envelope:
            fields[field] = envelope[attribute]
    if "tenant_id" not in fields and "subject" in envelope:
        fields["tenant_id"] = envelope["subject"]
    return fields


def _known(text: bytes) -> dict[str, Any]:
    try:
        raw = _RAW_OBJECT.decode(text)
        return {name: _ANY.decode(value) for name in FIELD_NAMES if (value := getattr(raw, name)) is not msgspec.UNSET}
    except JSON_ERRORS as error:
        raise _NotAnEventError("not_json", f"not JSON: {error}") from error


def _data_fields(envelope: dict[str, Any]) -> dict[str, Any]:
    if envelope.get("specversion") != "1.0":
        raise _NotAnEventError("invalid_cloudevent", "specversion: only CloudEvents 1.0 is understood")
    data = envelope.get("data")
    if "data_base64" in envelope:
        try:
            data = _ANY.decode(base64.b64decode(envelope["data_base64"], validate=True))
        except (*JSON_ERRORS, binascii.Error, TypeError, ValueError) as error:
            raise _NotAnEventError("invalid_cloudevent", f"data_base64: not base64 of JSON: {error}") from error
    if not isinstance(data, dict):
        raise _NotAnEventError("invalid_cloudevent", "data: must be one canonical event (a JSON object)")
    return {name: data[name] for name in FIELD_NAMES if name in data}


def _binary_attributes(headers: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    """The attributes of a binary-mode CloudEvent: headers `ce_<name>`; empty when it is none."""
    found = {
        name[3:].lower(): value.decode("utf-8", "replace")
        for name, value in headers
        if name.lower().startswith("ce_") and value is not None
    }
    return found if {"id", "source", "specversion", "type"} <= found.keys() else {}
