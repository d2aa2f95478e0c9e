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
from rice_stream.events.formats.plain.wire_walk import Text, messages
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.quantities import UNKNOWN

_TEXT_VALUE = 0x0A
_NOTHING_SAID = (UNKNOWN,) * 3
_PROBLEMS = (*JSON_ERRORS, NotPlainError, RefusedError)


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
        of_templates = [(each.event.inference_region, each.region_source) for each in self._spans.templates]
        users = [each.event.user_id for each in self._spans.templates]
        said = [_NOTHING_SAID] * len(rows)
        for at, row, number in zip(range(len(rows)), rows.tolist(), templates.tolist(), strict=True):
            if not read[at]:
                continue
            place, user = of_templates[number], users[number]
            try:
                if usage is not None:
                    said[at], geo = usage_of(usage[at])
                    if geo is not None:
                        place = place_by(geo, *place)
                if hidden is not None and place[0] is None:
                    place = place_of(hidden[at])
                if texts and user is None:
                    user = _user([of_each[at] for of_each in texts])
            except _PROBLEMS:
                read[at] = False
                continue
            if place != of_templates[number]:
                self._spans.places[row] = place
            if user != users[number]:
                self._spans.users[row] = user
        if usage is not None:
            counts[2:5] = np.where(counts[2:5] == UNKNOWN, np.array(said, dtype=np.int64).reshape(-1, 3).T, counts[2:5])
        return read

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
