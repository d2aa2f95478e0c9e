"""What spans that are read together print into their attributes, each its own: usage objects, endpoints, users."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.otlp import own_user
from rice_stream.events.formats.plain.otlp_proto import Layout
from rice_stream.events.formats.plain.printed_usage import CLASSES, printed_like
from rice_stream.events.formats.plain.printed_values import endpoints_of, json_of, place_by, place_of_endpoint, usage_of
from rice_stream.events.formats.plain.span_fields import SpanFields
from rice_stream.events.formats.plain.span_rows import NOT_PLACED, NOT_READ, SpanRows
from rice_stream.events.formats.plain.wire_text import Positions, Text
from rice_stream.events.formats.plain.wire_walk import messages
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.quantities import UNKNOWN, Ints

_TEXT_VALUE = 0x0A
ALIKE_MIN = 24
"""Fewer usage objects take longer together than each alone."""
_ALIKE_ROUNDS = 4
"""How many ways of printing them are read together in a layout; what is left after them is read one by one."""
_PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError)


Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


class OwnValues:
    """Reads such values of spans of one layout into `spans`."""

    def __init__(self, text: Text, fields: SpanFields, layout: Layout, spans: SpanRows) -> None:
        self._text = text
        self._fields = fields
        self._layout = layout
        self._spans = spans

    def read(self, rows: Rows, templates: Rows, counts: Ints) -> Flags:
        """Which spans they can be read of. `templates`: the numbers of their templates, NOT_READ for a span that is left out.

        What the counts (shape (6, n)) leave out of cached and reasoning tokens is put there.
        """
        shape = self._layout.shape
        read: Flags = templates != NOT_READ
        if shape.usage:
            self._read_usage(shape.usage[0], rows, templates, counts, read)
        if shape.hidden is not None:
            self._read_places(shape.hidden, rows, templates, read)
        if shape.users:
            self._read_users(shape.users, rows, templates, read)
        return read

    def _read_usage(self, position: int, rows: Rows, templates: Rows, counts: Ints, read: Flags) -> None:
        starts, ends = self._extents(rows, position, read)
        said: Ints = np.full((len(rows), CLASSES), UNKNOWN, dtype=np.int64)
        left = np.flatnonzero(read)
        for _ in range(_ALIKE_ROUNDS):
            if len(left) < ALIKE_MIN:
                break
            like_the_first = printed_like(self._text.part(int(starts[left[0]]), int(ends[left[0]])))
            if like_the_first is None:
                break
            found, alike = like_the_first.read(self._text, starts[left], ends[left])
            said[left[alike]] = found[alike]
            left = left[~alike]
        for at, usage in zip(left.tolist(), self._parts(starts, ends, left, read), strict=True):
            try:
                said[at], geo = usage_of(json_of(usage))
                if geo is not None:
                    self._spans.place(rows[at : at + 1], place_by(_stored(geo), *self._place(int(templates[at]))))
            except _PROBLEMS:
                read[at] = False
        stated = counts[2:5]
        counts[2:5] = np.where(stated == UNKNOWN, said.T, stated)

    def _read_places(self, position: int, rows: Rows, templates: Rows, read: Flags) -> None:
        """Of spans that nothing else places."""
        starts, ends = self._extents(rows, position, read)
        left = np.flatnonzero(read)
        hidden = self._parts(starts, ends, left, read)
        nowhere = self._nowhere(rows[left], templates[left])
        if not nowhere.all():
            hidden, left = [hidden[at] for at in np.flatnonzero(nowhere).tolist()], left[nowhere]
        endpoints = self._endpoints(hidden, left, read)
        numbers = {endpoint: number for number, endpoint in enumerate(dict.fromkeys(endpoints))}
        of_each = np.fromiter(map(numbers.__getitem__, endpoints), dtype=np.intp, count=len(endpoints))
        for endpoint, number in numbers.items():
            place = place_of_endpoint(endpoint)
            if place[0] is not None:
                self._spans.place(rows[left[of_each == number]], place)

    def _nowhere(self, rows: Rows, templates: Rows) -> Flags:
        """Whether neither their template nor what was read of them so far places these spans."""
        spans = self._spans
        placed = [self._place(number)[0] is not None for number in range(len(spans.templates))]
        nowhere: Flags = ~np.array(placed, dtype=np.bool_)[templates]
        if spans.places:
            of_own = np.array([region is not None for region, _ in spans.places], dtype=np.bool_)
            numbers = spans.place_of[rows]
            nowhere &= (numbers == NOT_PLACED) | ~of_own[numbers]
        return nowhere

    def _endpoints(self, hidden: list[bytes], left: Rows, read: Flags) -> list[str | None]:
        try:
            return endpoints_of(hidden)
        except JSON_ERRORS:
            found: list[str | None] = []
            for at, text in zip(left.tolist(), hidden, strict=True):
                try:
                    found += endpoints_of([text])
                except JSON_ERRORS:
                    found.append(None)
                    read[at] = False
            return found

    def _read_users(self, positions: list[int], rows: Rows, templates: Rows, read: Flags) -> None:
        extents = [self._extents(rows, position, read) for position in positions]
        left = np.flatnonzero(read)
        texts = zip(*(self._parts(*extent, left, read) for extent in extents), strict=True)
        for at, of_span in zip(left.tolist(), texts, strict=True):
            if read[at] and self._spans.templates[templates[at]].event.user_id is None:
                try:
                    user = _user(of_span)
                except _PROBLEMS:
                    read[at] = False
                    continue
                if user is not None:
                    self._spans.users[int(rows[at])] = user

    def _place(self, number: int) -> tuple[str | None, str]:
        template = self._spans.templates[number]
        return template.event.inference_region, template.region_source

    def _extents(self, rows: Rows, position: int, read: Flags) -> tuple[Positions, Positions]:
        """(start, end) of the texts of an attribute. Not read: spans in which it is no text, or not written as usual."""
        # The prefix ends with the tag of the value, and in the value the tag of the text comes first.
        tags = self._fields.attribute_at[position, rows] + (self._layout.lengths[position] - 1)
        end = self._fields.attribute_end[position, rows]
        starts, ends, good = messages(self._text, tags)
        good &= ends == end
        starts = np.where(good, starts, 0)
        good &= self._text.octets[starts] == _TEXT_VALUE
        starts, ends, short = messages(self._text, starts)
        good &= short & (ends == end)
        read &= good
        return starts, ends

    def _parts(self, starts: Positions, ends: Positions, chosen: Rows, read: Flags) -> list[bytes]:
        """The texts of these spans. Not read: those in which it is not UTF-8."""
        texts = self._text.parts(starts[chosen], ends[chosen])
        if not all(map(bytes.isascii, texts)):
            read[chosen] &= np.fromiter(map(_is_utf8, texts), dtype=np.bool_, count=len(texts))
        return texts


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _user(texts: Iterable[bytes]) -> str | None:
    user = own_user(map(bytes.decode, texts))
    return None if user is None else _stored(user)


def _stored(name: str) -> str:
    """The name. NotPlainError: it holds a NUL, which is for the full decoder to refuse."""
    if "\x00" in name:
        raise NotPlainError
    return name
