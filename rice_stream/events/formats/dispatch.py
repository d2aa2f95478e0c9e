"""One record in any format -> its events, refusals and ignored items. Pure, and raises on no bytes whatever.

The format is the one set for the record's topic; else what the headers say; else what the bytes look like. Plain
canonical records may skip all this: `rice_stream.events.decoding` reads them whole batches at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from rice_stream.events import canonical_reading as canonical
from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats import bedrock, envoy, kong, langfuse, openmeter
from rice_stream.events.formats import provider_replies as provider_usage
from rice_stream.events.formats.litellm import payload as litellm
from rice_stream.events.formats.otlp import spans as otlp
from rice_stream.events.formats.reading.checking import accept, understood
from rice_stream.events.formats.reading.items import EventFields, Ignored, Item, Origin, Refused, RefusedError
from rice_stream.events.formats.reading.json_formats import DecodeObject, refusal
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import AUTO, CANONICAL, DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.formats.reading.payloads import json_items, without_registry_frame
from rice_stream.events.formats.sniffing import sniff
from rice_stream.events.records import RawRecord, Rejection
from rice_stream.events.redact import redact

OTLP = otlp.SOURCE_FORMAT
JSON_FORMATS: Mapping[str, DecodeObject] = {
    bedrock.SOURCE_FORMAT: bedrock.decode_object,
    envoy.SOURCE_FORMAT: envoy.decode_object,
    kong.SOURCE_FORMAT: kong.decode_object,
    langfuse.SOURCE_FORMAT: langfuse.decode_object,
    litellm.SOURCE_FORMAT: litellm.decode_object,
    openmeter.SOURCE_FORMAT: openmeter.decode_object,
    OTLP: otlp.decode_object,
    provider_usage.SOURCE_FORMAT: provider_usage.decode_object,
}
_PROTOBUF_TYPES = ("application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf")
_ENVELOPE = frozenset({"id", "source", "specversion", "type"})
_KEPT_OF_UNKNOWN = frozenset({"id", "type", "specversion", "time", "subject", "source", "event_id", "tenant_id"})
_NEWLINE = b"\n"
"""Also the first byte of every TracesData and LogsData: field 1, length-delimited."""


class Outcome(NamedTuple):
    """What became of one item; `source_format` and `region_source` say how it was read, `notes` what was assumed."""

    source_format: str
    result: WireEvent | Rejection | Ignored
    region_source: str = ""
    notes: tuple[str, ...] = ()


def decode(record: RawRecord, options: FormatOptions = DEFAULT_OPTIONS) -> list[WireEvent | Rejection | Ignored]:
    """Every item of the record, in order, as exactly one of the three; at least one."""
    return [outcome.result for outcome in read(record, options)]


def read(record: RawRecord, options: FormatOptions = DEFAULT_OPTIONS) -> list[Outcome]:
    """The same with the format of each item and what had to be assumed: for metrics, per source and reason."""
    name = options.format_of(record.topic)
    if name == CANONICAL or not record.value or not record.value.strip():
        return _canonical(record)
    value = without_registry_frame(record.value)
    if name in (AUTO, OTLP) and (value[:1] == _NEWLINE or _says_protobuf(record)):
        items = otlp.decode_proto(value, Origin(record), options)
        if items is not None:
            return list(_outcomes(record, [(OTLP, value, None, item) for item in items]))
    texts = json_items(value)
    if texts is None:
        return _not_json(record, value, name, options)
    objects = [JsonObject.read(text) for text in texts]
    envelope = header_attributes(record.headers)
    formats = [_format_of(obj, name, envelope) for obj in objects]
    if all(chosen == CANONICAL for chosen in formats):
        return _canonical(record, value)
    rows: list[_Row] = []
    for position, (chosen, text, obj) in enumerate(zip(formats, texts, objects, strict=True)):
        origin = Origin(record, position, envelope)
        rows += [(chosen, text, obj, item) for item in _items(chosen, text, obj, origin, options)]
    return list(_outcomes(record, rows))


def header_attributes(headers: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    """The attributes of a CloudEvent in binary mode (`ce_<name>` headers); empty when the record is none."""
    if not headers:
        return {}
    found = {
        name[3:].lower(): value.decode("utf-8", "replace")
        for name, value in headers
        if name.lower().startswith("ce_") and value is not None
    }
    return found if found.keys() >= _ENVELOPE else {}


_Row = tuple[str, bytes, JsonObject | None, Item | WireEvent | Rejection]


def _canonical(record: RawRecord, value: bytes | None = None) -> list[Outcome]:
    """All of the record as canonical events; `value` is the record's without its frame."""
    if value is None or value is record.value:
        return [Outcome(CANONICAL, result) for result in canonical.decode_record(record)]
    found = canonical.decode_record(record._replace(value=value))
    return [Outcome(CANONICAL, replace(item, record=record) if isinstance(item, Rejection) else item) for item in found]


