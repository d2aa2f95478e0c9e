"""A record's bytes -> its items, for all formats alike: without the schema registry's frame, arrays and JSON lines taken apart."""

import msgspec

JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises on bytes that are not JSON (RecursionError: nested too deeply)."""

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_CHECKED = msgspec.json.Decoder(msgspec.Raw)
_MAGIC_ID, _MAGIC_GUID = 0, 1
_ID_BYTES, _GUID_BYTES = 4, 16
_INDEXES_MAX = 32
_CLOUDEVENT = frozenset({"id", "source", "specversion", "type"})
"""Attributes that every CloudEvent has."""


def without_registry_frame(value: bytes) -> bytes:
    """Without the magic byte and schema id (4 bytes, or a GUID of 16) that schema-registry serializers put in front.

    Neither magic byte can begin JSON or a protobuf message (both would be the reserved field number 0), so nothing
    else is touched. For protobuf the list of message indexes after the id goes too.
    """
    if not value or value[0] not in (_MAGIC_ID, _MAGIC_GUID):
        return value
    start = 1 + (_ID_BYTES if value[0] == _MAGIC_ID else _GUID_BYTES)
    body = value[start:]
    # No list of message indexes reads like this: a brace or bracket in it would be an odd varint, a negative index.
    if body.lstrip()[:1] in (b"{", b"["):
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


def json_items(value: bytes) -> list[bytes]:
    """The elements of an array; else the text as a whole where that is JSON; else its lines. At least one.

    Whether an item is JSON is for its reader to find out: a broken one costs its neighbours nothing.
    """
    text = value.strip()
    if text.startswith(b"["):
        try:
            return [bytes(element) for element in _ELEMENTS.decode(text)] or [text]
        except JSON_ERRORS:
            return [text]
    if b"\n" in text:
        try:
            _CHECKED.decode(text)
        except JSON_ERRORS:
            return [line for line in text.splitlines() if line.strip()]
    return [text]


def header_attributes(headers: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    """The attributes of a CloudEvent in binary mode (`ce_<name>` headers); empty when the record is none."""
    if not headers:
        return {}
    attributes = {
        name[3:].lower(): value.decode("utf-8", "replace")
        for name, value in headers
        if name.lower().startswith("ce_") and value is not None
    }
    return attributes if attributes.keys() >= _CLOUDEVENT else {}
