"""OTLP in protobuf, many records at once: what `otlp_proto` makes of each, in a fraction of the time.

Spans whose attributes have the same names in the same order have one layout; of these, those that agree in all that a stream of
spans says over and over have one template. So the parts of all spans of a block are found and compared together, and what is a
span's own is read as columns. Whatever does not fit, to the byte, is left to `otlp_proto`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from rice_stream.events.formats.plain.fields import EVENT, PlainItem
from rice_stream.events.formats.plain.otlp import Resource, stand_apart
from rice_stream.events.formats.plain.otlp_layouts import LayoutReader, Origins
from rice_stream.events.formats.plain.otlp_outer import Places
from rice_stream.events.formats.plain.otlp_proto import resource_of, scope_of
from rice_stream.events.formats.plain.span_fields import SpanFields, read_fields
from rice_stream.events.formats.plain.span_rows import IGNORED, NOT_READ, SpanRows
from rice_stream.events.formats.plain.wire_text import Text
from rice_stream.events.records import Ignored

SPANS_MIN = 48
"""Of fewer spans each costs more here than alone: a step takes as long for one as for a hundred."""
RECORDS_TOGETHER_MIN = 48
"""The spans of fewer records are found one record after the other."""
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_ID_CHARACTERS = 2 * _TRACE_BYTES + 1 + 2 * _SPAN_BYTES
_HEX = np.frombuffer(bytes(range(256)).hex().encode(), dtype=np.uint16)
"""Two digits for each byte."""


class SpanBlock(NamedTuple):
    """What was read of some records; the rest is for `otlp_proto`."""

    spans: SpanRows
    ignored: dict[int, Ignored]
    """Of the spans that stand for no call."""
    first_of: NDArray[np.intp]
    """Shape (records + 1,): the first span of each record."""
    whole: NDArray[np.bool_]
    """Which records are read, with all of their spans."""

    def items(self, record: int) -> list[PlainItem] | None:
        """The items of a record, in order; None: it is not read."""
        if not self.whole[record]:
            return None
        rows = range(int(self.first_of[record]), int(self.first_of[record + 1]))
        return [self.ignored[row] if row in self.ignored else self.spans.event(row) for row in rows]

    def events(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """(the spans that are events, the record of each, its position in the record), of a block that is read whole."""
        rows = np.flatnonzero(self.spans.template_of >= 0)
        records = np.searchsorted(self.first_of, rows, side="right") - 1
        return rows, records, rows - self.first_of[records]


def read_block(values: Sequence[bytes | None], skipped: frozenset[str], items_max: int) -> SpanBlock | None:
    """The records of these values, up to the one with which there are `items_max` spans. None as a value: of another kind.

    None: there are too few spans for this to be worth while. Spans of `skipped` scopes are ignored.
    """
    found, spans_of = Places(), None
    if len(values) < RECORDS_TOGETHER_MIN:
        spans_of = found.add_each(values, items_max)
        if len(found) < SPANS_MIN:
            return None
    text = Text([value or b"" for value in values])
    try:
        if spans_of is None:
            spans_of = found.add_all(values, text, items_max)
        return _read_spans(text, found, spans_of, skipped) if len(found) >= SPANS_MIN else None
    finally:
        text.close()


def _read_spans(text: Text, found: Places, spans_of: list[int], skipped: frozenset[str]) -> SpanBlock:
    starts, ends, of_spans = found.columns()
    fields = read_fields(text, starts, ends)
    origins = Origins(of_spans, [_origin(*pair) for pair in found.pairs])
    fields.usual[~origins.known] = False
    reader = LayoutReader(text, fields, origins, skipped)
    reader.read()
    first_of = np.concatenate([[0], np.cumsum(spans_of)]).astype(np.intp)
    reader.spans.ids = _event_ids(text, fields)
    whole = _whole(reader.spans, first_of)
    block = SpanBlock(reader.spans, reader.ignored, first_of, whole)
    _leave_repeats(block, text, fields, origins)
    return block


def _origin(resource: bytes, scope: bytes) -> tuple[Resource, str] | None:
    try:
        return resource_of(resource), scope_of(scope)
    except DecodeError:
        return None


def _event_ids(text: Text, fields: SpanFields) -> list[bytes]:
    """Trace and span of each in hex; of one that is not usual, whatever is there."""
    ids = [
        text.octets_at(np.where(fields.usual, at, 0), size)
        for at, size in ((fields.trace_id_at, _TRACE_BYTES), (fields.span_id_at, _SPAN_BYTES))
    ]
    written = np.full((len(fields.usual), _ID_CHARACTERS), ord(":"), dtype=np.uint8)
    written[:, : 2 * _TRACE_BYTES], written[:, 2 * _TRACE_BYTES + 1 :] = (
        np.take(_HEX, each).view(np.uint8) for each in ids
    )
    found: list[bytes] = written.view(f"S{_ID_CHARACTERS}").ravel().tolist()
    return found


def _whole(spans: SpanRows, first_of: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which records have spans, and all of them read."""
    unread = np.concatenate([[0], np.cumsum(spans.template_of == NOT_READ)])
    whole: NDArray[np.bool_] = (unread[first_of[1:]] == unread[first_of[:-1]]) & (first_of[1:] > first_of[:-1])
    return whole


def _sums(of_spans: NDArray[np.bool_], first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many spans between those positions are so."""
    before: NDArray[np.intp] = np.concatenate([[0], np.cumsum(of_spans)])
    return before[last] - before[first]


def _leave_repeats(block: SpanBlock, text: Text, fields: SpanFields, origins: Origins) -> None:
    """Not read: records in which two events may be one call, which the full decoder decides."""
    first, last = block.first_of[:-1], block.first_of[1:]
    several = block.whole & (_sums(block.spans.template_of != IGNORED, first, last) > 1)
    if not several.any():
        return
    # Mostly all spans of a record are of one scope, and none is around another one: that is seen of all records at once.
    within = fields.usual & (fields.parent_id_at >= 0)
    parents = text.windows(np.where(within, fields.parent_id_at, 0))
    within &= np.isin(parents, text.windows(np.where(fields.usual, fields.span_id_at, 0)))
    scopes = origins.scope_numbers()
    other_scope = scopes != np.take(scopes, np.maximum(np.arange(len(scopes)) - 1, 0))
    several &= (_sums(within, first, last) > 0) | (_sums(other_scope, np.minimum(first + 1, last), last) > 0)
    for record in np.flatnonzero(several).tolist():
        rows = range(int(block.first_of[record]), int(block.first_of[record + 1]))
        parents_at = fields.parent_id_at[rows.start : rows.stop].tolist()
        if not stand_apart(
            # Of an event nothing is looked at here but that it is none of the ignored ones.
            (block.ignored.get(row, (EVENT, "")) for row in rows),
            (origins.scope(row) for row in rows),
            [block.spans.ids[row][33:].decode() for row in rows],
            [text.part(at, at + 8).hex() if at >= 0 else "" for at in parents_at],
        ):
            block.whole[record] = False
