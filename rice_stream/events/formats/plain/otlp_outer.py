"""Where the spans of TracesData messages lie, and the resource and scope of each, without parsing any of them.

Only messages as exporters write them are read: a resource before its scopes, a scope before its spans. Every other one is for a
parser. Messages of one span each are read together, others one after the other.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.wire_text import Positions, Text
from rice_stream.events.formats.plain.wire_walk import walk

_HEAD = 0x0A
"""A resource of ResourceSpans, a scope of ScopeSpans; also the entries of TracesData."""
_INNER = 0x12
"""Scopes of ResourceSpans, spans of ScopeSpans."""
_SCHEMA_URL = 0x1A


class Places:
    """Where spans lie: `starts[i]` and `ends[i]` among all bytes, `origins[i]` the number of their resource and scope. Where each
    message has one span, and all are of one resource and scope, `columns` alone has them."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.origins: list[int] = []
        self.pairs: dict[tuple[bytes, bytes], int] = {}
        """(resource, scope) as they are written -> number."""
        self._alone: tuple[Positions, Positions, NDArray[np.intp]] | None = None

    def __len__(self) -> int:
        return len(self.starts if self._alone is None else self._alone[0])

    def columns(self) -> tuple[Positions, Positions, NDArray[np.intp]]:
        """`starts`, `ends` and `origins` as arrays."""
        if self._alone is not None:
            return self._alone
        return np.array(self.starts), np.array(self.ends), np.array(self.origins)

    def add_each(self, values: Sequence[bytes | None], items_max: int) -> list[int]:
        """How many spans each message has, up to the one with which there are `items_max`; None is one of another kind."""
        starts = accumulate((len(value) if value else 0 for value in values), initial=0)
        counts: list[int] = []
        for start, value in zip(starts, values, strict=False):
            if len(self.starts) >= items_max:
                break
            counts.append(self.add(value, start) if value else 0)
        return counts

    def add_all(self, values: Sequence[bytes | None], text: Text, items_max: int) -> list[int]:
        """The same of many messages at once, before any other. The text is of these values."""
        alone = _SingleSpans(text, text.starts, text.ends)
        if len(values) <= items_max and alone.of_one_origin(text):
            origin = self._origin(text.part(*alone.resource[0]), text.part(*alone.scope[0]))
            self._alone = (alone.start, alone.end, np.full(len(values), origin))
            return [1] * len(values)
        at, end = alone.start.tolist(), alone.end.tolist()
        # Within their message: a part of it is made faster than one of the text.
        shift = text.starts[:, None]
        outer, inner = (alone.resource - shift).tolist(), (alone.scope - shift).tolist()
        starts = text.starts.tolist()
        counts: list[int] = []
        for number, value in enumerate(values):
            if len(self.starts) >= items_max:
                break
            if value is None:
                counts.append(0)
            elif at[number] >= 0:
                (first, last), (second, until) = outer[number], inner[number]
                self.starts.append(at[number])
                self.ends.append(end[number])
                self.origins.append(self._origin(value[first:last], value[second:until]))
                counts.append(1)
            else:
                counts.append(self.add(value, starts[number]))
        return counts

    def _origin(self, resource: bytes, scope: bytes) -> int:
        return self.pairs.setdefault((resource, scope), len(self.pairs))

    def add(self, value: bytes, base: int) -> int:
        """The spans of a message that begins at `base`, in order; how many. 0: it is for a parser, and none is added."""
        count = len(self.starts)
        try:
            read = self._entries(value, base)
        except IndexError:
            read = False
        if not read:
            del self.starts[count:], self.ends[count:], self.origins[count:]
        return len(self.starts) - count

    def _entries(self, value: bytes, base: int) -> bool:
        at, end = 0, len(value)
        while at < end:
            if value[at] != _HEAD:
                return False
            start, at = extent(value, at + 1)
            if at > end or not self._resource_spans(value, base, start, at):
                return False
        return True

    def _resource_spans(self, value: bytes, base: int, at: int, end: int) -> bool:
        resource = b""
        if at < end and value[at] == _HEAD:
            start, at = extent(value, at + 1)
            resource = value[start:at]
        while at < end:
            tag = value[at]
            start, at = extent(value, at + 1)
            if tag == _INNER:
                if at > end or not self._scope_spans(value, base, start, at, resource):
                    return False
            elif tag != _SCHEMA_URL:
                return False
        return at == end

    def _scope_spans(self, value: bytes, base: int, at: int, end: int, resource: bytes) -> bool:
        scope = b""
        if at < end and value[at] == _HEAD:
            start, at = extent(value, at + 1)
            scope = value[start:at]
        origin = self._origin(resource, scope)
        while at < end:
            tag = value[at]
            start, at = extent(value, at + 1)
            if tag == _INNER:
                self.starts.append(base + start)
                self.ends.append(base + at)
                self.origins.append(origin)
            elif tag != _SCHEMA_URL:
                return False
        return at == end


