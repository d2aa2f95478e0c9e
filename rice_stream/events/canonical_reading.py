"""Canonical JSON: one object, an array of objects, or NDJSON; each possibly wrapped in CloudEvents 1.0.

The slow and complete path: the hot path (`decoding.py`) hands over only what is not one plain canonical object.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from rice_stream.events.canonical import (
    FIELD_NAMES,
    CanonicalEvent,
    UndecodedEvent,
    WireEvent,
    describe_problems,
    to_wire,
)
from rice_stream.events.framing import JSON_ERRORS, header_attributes, json_items, without_registry_frame
from rice_stream.events.records import RawRecord, Refused, RefusedError
from rice_stream.events.redact import redact

_UNDECODED = msgspec.json.Decoder(UndecodedEvent)
_ANY = msgspec.json.Decoder()
_MAPPING = msgspec.json.Decoder(dict[str, Any])
_CE_TO_FIELD = {"id": "event_id", "source": "source", "time": "ended_at", "tenantid": "tenant_id"}
"""CloudEvents attributes that fill a field which the event itself does not carry."""


def decode_record(record: RawRecord) -> Iterator[WireEvent | Refused]:
    """Every item of the record, in order, as an event or refused; at least one for any bytes whatever."""
    value = record.value
    if value is None or not value.strip():
        yield Refused(record, 0, "empty_value", "the record has no value", redact(value))
        return
    attributes = header_attributes(record.headers)
    for item, text in enumerate(json_items(without_registry_frame(value))):
        yield decode_item(record, item, text, attributes)


def decode_item(record: RawRecord, item: int, text: bytes, attributes: Mapping[str, str]) -> WireEvent | Refused:
    """One item of the record; `attributes` are those of the CloudEvent that the record is in binary mode."""
    try:
        return to_wire(CanonicalEvent.model_validate(_fields(text, attributes)))
    except RefusedError as problem:
        reason, detail = problem.reason, problem.detail
    except ValidationError as error:
        reason, detail = describe_problems(error)
    return Refused(record, item, reason, detail, redact(text, _mapping_or_none(text)))


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
            raise RefusedError("not_json", f"not JSON: {error}") from error
        raise RefusedError("not_an_object", "must be a JSON object, an array of objects, or one object a line")
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
        raw = _UNDECODED.decode(text)
        return {name: _ANY.decode(value) for name in FIELD_NAMES if (value := getattr(raw, name)) is not msgspec.UNSET}
    except JSON_ERRORS as error:
        raise RefusedError("not_json", f"not JSON: {error}") from error


def _data_fields(envelope: dict[str, Any]) -> dict[str, Any]:
    if envelope.get("specversion") != "1.0":
        raise RefusedError("invalid_cloudevent", "specversion: only CloudEvents 1.0 is understood")
    data = envelope.get("data")
    if "data_base64" in envelope:
        try:
            data = _ANY.decode(base64.b64decode(envelope["data_base64"], validate=True))
        except (*JSON_ERRORS, binascii.Error, TypeError, ValueError) as error:
            raise RefusedError("invalid_cloudevent", f"data_base64: not base64 of JSON: {error}") from error
    if not isinstance(data, dict):
        raise RefusedError("invalid_cloudevent", "data: must be one canonical event (a JSON object)")
    return {name: data[name] for name in FIELD_NAMES if name in data}
