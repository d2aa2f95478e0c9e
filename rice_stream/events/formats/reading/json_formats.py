"""What every format in JSON shares: a record's items read one by one, a problem of one costing no neighbour."""

from collections.abc import Callable

from rice_stream.events.formats.reading.drafts import EventDraft
from rice_stream.events.formats.reading.items import Item, Origin, Refused, RefusedError
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.payloads import json_items, without_registry_frame
from rice_stream.events.records import RawRecord

DecodeObject = Callable[[JsonObject, Origin, FormatOptions], list[Item]]
BuildEvent = Callable[[JsonObject, EventDraft], Item]

UNEXPECTED = "unexpected_format"
"""Reason for an object that lacks the mark of the format that its topic is set to: no reason to pass it over."""
NOT_JSON = Refused("not_json", "neither JSON nor JSON lines")
NOT_AN_OBJECT = Refused("not_an_object", "must be a JSON object, an array of objects, or one object a line")


def decode_objects(record: RawRecord, options: FormatOptions, decode_object: DecodeObject) -> list[Item]:
    """All items of all objects in the record, in order; at least one."""
    texts = json_items(without_registry_frame(record.value or b""))
    if texts is None:
        return [NOT_JSON]
    items: list[Item] = []
    for position, text in enumerate(texts):
        obj = JsonObject.read(text)
        items += [refusal(text)] if obj is None else decode_object(obj, Origin(record, position), options)
    return items


def refusal(text: bytes) -> Refused:
    """Why the text is no object."""
    return NOT_AN_OBJECT if text[:1] != b"{" else NOT_JSON


def one_event(obj: JsonObject, source_format: str, origin: Origin, options: FormatOptions, build: BuildEvent) -> Item:
    """What `build` makes of the object, a RefusedError as a value."""
    draft = EventDraft(source_format, origin, options)
    try:
        return build(obj, draft)
    except RefusedError as problem:
        return problem.as_item(draft.fields)