class _SingleSpans:
    """The span, resource and scope of messages that have one each; `start` is -1 of every other message."""

    def __init__(self, text: Text, starts: Positions, ends: Positions) -> None:
        n = len(starts)
        self.start = np.full(n, -1, dtype=np.int64)
        self.end = np.zeros(n, dtype=np.int64)
        self.resource = np.zeros((n, 2), dtype=np.int64)
        self.scope = np.zeros((n, 2), dtype=np.int64)
        whole, ((entry_at, entry_end),) = _fields(text, starts, ends, (_HEAD,))
        of_entry, (resource, (scoped_at, scoped_end)) = _fields(text, entry_at, entry_end, (_HEAD, _INNER))
        of_scoped, (scope, span) = _fields(text, scoped_at, scoped_end, (_HEAD, _INNER))
        read = np.flatnonzero(whole & of_entry & of_scoped)
        self.start[read], self.end[read] = span[0][read], span[1][read]
        self.resource[read] = np.stack(resource, axis=1)[read]
        self.scope[read] = np.stack(scope, axis=1)[read]

    def of_one_origin(self, text: Text) -> bool:
        """Whether every message is such a one, and all have the resource and the scope of the first."""
        if not len(self.start) or (self.start < 0).any():
            return False
        for extents in (self.resource, self.scope):
            wanted = text.part(*extents[0])
            if (extents[:, 1] - extents[:, 0] != len(wanted)).any() or not text.has(extents[:, 0], wanted).all():
                return False
        return True


def _fields(
    text: Text, starts: Positions, ends: Positions, tags: tuple[int, ...]
) -> tuple[NDArray[np.bool_], list[tuple[Positions, Positions]]]:
    """Which messages have these fields in this order, and no other but the address of a schema at the end; and where each of them
    begins and ends, both 0 of any other message."""
    steps, whole = walk(text, starts, ends, len(tags) + 1)
    whole &= starts < ends
    wanted, further = steps[: len(tags)], steps[len(tags) :]
    if (
        whole.all()
        and [(step.tags is None, step.tag, len(step.rows)) for step in wanted]
        == [(True, tag, len(starts)) for tag in tags]
        and all(step.tags is None and step.tag == _SCHEMA_URL for step in further)
    ):  # as nearly always
        return whole, [(step.starts, step.ends) for step in wanted]
    found = []
    for number, tag in enumerate(tags):
        begins, finishes = np.zeros_like(starts), np.zeros_like(starts)
        there = np.zeros(len(starts), dtype=np.bool_)
        if number < len(steps):
            rows, from_, until = steps[number].of_tag(tag)
            begins[rows], finishes[rows] = from_, until
            there[rows] = True
        whole &= there
        found.append((begins, finishes))
    if len(steps) > len(tags):
        last = steps[-1]
        more = np.zeros_like(whole)
        more[last.rows] = True
        more[last.of_tag(_SCHEMA_URL)[0]] = False
        whole &= ~more
    return whole, [(np.where(whole, begins, 0), np.where(whole, finishes, 0)) for begins, finishes in found]


def extent(value: bytes, at: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length is written here. IndexError: the message ends before, or the length is odd."""
    length = value[at]
    if length < 0x80:
        return at + 1, at + 1 + length
    second = value[at + 1]
    if second < 0x80:
        return at + 2, at + 2 + ((length & 0x7F) | (second << 7))
    third = value[at + 2]
    length = (length & 0x7F) | ((second & 0x7F) << 7)
    if third < 0x80:
        return at + 3, at + 3 + (length | (third << 14))
    fourth = value[at + 3]
    if fourth >= 0x80:
        raise IndexError
    return at + 4, at + 4 + (length | ((third & 0x7F) << 14) | (fourth << 21))
