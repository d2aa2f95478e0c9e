"""What is read span by span although the spans are read together: usage objects, endpoints, users."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.otlp import own_user
from rice_stream.events.formats.plain.otlp_proto import Layout
from rice_stream.events.formats.plain.printed_values import json_of, place_by, place_of, usage_of
from rice_stream.events.formats.plain.span_fields import SpanFields
from rice_stream.events.formats.plain.span_rows import NOT_READ, SpanRows
from rice_stream.events.formats.plain.wire_text import Text
from rice_stream.events.formats.plain.wire_walk import messages
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.quantities import UNKNOWN, Ints

_TEXT_VALUE = 0x0A
_NOTHING_SAID = (UNKNOWN,) * 3
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

    def read(self, rows: NDArray[np.intp], templates: NDArray[np.intp], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which spans they can be read of. `templates`: the numbers of their templates, NOT_READ for a span that is left out.

        What the counts (shape (6, n)) leave out of cached and reasoning tokens is put there.
        """
        shape = self._layout.shape
        read: NDArray[np.bool_] = templates != NOT_READ
        wanted = [*shape.usage[:1], *([] if shape.hidden is None else [shape.hidden]), *shape.users]
        texts = []
        for position in wanted:
            found, are_texts = self._texts(rows, position)
            texts.append(found)
            read &= are_texts
        usage = _as_json(texts.pop(0)) if shape.usage else None
        hidden = texts.pop(0) if shape.hidden is not None else None
        if usage is not None:
            self._read_usage(usage, rows, templates, counts, read)
        if hidden is not None:
            self._read_places(hidden, rows, templates, read)
        if texts:
            self._read_users(texts, rows, templates, read)
        return read

    def _read_usage(self, usage: list[bytes], rows: Rows, templates: Rows, counts: Ints, read: Flags) -> None:
        said = [_NOTHING_SAID] * len(rows)
        for at in np.flatnonzero(read).tolist():
            try:
                said[at], geo = usage_of(usage[at])
                if geo is not None:
                    self._spans.places[int(rows[at])] = place_by(geo, *self._place(templates[at]))
            except _PROBLEMS:
                read[at] = False
        stated = counts[2:5]
        counts[2:5] = np.where(stated == UNKNOWN, np.array(said, dtype=np.int64).T, stated)

    def _read_places(self, hidden: list[bytes], rows: Rows, templates: Rows, read: Flags) -> None:
        """Of spans that nothing else places."""
        places, of_templates = self._spans.places, list(map(self._place, range(len(self._spans.templates))))
        nowhere = np.array([region is None for region, _ in of_templates], dtype=np.bool_)
        chosen = np.flatnonzero(read & nowhere[templates])
        for at, row, number in zip(chosen.tolist(), rows[chosen].tolist(), templates[chosen].tolist(), strict=True):
            if row in places and places[row][0] is not None:
                continue
            try:
                place = place_of(hidden[at])
            except _PROBLEMS:
                read[at] = False
                continue
            if place != of_templates[number]:
                places[row] = place

    def _read_users(self, texts: list[list[bytes]], rows: Rows, templates: Rows, read: Flags) -> None:
        for at in np.flatnonzero(read).tolist():
            if self._spans.templates[templates[at]].event.user_id is None:
                try:
                    user = _user([of_each[at] for of_each in texts])
                except _PROBLEMS:
                    read[at] = False
                    continue
                if user is not None:
                    self._spans.users[int(rows[at])] = user

    def _place(self, number: int) -> tuple[str | None, str]:
        template = self._spans.templates[number]
        return template.event.inference_region, template.region_source

    def _texts(self, rows: NDArray[np.intp], position: int) -> tuple[list[bytes], NDArray[np.bool_]]:
        """An attribute's texts, and which are texts, in UTF-8 and written as usual; of others nothing."""
        # The prefix ends with the tag of the value, and in the value the tag of the text comes first.
        tags = self._fields.attribute_at[rows, position] + (self._layout.lengths[position] - 1)
        end = self._fields.attribute_end[rows, position]
        starts, ends, good = messages(self._text, tags)
        good &= ends == end
        starts = np.where(good, starts, 0)
        good &= self._text.octets[starts] == _TEXT_VALUE
        starts, ends, short = messages(self._text, starts)
        good &= short & (ends == end)
        places = zip(np.where(good, starts, 0).tolist(), np.where(good, ends, 0).tolist(), strict=True)
        texts = [self._text.part(start, stop) for start, stop in places]
        if not all(map(bytes.isascii, texts)):
            good &= np.fromiter(map(_is_utf8, texts), dtype=np.bool_, count=len(texts))
        return texts, good


def _as_json(printed: list[bytes]) -> list[bytes]:
    """`json_of` each; mostly of all at once."""
    found = json_of(b"\n".join(printed)).split(b"\n")
    return found if len(found) == len(printed) else list(map(json_of, printed))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _user(texts: Iterable[bytes]) -> str | None:
    user = own_user(map(bytes.decode, texts))
    if user is not None and "\x00" in user:
        raise NotPlainError
    return user
