"""Where the spans of a TracesData message lie, and the resource and scope of each, without parsing any of it.

Only messages as exporters write them are read: a resource before its scopes, a scope before its spans. `None` is the answer for
every other one, which is for a parser.
"""

from typing import NamedTuple

_RESOURCE_SPANS = 0x0A
"""Of TracesData; a resource of ResourceSpans and a scope of ScopeSpans have the same tag."""
_HEAD = 0x0A
_INNER = 0x12
"""Scopes of ResourceSpans, spans of ScopeSpans."""
_SCHEMA_URL = 0x1A


class Place(NamedTuple):
    """Where a span lies in its message."""

    start: int
    end: int
    resource: bytes
    scope: bytes


def places(value: bytes) -> list[Place] | None:
    """The spans of a message, in order; None: it is written in another way, or broken."""
    found: list[Place] = []
    try:
        at, end = 0, len(value)
        while at < end:
            if value[at] != _RESOURCE_SPANS:
                return None
            at, entry_end = _extent(value, at + 1)
            if entry_end > end or not _resource_spans(value, at, entry_end, found):
                return None
            at = entry_end
    except IndexError:
        return None
    return found


def _resource_spans(value: bytes, at: int, end: int, found: list[Place]) -> bool:
    resource = b""
    if at < end and value[at] == _HEAD:
        start, at = _extent(value, at + 1)
        resource = value[start:at]
    while at < end:
        tag = value[at]
        start, at = _extent(value, at + 1)
        if at > end or (tag == _INNER and not _scope_spans(value, start, at, resource, found)):
            return False
        if tag not in (_INNER, _SCHEMA_URL):
            return False
    return at == end


def _scope_spans(value: bytes, at: int, end: int, resource: bytes, found: list[Place]) -> bool:
    scope = b""
    if at < end and value[at] == _HEAD:
        start, at = _extent(value, at + 1)
        scope = value[start:at]
    while at < end:
        tag = value[at]
        start, at = _extent(value, at + 1)
        if at > end:
            return False
        if tag == _INNER:
            found.append(Place(start, at, resource, scope))
        elif tag != _SCHEMA_URL:
            return False
    return at == end


def _extent(value: bytes, at: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length is written here. IndexError: the message ends before."""
    length = value[at]
    if length < 0x80:
        return at + 1, at + 1 + length
    second = value[at + 1]
    length = (length & 0x7F) | ((second & 0x7F) << 7)
    if second < 0x80:
        return at + 2, at + 2 + length
    third = value[at + 2]
    length |= (third & 0x7F) << 14
    if third < 0x80:
        return at + 3, at + 3 + length
    fourth = value[at + 3]
    if fourth >= 0x80:
        raise IndexError
    return at + 4, at + 4 + (length | (fourth << 21))
