"""What users configure about attribution, on top of what a plain reader has made of an object.

It may look at any attribute, so the object is taken apart here as the full decoders do it: a part of it for each name that is
looked at. Formats whose objects hold several events are left to the full decoders.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from rice_stream.events.formats.plain.fields import Found, NotPlainError, PlainItem, time_us
from rice_stream.events.formats.reading.attribution import configured_fields
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Ignored
from rice_stream.quantities import NAME_LENGTH_MAX

FindIn = Callable[[JsonObject, str], object]
"""Looks up an attribute of an object by its name."""


def find_anywhere(obj: JsonObject, name: str) -> object:
    """By its name or path."""
    return obj.find(name)


def find_in_litellm(obj: JsonObject, name: str) -> object:
    """The same; `tags` are LiteLLM's tags."""
    return obj.tags("request_tags") if name == "tags" else obj.find(name)


FINDS: Mapping[str, FindIn] = {"bedrock": find_anywhere, "envoy": find_anywhere, "litellm": find_in_litellm}
"""Formats with one event an object."""


def may_be_configured(source_format: str, options: FormatOptions) -> bool:
    """Whether `charged` can do what is configured: all but what looks at the record around the object."""
    return source_format in FINDS and not any(name.startswith("kafka.") for name in options.attribute_names)


def charged(items: list[PlainItem], text: bytes, find: FindIn, options: FormatOptions) -> list[PlainItem]:
    """The items of an object with what is configured for when they ended. NotPlainError: it is for the full decoder."""
    obj = JsonObject.read(text)
    if obj is None:
        raise NotPlainError
    return [item if isinstance(item, Ignored) else _charged(item, obj, find, options) for item in items]


def _charged(item: Found, obj: JsonObject, find: FindIn, options: FormatOptions) -> Found:
    event, region_source = item
    ended_us = time_us(event.ended_at, "ended_at") if options.changes else 0
    then = options.at(ended_us or 0)
    fields = configured_fields(lambda name: find(obj, name), then.rules, then.attributes)
    if any(len(value) > NAME_LENGTH_MAX for value in fields.values()):
        raise NotPlainError
    return (replace(event, **fields) if fields else event), region_source
