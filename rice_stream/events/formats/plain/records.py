"""The bytes of one record -> its items, where all of them are usual ones of a known format; else nothing.

The format that the last record had is tried first: a topic nearly always holds one.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from rice_stream.events.formats.plain import bedrock, envoy, kong, langfuse, litellm
from rice_stream.events.formats.plain.fields import NotPlainError, PlainItem
from rice_stream.events.formats.reading.options import AUTO, FormatOptions
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RawRecord, RefusedError, SkippedBatch

_Read = Callable[[Any], list[PlainItem]]
_OBJECT, _ARRAY = b"{", b"["
_PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError)


class _JsonFormat:
    """How the items of a record in JSON are read: one object, an array of them, or one a line."""

    def __init__(self, struct: type[msgspec.Struct], read: _Read) -> None:
        self._decode = msgspec.json.Decoder(struct).decode
        self._decode_array = msgspec.json.Decoder(list[struct]).decode  # type: ignore[valid-type]
        self._read = read

    def items(self, value: bytes) -> list[PlainItem]:
        """All items of the record. One of `_PROBLEMS`: not all of them are usual ones of this format."""
        if value[:1] == _ARRAY:
            return [item for each in self._decode_array(value) for item in self._read(each)]
        if b"\n" in value and (lines := value.splitlines())[1:]:
            first, *others = lines
            try:
                found = self._read(self._decode(first))
            except msgspec.DecodeError:
                return self._read(self._decode(value))
            for line in others:
                if line.strip():
                    found = found + self._read(self._decode(line))
            return found
        return self._read(self._decode(value))


_FORMATS = {
    "litellm": _JsonFormat(litellm.LoggedCall, litellm.read),
    "langfuse": _JsonFormat(langfuse.IngestedBatch, langfuse.read),
    "bedrock": _JsonFormat(bedrock.BedrockEntry, bedrock.read),
    "kong": _JsonFormat(kong.KongEntry, kong.read),
    "envoy": _JsonFormat(envoy.Line, envoy.read),
}


class PlainReader:
    """Reads the records of one topic, one after the other."""

    def __init__(self, options: FormatOptions, topic: str) -> None:
        name = options.format_of(topic)
        # What users configure about attribution looks at more than the wanted fields.
        configured = options.attribute_names or options.reads_texts or options.items_max is not None
        self._formats = [] if configured else [each for each in _FORMATS if name in (AUTO, each)]

    def read(self, record: RawRecord | SkippedBatch) -> tuple[str, list[PlainItem]] | None:
        """The format and the items of a record; None: it is for the full decoders."""
        value = record.value
        if not value or value[:1] not in (_OBJECT, _ARRAY) or not _is_text(value):
            return None
        if record.headers and any(map(_matters, record.headers)):
            return None
        for position, name in enumerate(self._formats):
            try:
                items = _FORMATS[name].items(value)
            except _PROBLEMS:
                continue
            if not items:
                return None
            if position:
                self._formats.insert(0, self._formats.pop(position))
            return name, items
        return None


def _matters(header: tuple[str, bytes]) -> bool:
    """Whether the header says something about the value: an attribute of a CloudEvent, or that it is protobuf."""
    name = header[0].lower()
    return name.startswith("ce_") or (name == "content-type" and b"json" not in (header[1] or b""))


def _is_text(value: bytes) -> bool:
    """Whether the bytes are UTF-8. Typed structs do not look at the names that they skip; the full decoders do."""
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
