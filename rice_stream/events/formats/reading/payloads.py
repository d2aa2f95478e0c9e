"""The bytes of a record without its frame -> the texts of its items, as all formats but the canonical one have them.

A reply that was stored as it was streamed (server-sent events) becomes the one reply that it amounts to: OpenAI sends usage
in the last chunk, Responses in `response.completed`, Gemini a running usage in every chunk, and Anthropic input counts
in `message_start` and output counts in `message_delta`.
"""

from collections.abc import Iterator

import msgspec

from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.framing import json_items

_STREAM_STARTS = (b"data:", b"event:", b":")
_NO_USAGE = b'{"usage":null}'
_USAGE_FIELDS = ("usage", "usageMetadata")


def texts_of(value: bytes) -> list[bytes] | None:
    """One text for each item; None for bytes of which no line begins like JSON, and which are no stream of it."""
    text = value.strip()
    if text[:1] in (b"{", b"["):
        return json_items(text)
    if _is_stream(text):
        return [_folded(text)]
    # JSON lines whose first one is broken: the others must not be lost with it.
    lines = json_items(text)
    return lines if any(line.lstrip().startswith(b"{") for line in lines) else None


def _is_stream(text: bytes) -> bool:
    """Whether the text begins as a stream of server-sent events does, and holds at least one event with an object.

    Anything may begin with a colon: bytes without an event are broken, not a stream that has nothing to count.
    """
    return text.startswith(_STREAM_STARTS) and any(True for _ in _events(text))


def _folded(text: bytes) -> bytes:
    """The reply as one JSON object; `{"usage":null}` where no event of the stream has counts."""
    reply: dict[str, msgspec.Raw] = {}
    for event in _events(text):
        part = next((event.child(name) for name in ("message", "response") if event.is_object(name)), event)
        field = next((name for name in _USAGE_FIELDS if part.is_object(name)), None)
        if field is None:
            continue
        # A later event's counts overrule earlier ones; what it leaves out stays.
        merged = JsonObject(reply).child(field).updated(part.child(field)).raw()
        # The type of an event is not the reply's.
        reply |= {name: raw for name, raw in part.raw().items() if name != "type" or part is not event}
        reply[field] = msgspec.Raw(msgspec.json.encode(merged))
    return msgspec.json.encode(reply) if reply else _NO_USAGE


def _events(text: bytes) -> Iterator[JsonObject]:
    for line in text.splitlines():
        if line.startswith(b"data:"):
            event = JsonObject.read(line[5:].strip())
            if event is not None:
                yield event
