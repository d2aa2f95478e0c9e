"""How many values a body holds, before any of them is built: two bytes of a body may become hundreds in memory.

The counts are upper bounds that cost a fraction of the decoding; a body that is no JSON, or no OTLP, is for the decoder to
refuse.
"""

import re
from collections.abc import Iterator

from rice_stream.api.problems import too_many

VALUES_MAX = 500_000
"""Values of one body (members of objects and lists, fields of messages): at most some 200 bytes of memory each."""
_SMALL_BYTES = 65_536
"""Messages up to this size are not looked at: what they can hold is little."""
_FIELD_BYTES_MIN = 2
_STRING = re.compile(rb'"(?:[^"\\\r\n]|\\.)*+"')
"""A text ends with its line at the latest, so what is broken hides nothing behind it."""
_SEPARATORS = (b",", b"\n", b"\r")
_VARINT, _LENGTH_DELIMITED, _GROUPS = 0, 2, (3, 4)
_ITEMS = 2
"""Field of the scopes within a resource, and of the spans or records within a scope."""
_SKIPPED = {1: 8, 5: 4}
"""Bytes of fields of fixed width, by wire type."""
_DEPTH_MAX = 12
_PLAIN_VALUES = frozenset({0x0A, 0x10, 0x18, 0x21, 0x3A})
"""First bytes of an AnyValue that holds one text, number, boolean or bytes."""


def check_json(body: bytes) -> None:
    """ProblemError 413: the JSON holds more than VALUES_MAX values."""
    # With those within texts there are usually few enough; only a suspicious body is looked at more closely.
    if _separators(body) > VALUES_MAX and _separators(_STRING.sub(b"", body)) > VALUES_MAX:
        raise too_many(f"more than {VALUES_MAX:,} values")


def _separators(text: bytes) -> int:
    return sum(text.count(separator) for separator in _SEPARATORS)


def check_otlp(body: bytes, items_max: int) -> None:
    """ProblemError 413: the protobuf message holds more than `items_max` spans or log records, or VALUES_MAX fields."""
    if len(body) > _SMALL_BYTES:
        _Count(body, items_max).check()


class _Count:
    def __init__(self, body: bytes, items_max: int) -> None:
        self._body = body
        # Each item may be in a resource and a scope of its own.
        self._items_left = 3 * items_max
        self._items_max = items_max
        self._values_left = VALUES_MAX
        self._within = len(body) > _FIELD_BYTES_MIN * VALUES_MAX
        """Whether there can be too many values in all; where not, only items are counted."""

    def check(self) -> None:
        """Resources (field 1), within them scopes (2), within them spans or records (2); attributes anywhere."""
        for _, at, end in self._fields(0, len(self._body)):
            self._count_item()  # an empty resource costs as much as an item
            for number, inner, inner_end in self._fields(at, end):
                if number != _ITEMS:
                    self._count_within(inner, inner_end, 2)
                    continue
                self._count_item()
                for field, first, last in self._fields(inner, inner_end):
                    if field == _ITEMS:
                        self._count_item()
                    self._count_within(first, last, 3)

    def _count_item(self) -> None:
        self._items_left -= 1
        if self._items_left < 0:
            raise too_many(f"more than {self._items_max:,} items")

    def _count_within(self, at: int, end: int, depth: int) -> None:
        """Count the fields of what may be a message; what is a text stops being one after a few bytes."""
        if not self._within or depth == _DEPTH_MAX:
            return
        for _, first, last in self._fields(at, end):
            if last - first > 1 and not self._is_plain_attribute(first, last):
                self._count_within(first, last, depth + 1)

    def _fields(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(number, first byte, end) of the length-delimited fields up to the first byte that is no field; counts them all."""
        body = self._body
        while at < end:
            tag, at = _varint(body, at, end)
            kind = tag & 7
            self._values_left -= 1
            if self._values_left < 0:
                raise too_many(f"more than {VALUES_MAX:,} values")
            if kind == _LENGTH_DELIMITED:
                length, at = _varint(body, at, end)
                if tag < 8 or length > end - at:
                    return
                yield tag >> 3, at, at + length
                at += length
            elif kind == _VARINT and tag >= 8:
                _, at = _varint(body, at, end)
            elif kind in _SKIPPED and tag >= 8:
                at += _SKIPPED[kind]
            elif kind not in _GROUPS or tag < 8:
                return

    def _is_plain_attribute(self, at: int, end: int) -> bool:
        """Whether the bytes are a KeyValue with a short key and one plain value: nearly all attributes are."""
        body = self._body
        if body[at] != 0x0A or body[at + 1] > 0x7F:
            return False
        value = at + 2 + body[at + 1]
        if value + 2 >= end or body[value] != 0x12:
            return False
        length, inner = _varint(body, value + 1, end)
        if inner + length != end:
            return False
        if length == 0:
            return True
        if body[inner] not in _PLAIN_VALUES:
            return False
        if body[inner] in (0x0A, 0x3A):
            length, inner = _varint(body, inner + 1, end)
            return inner + length == end
        return length <= 11


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """(value, next byte); one that is cut or too long is (0, end)."""
    if at < end and body[at] < 0x80:
        return body[at], at + 1
    value = shift = 0
    while at < end and shift < 64:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, end