def _says_protobuf(record: RawRecord) -> bool:
    return any(
        name.lower() == "content-type"
        and value is not None
        and value.decode("latin-1").lower().startswith(_PROTOBUF_TYPES)
        for name, value in record.headers
    )


def _not_json(record: RawRecord, value: bytes, name: str, options: FormatOptions) -> list[Outcome]:
    """Bytes that do not even begin like JSON: protobuf, or nothing that we know."""
    if name in (AUTO, OTLP):
        items = otlp.decode_proto(value, Origin(record), options)
        if items is None:
            if name == AUTO:
                return _canonical(record)
            items = [otlp.NOT_OTLP]
    else:
        items = [Refused("not_json", "neither JSON nor JSON lines")]
    chosen = OTLP if name == AUTO else name
    return list(_outcomes(record, [(chosen, value, None, item) for item in items]))


def _format_of(obj: JsonObject | None, name: str, envelope: Mapping[str, str]) -> str:
    """The format of one item. Items that cannot be read are canonical: that path names what is wrong with them."""
    if name != AUTO:
        return name
    if obj is None:
        return CANONICAL
    try:
        enveloped = "specversion" in obj
        data = obj.child("data") if enveloped else obj
        found = sniff(data)
        if found == CANONICAL and (enveloped or envelope) and openmeter.is_openmeter_data(data):
            return openmeter.SOURCE_FORMAT
    except RefusedError:
        return CANONICAL
    return found


def _items(
    chosen: str, text: bytes, obj: JsonObject | None, origin: Origin, options: FormatOptions
) -> list[Item | WireEvent | Rejection]:
    if chosen == CANONICAL:
        return _canonical_item(text, origin)
    if obj is None:
        return [refusal(text)]
    try:
        if "specversion" in obj and chosen != openmeter.SOURCE_FORMAT:
            attributes = {name: value for name in obj if isinstance(value := obj.scalar(name), str)}
            return [*JSON_FORMATS[chosen](obj.child("data"), origin._replace(envelope=attributes), options)]
        return [*JSON_FORMATS[chosen](obj, origin, options)]
    except RefusedError as problem:
        return [problem.as_item()]


def _canonical_item(text: bytes, origin: Origin) -> list[Item | WireEvent | Rejection]:
    """One canonical item of a record that has items in other formats too."""
    if text[:1] == b"[":
        # An array within an array: as a record of its own it would be taken apart.
        return [refusal(text)]
    return [*canonical.decode_record(origin.record._replace(value=text))]


def _outcomes(record: RawRecord, rows: list[_Row]) -> Iterator[Outcome]:
    for number, (chosen, text, obj, item) in enumerate(rows):
        if isinstance(item, Rejection):
            yield Outcome(chosen, replace(item, record=record, item=number))
        elif isinstance(item, WireEvent | Ignored):
            yield Outcome(chosen, item)
        elif isinstance(item, Refused):
            yield Outcome(chosen, _rejection(record, number, text, obj, item))
        else:
            yield _judged(record, number, text, obj, chosen, item)


def _judged(
    record: RawRecord, number: int, text: bytes, obj: JsonObject | None, chosen: str, fields: EventFields
) -> Outcome:
    result = accept(fields)
    region_source, notes = fields.get("region_source", ""), fields.get("notes", ())
    if isinstance(result, Refused):
        return Outcome(chosen, _rejection(record, number, text, obj, result), region_source, notes)
    return Outcome(chosen, result, region_source, notes)


def _rejection(record: RawRecord, number: int, text: bytes, obj: JsonObject | None, refused: Refused) -> Rejection:
    """With the fields that were understood, else with the names of the object's fields; never with text."""
    parsed: dict[str, object] | None = understood(refused.fields) if refused.fields else None
    if not parsed and obj is not None:
        parsed = {name: _kept(obj, name) for name in obj}
    return Rejection(record, number, refused.reason, refused.detail, redact(text, parsed))


def _kept(obj: JsonObject, name: str) -> object:
    if name not in _KEPT_OF_UNKNOWN:
        return None
    try:
        return obj.scalar(name)
    except RefusedError:
        return None
