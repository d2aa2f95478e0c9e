"""The bytes of one record -> its items, where all of them are usual ones of a known format; else nothing.

The format that the last record had is tried first: a topic nearly always holds one.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from rice_stream.events.formats.litellm.payload import SOURCE_FORMAT as LITELLM
from rice_stream.events.formats.otlp.spans import SOURCE_FORMAT as OTLP
from rice_stream.events.formats.plain import bedrock, envoy, kong, langfuse, litellm, litellm_payload, otlp_json
from rice_stream.events.formats.plain.calls_together import read_calls
from rice_stream.events.formats.plain.configured import FINDS, charged, may_be_configured
from rice_stream.events.formats.plain.fields import NotPlainError, PlainItem
from rice_stream.events.formats.reading.options import AUTO, FormatOptions
from rice_stream.events.framing import JSON_ERRORS, json_items
from rice_stream.events.kept_values import KeptValues
from rice_stream.events.records import RawRecord, RefusedError, SkippedBatch
from rice_stream.events.together.reader import ReadTogether

if TYPE_CHECKING:
    from rice_stream.events.formats.plain.otlp_blocks import SpanBlock

_VALUE, _HEADERS = attrgetter("value"), attrgetter("headers")
_Read = Callable[[Any], list[PlainItem]]
_MISSES_MAX = 8
"""After so many records in a row that are for the full decoders, one in as many is tried: a topic nearly always holds one kind."""
_BRACE, _BRACKET = b"{["
_NEWLINE = 0x0A
"""Also the first byte of every TracesData: field 1, length-delimited."""
PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError)


class _JsonFormat:
    """How the items of a record in JSON are read: one object, an array of them, or one a line."""

    def __init__(self, decode: Callable[[Any], Any], read: _Read) -> None:
        self._decode = decode
        self._read = read

    def configured(self, source_format: str, options: FormatOptions) -> "_JsonFormat":
        """The same, with what users configure about attribution."""
        decode, read, find = self._decode, self._read, FINDS[source_format]
        return _JsonFormat(bytes, lambda text: charged(read(decode(text)), text, find, options))

    def items(self, value: bytes) -> list[PlainItem]:
        """All items of the record. One of `PROBLEMS`: not all of them are usual ones of this format."""
        if value[0] == _BRACKET:
            return [item for text in json_items(value) for item in self._read(self._decode(text))]
        if b"\n" in value:
            if b"\r" in value:
                raise NotPlainError  # which ends lines as well
            if value.index(b"\n") < len(value) - 1:
                return self._lines(value)
        return self._read(self._decode(value))

    def _lines(self, value: bytes) -> list[PlainItem]:
        view, end = memoryview(value), value.index(b"\n")
        try:
            found = [*self._read(self._decode(view[:end]))]
        except msgspec.DecodeError:
            return self._read(self._decode(value))  # one object on several lines, if anything
        while end >= 0:
            start, end = end + 1, value.find(b"\n", end + 1)
            line = view[start:end] if end >= 0 else view[start:]
            if (line and line[0] == _BRACE) or bytes(line).strip():
                found += self._read(self._decode(line))
        return found


_FORMATS = {
    LITELLM: _JsonFormat(litellm_payload.decode, litellm.read),
    "langfuse": _JsonFormat(msgspec.json.Decoder(langfuse.IngestedBatch).decode, langfuse.read),
    "bedrock": _JsonFormat(msgspec.json.Decoder(bedrock.BedrockEntry).decode, bedrock.read),
    "kong": _JsonFormat(msgspec.json.Decoder(kong.KongEntry).decode, kong.read),
    "envoy": _JsonFormat(envoy.decode, envoy.read),
}


@lru_cache(maxsize=64)
def _otlp(skipped_scopes: frozenset[str]) -> _JsonFormat:
    return _JsonFormat(msgspec.json.Decoder(otlp_json.Traces).decode, partial(otlp_json.read, skipped=skipped_scopes))


class PlainReader:
    """Reads the records of one topic, one after the other."""

    def __init__(self, options: FormatOptions, topic: str) -> None:
        name = options.format_of(topic)
        self._formats: list[tuple[str, _JsonFormat]] = []
        self._scopes: frozenset[str] | None = None
        self._misses = 0
        self._reads_calls = False
        if options.reads_texts or options.items_max is not None:
            return
        self._formats = [(each, usual) for each, usual in _FORMATS.items() if name in (AUTO, each)]
        if options.attribute_names:
            self._formats = [
                (each, usual.configured(each, options))
                for each, usual in self._formats
                if may_be_configured(each, options)
            ]
            return
        self._reads_calls = name in (AUTO, LITELLM)
        if name in (AUTO, OTLP) and not options.changes:
            self._scopes = options.skipped_scopes
            self._formats.append((OTLP, _otlp(options.skipped_scopes)))

    def read(self, record: RawRecord | SkippedBatch) -> tuple[str, list[PlainItem]] | None:
        """The format and the items of a record; None: it is for the full decoders."""
        value = record.value
        if not value or (record.headers and any(map(_is_enveloped, record.headers))):
            return None
        first = value[0]
        if first == _NEWLINE:
            return self._protobuf(value)
        if (first != _BRACE and first != _BRACKET) or not _is_text(value):
            return None
        if record.headers and any(map(_says_other, record.headers)):
            return None
        if self._misses >= _MISSES_MAX and self._misses % _MISSES_MAX:
            self._misses += 1
            return None
        for position, (name, usual) in enumerate(self._formats):
            try:
                items = usual.items(value)
            except PROBLEMS:
                continue
            if not items:
                break
            if position:
                self._formats.insert(0, self._formats.pop(position))
            self._misses = 0
            return name, items
        self._misses += 1
        return None

    def read_calls(self, records: Sequence[RawRecord | SkippedBatch]) -> ReadTogether | None:
        """The records as payloads of LiteLLM's, one each; None where the first is none, too many others are none, or attribution
        is configured."""
        if not self._reads_calls or _calls(records[:1]) == [b""]:
            return None
        return read_calls(_calls(records))

    def read_together(self, records: Sequence[RawRecord | SkippedBatch], items_max: int) -> "SpanBlock | None":
        """The records up to the one with which there are `items_max` spans, in OTLP's protobuf; None where that is not worth while.

        What the block does not have of a record, `read` may.
        """
        if self._scopes is None or not _may_be_protobuf(records[0]):
            return None
        # Imported where protobuf is read: who sends JSON alone needs no message classes.
        from rice_stream.events.formats.plain.otlp_blocks import read_block

        return read_block(_protobuf_values(records), self._scopes, items_max)

    def _protobuf(self, value: bytes) -> tuple[str, list[PlainItem]] | None:
        if self._scopes is None:
            return None
        # Imported where protobuf is read: who sends JSON alone needs no message classes.
        from rice_stream.events.formats.plain import otlp_proto

        try:
            return OTLP, otlp_proto.read(value, self._scopes)
        except (*PROBLEMS, *otlp_proto.PROBLEMS):
            return None


def _calls(records: Sequence[RawRecord | SkippedBatch]) -> list[bytes]:
    """The values of those that may be one object of JSON; nothing of others."""
    if isinstance(records, KeptValues):  # without headers
        return [value if value and value[0] == _BRACE else b"" for value in records.values]
    return [_call(record) for record in records]


def _call(record: RawRecord | SkippedBatch) -> bytes:
    value = record.value
    if not value or value[0] != _BRACE:
        return b""
    headers = record.headers
    return b"" if headers and (any(map(_is_enveloped, headers)) or any(map(_says_other, headers))) else value


def _may_be_protobuf(record: RawRecord | SkippedBatch) -> bool:
    value = record.value
    if not value or value[0] != _NEWLINE:
        return False
    return not (record.headers and any(map(_is_enveloped, record.headers)))


def _protobuf_values(records: Sequence[RawRecord | SkippedBatch]) -> list[bytes | None]:
    """The values of those that may be protobuf."""
    if any(map(_HEADERS, records)):
        return [record.value if _may_be_protobuf(record) else None for record in records]
    return [value if value and value[0] == _NEWLINE else None for value in map(_VALUE, records)]


def _is_enveloped(header: tuple[str, bytes]) -> bool:
    return header[0][:3].lower() == "ce_"


def _says_other(header: tuple[str, bytes]) -> bool:
    return header[0].lower() == "content-type" and b"json" not in (header[1] or b"")


def _is_text(value: bytes) -> bool:
    """Whether the bytes are UTF-8. Typed structs do not look at the names that they skip; the full decoders do."""
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
