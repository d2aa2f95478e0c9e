"""What is read span by span although the spans are read together: usage objects, endpoints, users."""

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.otlp import own_place, own_user, with_raw_usage
from rice_stream.events.formats.plain.otlp_outer import extent
from rice_stream.events.formats.plain.otlp_proto import Layout
from rice_stream.events.formats.plain.span_fields import SpanFields
from rice_stream.events.formats.plain.span_rows import NOT_READ, SpanRows
from rice_stream.events.formats.plain.wire_walk import Text
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError
from rice_stream.quantities import UNKNOWN

_TEXT_VALUE = 0x0A
_PROBLEMS = (*JSON_ERRORS, UnicodeDecodeError, NotPlainError, RefusedError, IndexError)


class OwnValues:
    """Reads such values of spans of one layout into `spans`."""

    def __init__(self, text: Text, fields: SpanFields, layout: Layout, spans: SpanRows) -> None:
        self._part = text.part
        self._fields = fields
        self._layout = layout
        self._spans = spans

    def read(self, rows: NDArray[np.intp], templates: NDArray[np.intp], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which spans they can be read of. `templates`: the numbers of their templates, NOT_READ for a span that is left out.

        What the counts (shape (6, n)) leave out of cached and reasoning tokens is put there.
        """
        shape = self._layout.shape
        usage = self._extents(rows, shape.usage[0]) if shape.usage else None
        hidden = self._extents(rows, shape.hidden) if shape.hidden is not None else None
        users = [self._extents(rows, position) for position in shape.users]
        stated = counts[2:5].T.tolist()
        read = np.zeros(len(rows), dtype=np.bool_)
        for at, (row, number) in enumerate(zip(rows.tolist(), templates.tolist(), strict=True)):
            if number == NOT_READ:
                continue
            template = self._spans.templates[number]
            try:
                region, region_source = template.event.inference_region, template.region_source
                if usage is not None:
                    kept, made, thought = (None if count == UNKNOWN else count for count in stated[at])
                    said = self._text(usage[at])
                    *own, (region, region_source) = with_raw_usage(said, kept, made, thought, region, region_source)
                    stated[at] = [UNKNOWN if count is None else count for count in own]
                if region is None and hidden is not None:
                    region, region_source = own_place(self._text(hidden[at]))
                user = template.event.user_id
                if user is None and users:
                    user = self._user([extents[at] for extents in users])
            except _PROBLEMS:
                continue
            if region_source != template.region_source or region != template.event.inference_region:
                self._spans.places[row] = region, region_source
            if user != template.event.user_id:
                self._spans.users[row] = user
            read[at] = True
        counts[2:5] = np.array(stated, dtype=np.int64).reshape(-1, 3).T
        return read

    def _extents(self, rows: NDArray[np.intp], position: int) -> list[tuple[int, int]]:
        """Where the value of an attribute begins, with its length before it, and ends."""
        begins = self._fields.attribute_at[rows, position] + len(self._layout.prefixes[position])
        return list(zip(begins.tolist(), self._fields.attribute_end[rows, position].tolist(), strict=True))

    def _text(self, extent_of_value: tuple[int, int]) -> str:
        """NotPlainError: it is no text, or written in another way than the shortest."""
        written = self._part(*extent_of_value)
        at, end = extent(written, 0)
        if end != len(written) or written[at] != _TEXT_VALUE:
            raise NotPlainError
        at, stop = extent(written, at + 1)
        if stop != end:
            raise NotPlainError
        return written[at:].decode()

    def _user(self, extents: list[tuple[int, int]]) -> str | None:
        user = own_user(map(self._text, extents))
        if user is not None and "\x00" in user:
            raise NotPlainError
        return user
