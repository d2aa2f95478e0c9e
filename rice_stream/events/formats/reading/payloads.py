"""The bytes of a record -> its items: framing stripped, arrays and NDJSON taken apart, streams put together."""

import msgspec

from rice_stream.events.canonical_reading import JSON_ERRORS
from rice_stream.events.formats.reading.streams import fold, is_stream

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_SKIPPED = msgspec.json.Decoder(msgspec.Raw)
_MAGIC_ID, _MAGIC_GUID = 0, 1
_ID_BYTES, _GUID_BYTES = 4, 16
_INDEXES_MAX = 32


def without_registry_frame(value: bytes) -> bytes:
    """Without the magic byte and schema id (4 bytes, or a GUID of 16) that schema-registry serializers put in front.

    Neither magic byte can begin JSON or a protobuf message (both would be the reserved field number 0), so nothing
    else is touched. For protobuf the list of message indexes after the id goes too.
    """
    if not value or value[0] not in (_MAGIC_ID, _MAGIC_GUID):
        return value
    start = 1 + (_ID_BYTES if value[0] == _MAGIC_ID else _GUID_BYTES)
    body = value[start:]
    if body[:1] in (b"{", b"["):
        return body
    return _without_message_indexes(body)


def _without_message_indexes(body: bytes) -> bytes:
    # A count and as many indexes, zigzag varints; [0], by far the most usual, is written as the single byte 0.
    n, at = _varint(body, 0)
    n >>= 1
    if not 0 <= n <= _INDEXES_MAX:
        return body
    for _ in range(n):
        _, at = _varint(body, at)
    return body[at:]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body) and shift < 64:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, at


def json_items(text: bytes) -> list[bytes] | None:
    """The items of JSON text (one object; the elements of an array; a line each): None when it is not JSON-like.

    The same rule as for canonical events: text that is JSON as a whole is one item however many lines it has.
    """
    stripped = text.strip()
    if not stripped or stripped[:1] not in b"{[":
        return [fold(stripped)] if is_stream(stripped) else _lines_with_objects(stripped)
    if stripped[:1] == b"[":
        try:
            return [bytes(element) for element in _LIST.decode(stripped)] or [stripped]
        except JSON_ERRORS:
            return [stripped]
    if b"\n" in stripped:
        try:
            _SKIPPED.decode(stripped)
        except JSON_ERRORS:
            return [line for line in stripped.splitlines() if line.strip()]
    return [stripped]


def _lines_with_objects(stripped: bytes) -> list[bytes] | None:
    """JSON lines whose first one is broken: the others must not be lost with it."""
    lines = [line for line in stripped.splitlines() if line.strip()]
    return lines if any(line.lstrip().startswith(b"{") for line in lines) else None
