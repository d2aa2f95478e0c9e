"""One record in any format -> its items: events, refused ones and ignored ones. Pure, and raises on no bytes whatever.

The format is the one set for the record's topic; else what the headers say; else what the bytes look like. Plain
canonical records may skip all this: `rice_stream.events.decoding` reads them whole batches at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from rice_stream.events import canonical_reading as canonical
from rice_stream.events.canonical import WireEvent
from rice_stream.events.door_refusals import read_refusals
from rice_stream.events.formats import bedrock, envoy, kong, langfuse, openmeter
from rice_stream.events.formats import provider_replies as provider_usage
from rice_stream.events.formats.litellm import payload as litellm
from rice_stream.events.formats.otlp import spans as otlp
from rice_stream.events.formats.reading.checking import accept, understood
from rice_stream.events.formats.reading.items import NOT_JSON, EventFields, Item, ItemOrigin, is_untimed, refusal_of
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import AUTO, CANONICAL, DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.formats.reading.payloads import texts_of
from rice_stream.events.formats.sniffing import sniff
from rice_stream.events.framing import header_attributes, without_registry_frame
from rice_stream.events.records import Ignored, RawRecord, Refusal, Refused, RefusedError
from rice_stream.events.redact import redact

DecodeObject = Callable[[JsonObject, ItemOrigin, FormatOptions], list[Item]]
"""The items of one JSON object in a format."""

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
_KEPT_OF_UNKNOWN = frozenset({"id", "type", "specversion", "time", "subject", "source", "event_id", "tenant_id"})
_NEWLINE = b"\n"
"""Also the first byte of every TracesData and LogsData: field 1, length-delimited."""


class Outcome(NamedTuple):
    """What became of one item; `source_format` and `region_source` say how it was read, `notes` what was assumed."""

    source_format: str
    result: WireEvent | Refused | Ignored
    region_source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def untimed(self) -> bool:
        """Whether the item has an id but no time of its own: `ended_at` is then that of its record."""
        return is_untimed(self.notes)


def read(record: RawRecord, options: FormatOptions = DEFAULT_OPTIONS) -> list[Outcome]:
    """Every item of the record, in order; at least one. TooManyItemsError: more than `options.items_max`, where it is set.

    A record that tells of what a door has refused is read here alone: a door that reads a body with `outcomes` believes
    no sender that it comes from another door.
    """
    refused = read_refusals(record)
    if refused is not None:
        return [Outcome(item.source_format, item) for item in refused]
    return list(outcomes(record, options))


def outcomes(record: RawRecord, options: FormatOptions) -> Iterator[Outcome]:
    """The same, one at a time: an item of an array, or a line, is understood when it is asked for."""
    name = options.format_of(record.topic)
    if name == CANONICAL or not record.value or not record.value.strip():
        return _canonical(record)
    value = without_registry_frame(record.value)
    if name in (AUTO, OTLP) and (value[:1] == _NEWLINE or _says_protobuf(record)):
        of_spans = otlp.decode_proto(value, ItemOrigin(record), options)
        if of_spans is not None:
            return _outcomes(record, ((OTLP, value, None, item) for item in of_spans))
    texts = texts_of(value)
    if texts is None:
        return _not_json(record, value, name, options)
    texts = options.bounded(texts)
    envelope = header_attributes(record.headers)
    objects = [JsonObject.read(text) for text in texts]
    formats = [_format_of(obj, name, envelope) for obj in objects]
    if all(chosen == CANONICAL for chosen in formats):
        items = (canonical.decode_item(record, item, text, envelope) for item, text in enumerate(texts))
        return (Outcome(CANONICAL, result) for result in items)
    rows = (
        (chosen, text, obj, item)
        for position, (chosen, text, obj) in enumerate(zip(formats, texts, objects, strict=True))
        for item in _items(chosen, text, obj, ItemOrigin(record, position, envelope), options)
    )
    return _outcomes(record, rows)


_Row = tuple[str, bytes, JsonObject | None, Item | WireEvent | Refused]


def _canonical(record: RawRecord) -> Iterator[Outcome]:
    return (Outcome(CANONICAL, result) for result in canonical.decode_record(record))


def _says_protobuf(record: RawRecord) -> bool:
    return any(
        name.lower() == "content-type"
        and value is not None
        and value.decode("latin-1").lower().startswith(_PROTOBUF_TYPES)
        for name, value in record.headers
    )


def _not_json(record: RawRecord, value: bytes, name: str, options: FormatOptions) -> Iterator[Outcome]:
    """Bytes that do not even begin like JSON: protobuf, or nothing that we know."""
    if name in (AUTO, OTLP):
        items = otlp.decode_proto(value, ItemOrigin(record), options)
        if items is None:
            if name == AUTO:
                return _canonical(record)
            items = [otlp.NOT_OTLP]
    else:
        items = [NOT_JSON]
    chosen = OTLP if name == AUTO else name
    return _outcomes(record, ((chosen, value, None, item) for item in items))


def _format_of(obj: JsonObject | None, name: str, envelope: Mapping[str, str]) -> str:
    """The format of one item. Items that cannot be read are canonical: that path names what is wrong with them."""
    if name != AUTO:
        return name
    if obj is None:
        return CANONICAL
    try:
        enveloped = "specversion" in obj
        data = obj.child("data") if enveloped else obj
        sniffed = sniff(data)
        if sniffed == CANONICAL and (enveloped or envelope) and openmeter.is_openmeter_data(data):
            return openmeter.SOURCE_FORMAT
    except RefusedError:
        return CANONICAL
    return sniffed


def _items(
    chosen: str, text: bytes, obj: JsonObject | None, origin: ItemOrigin, options: FormatOptions
) -> list[Item | WireEvent | Refused]:
    if chosen == CANONICAL:
        return [canonical.decode_item(origin.record, origin.item, text, origin.envelope)]
    if obj is None:
        return [refusal_of(text)]
    try:
        if "specversion" in obj and chosen != openmeter.SOURCE_FORMAT:
            attributes = {name: value for name in obj if isinstance(value := obj.scalar(name), str)}
            return [*JSON_FORMATS[chosen](obj.child("data"), origin._replace(envelope=attributes), options)]
        return [*JSON_FORMATS[chosen](obj, origin, options)]
    except RefusedError as problem:
        return [problem.refusal()]


def _outcomes(record: RawRecord, rows: Iterable[_Row]) -> Iterator[Outcome]:
    for number, (chosen, text, obj, item) in enumerate(rows):
        if isinstance(item, Refused):
            yield Outcome(chosen, item if item.item == number else replace(item, item=number))
        elif isinstance(item, WireEvent | Ignored):
            yield Outcome(chosen, item)
        elif isinstance(item, Refusal):
            yield Outcome(chosen, _refused(record, number, text, obj, item))
        else:
            yield _judged(record, number, text, obj, chosen, item)


def _judged(
    record: RawRecord, number: int, text: bytes, obj: JsonObject | None, chosen: str, fields: EventFields
) -> Outcome:
    result = accept(fields)
    region_source, notes = fields.get("region_source", ""), fields.get("notes", ())
    if isinstance(result, Refusal):
        return Outcome(chosen, _refused(record, number, text, obj, result), region_source, notes)
    return Outcome(chosen, result, region_source, notes)


def _refused(record: RawRecord, number: int, text: bytes, obj: JsonObject | None, refusal: Refusal) -> Refused:
    """With the fields that were understood, else with the names of the object's fields; never with text."""
    parsed: dict[str, object] | None = understood(refusal.fields) if refusal.fields else None
    if not parsed and obj is not None:
        parsed = {name: _kept(obj, name) for name in obj}
    return Refused(record, number, refusal.reason, refusal.detail, redact(text, parsed))


def _kept(obj: JsonObject, name: str) -> object:
    if name not in _KEPT_OF_UNKNOWN:
        return None
    try:
        return obj.scalar(name)
    except RefusedError:
        return None
