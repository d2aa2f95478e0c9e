"""The spans of a block by layout and template, and the counts, times and names of each as columns.

What holds of all spans of a layout is looked up once, by the bytes of one of them; the others are compared with it, byte by
byte, at the same time. A digest of a few bytes only says which ones are likely to be alike.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import SERVICE_FIELDS
from rice_stream.events.formats.otlp.spans import ADK_SPAN, NO_CALL, VLLM_SPAN
from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.otlp import Resource, Template
from rice_stream.events.formats.plain.otlp_proto import PROBLEMS, Layout, known_template, prefix_of
from rice_stream.events.formats.plain.own_values import OwnValues
from rice_stream.events.formats.plain.span_fields import SpanFields
from rice_stream.events.formats.plain.span_rows import IGNORED, NOT_READ, SpanRows
from rice_stream.events.formats.plain.wire_text import ROW_BYTES_MAX, Text
from rice_stream.events.formats.plain.wire_walk import whole_numbers
from rice_stream.events.formats.reading.moments import END_US, FIRST_US
from rice_stream.events.metered_energy import ENERGY_FIELDS
from rice_stream.events.records import Ignored, RefusedError
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.quantities import TOKENS_MAX, UNKNOWN

Rows = NDArray[np.intp]
_NAMES = ("", VLLM_SPAN, ADK_SPAN)
"""Names of spans that say what they are, by number."""
_ALIKE_ROUNDS = 4
"""How many layouts of one digest are told apart; what is left after them is not read."""
SPANS_OF_A_LAYOUT_MIN = 24
"""Fewer spans of a layout take longer together than each alone."""
_INT_VALUE = 0x18
_PROBLEMS = (*PROBLEMS, NotPlainError, RefusedError)


class Origins(NamedTuple):
    """The resource and scope of each span, by number."""

    numbers: Rows
    read: list[tuple[Resource, str] | None]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether it can be read, of each span."""
        return np.array([each is not None for each in self.read], dtype=np.bool_)[self.numbers]

    def scope(self, row: int) -> str:
        """Of a span whose origin can be read."""
        found = self.read[self.numbers[row]]
        return found[1] if found is not None else ""

    def scope_numbers(self) -> Rows:
        """Of each span, a number that spans of the same scope have."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(each[1] if each is not None else "", len(numbers)) for each in self.read]
        return np.array(found, dtype=np.intp)[self.numbers]


class LayoutReader:
    """Reads the usual spans into `spans` and `ignored`; the others stay not read."""

    def __init__(self, text: Text, fields: SpanFields, origins: Origins, skipped: frozenset[str]) -> None:
        self._text = text
        self._fields = fields
        self._origins = origins
        self._skipped = skipped
        self._names = self._special_names()
        self._numbers: dict[int, int] = {}
        self.spans = SpanRows.empty(len(fields.usual))
        self.ignored: dict[int, Ignored] = {}

    def read(self) -> None:
        """All spans."""
        rows = self._read_first_layout(np.flatnonzero(self._fields.usual))
        if not len(rows):
            return
        for alike in _groups(rows, self._digest_of_keys(rows)):
            for _ in range(_ALIKE_ROUNDS):
                alike = self._read_first_layout(alike)

    def _read_first_layout(self, rows: Rows) -> Rows:
        """Reads those that have the layout of the first of them; returns the others. Of few it reads none."""
        if len(rows) < SPANS_OF_A_LAYOUT_MIN:
            return rows[:0]
        try:
            layout = _known_layout(tuple(map(prefix_of, self._attributes(int(rows[0])))))
        except _PROBLEMS:
            return rows[1:]
        same = self._has_layout(rows, layout)
        if layout.shape.usual and np.count_nonzero(same) >= SPANS_OF_A_LAYOUT_MIN:
            self._read_layout(rows[same], layout)
        return rows[~same]

    def _read_layout(self, rows: Rows, layout: Layout) -> None:
        if not layout.shape.says_operation:
            nothing = rows[self._names[rows] == 0]
            self._ignore(nothing, NO_CALL)
            rows = rows[self._names[rows] != 0]
            if not len(rows):
                return
        first, group, same = self._by_what_repeats(rows, layout)
        templates = [self._template_of(row, layout) for row in rows[first].tolist()]
        for number, template in enumerate(templates):
            if isinstance(template, Ignored):
                self._ignore(rows[same & (group == number)], template)
        read = same & np.array([isinstance(template, Template) for template in templates], dtype=np.bool_)[group]
        if read.any():
            numbers = [self._number_of(each) if isinstance(each, Template) else NOT_READ for each in templates]
            self._complete(rows[read], layout, np.array(numbers)[group[read]])

    def _template_of(self, row: int, layout: Layout) -> Template | Ignored | None:
        """None: such spans are for the full decoder."""
        origin = self._origins.read[self._origins.numbers[row]]
        if origin is None:
            return None
        fields, part = self._fields, self._text.part
        begins, ends = fields.attribute_at[:, row].tolist(), fields.attribute_end[:, row].tolist()
        repeating = tuple([part(begins[at], ends[at]) for at in layout.repeating])
        try:
            found = known_template(repeating, _NAMES[self._names[row]], origin[1], origin[0], self._skipped)
        except _PROBLEMS:
            return None
        if not isinstance(found, Template):
            return found
        with_hidden = layout.shape.hidden is not None
        return None if (found.is_vllm and with_hidden) or not _is_usual(found) else found

    def _number_of(self, template: Template) -> int:
        templates = self.spans.templates
        number = self._numbers.setdefault(id(template), len(templates))
        if number == len(templates):
            templates.append(template)
        return number

    def _ignore(self, rows: Rows, why: Ignored) -> None:
        self.spans.template_of[rows] = IGNORED
        self.ignored.update(dict.fromkeys(rows.tolist(), why))

    # --- what is a span's own -------------------------------------------------------------------------------------

    def _complete(self, rows: Rows, layout: Layout, numbers: Rows) -> None:
        """As `otlp.completed`, of spans with input and output counts that agree with what else they say. `numbers`: their
        templates'."""
        shape, templates = layout.shape, self.spans.templates
        counts, fits = self._counts(rows, layout)
        fits &= (counts[0] > 0) | (counts[1] > 0)
        if shape.usage or shape.hidden is not None or shape.users:
            own = OwnValues(self._text, self._fields, layout, self.spans)
            fits &= own.read(rows, np.where(fits, numbers, NOT_READ), counts)
        given, written, read, made, reasoning, total = counts
        embedding = np.array([template.is_embedding for template in templates], dtype=np.bool_)[numbers]
        apart = np.array([template.cached_apart for template in templates], dtype=np.bool_)[numbers]
        written = np.where(embedding & (written == UNKNOWN), 0, written)
        cached = np.maximum(read, 0) + np.maximum(made, 0)
        fits &= apart | (total == UNKNOWN) | (total == given + written)
        fits &= given >= 0
        given = given + np.where(apart, cached, 0)
        fits &= (written >= 0) & (given <= TOKENS_MAX) & (written <= TOKENS_MAX)
        fits &= (cached <= given) & (np.maximum(reasoning, 0) <= written)
        started_us, ended_us = self._times(rows)
        fits &= (ended_us >= FIRST_US) & (ended_us < END_US)
        fits &= (started_us == UNKNOWN) | ((started_us >= FIRST_US) & (started_us <= ended_us))
        spans, rows = self.spans, rows[fits]
        spans.counts[:, rows] = np.stack([given, read, made, written, reasoning])[:, fits]
        spans.started_us[rows], spans.ended_us[rows] = started_us[fits], ended_us[fits]
        spans.failed[rows] = self._fields.failed[rows]
        spans.template_of[rows] = numbers[fits]

    def _counts(self, rows: Rows, layout: Layout) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(shape (6, n), UNKNOWN where the layout has none; whether all that there are are whole numbers of at least 0)."""
        counts = np.full((len(layout.counts), len(rows)), UNKNOWN, dtype=np.int64)
        places = {number: place for number, place in enumerate(layout.counts) if place is not None}
        positions = np.array([position for position, _ in places.values()], dtype=np.intp)
        skipped = np.array([prefix_bytes for _, prefix_bytes in places.values()], dtype=np.int64)
        at = self._fields.attribute_at[positions[:, None], rows] + skipped[:, None]
        widths = self._fields.attribute_end[positions[:, None], rows] - at - 2
        octets = self._text.octets
        values, fits = whole_numbers(self._text, at + 2, widths)
        fits &= (octets[at] == widths + 1) & (octets[at + 1] == _INT_VALUE)
        counts[list(places)] = values
        whole: NDArray[np.bool_] = np.logical_and.reduce(fits, axis=0)
        return counts, whole

    def _times(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Epoch microseconds of start (UNKNOWN for none) and end."""
        nanoseconds = np.uint64(1000)
        start_ns, end_ns = self._fields.start_ns[rows], self._fields.end_ns[rows]
        started_us = np.where(start_ns == 0, UNKNOWN, (start_ns // nanoseconds).astype(np.int64))
        return started_us, (end_ns // nanoseconds).astype(np.int64)

    # --- which are alike ------------------------------------------------------------------------------------------

    def _attributes(self, row: int) -> list[bytes]:
        count = int(self._fields.attributes[row])
        begins, ends = self._fields.attribute_at[:count, row], self._fields.attribute_end[:count, row]
        return list(map(self._text.part, begins.tolist(), ends.tolist()))

    def _chosen(self, rows: Rows) -> Rows | slice:
        """These rows, in a way that copies nothing where they are all there are."""
        return slice(None) if len(rows) == len(self._fields.usual) else rows

    def _special_names(self) -> NDArray[np.int8]:
        found = np.zeros(len(self._fields.usual), dtype=np.int8)
        for number, name in enumerate(_NAMES):
            rows = np.flatnonzero(self._fields.name_bytes == len(name)) if name else ()
            if len(rows):
                is_it = self._text.has(self._fields.name_at[rows], name.encode())
                found[rows[is_it]] = number
        return found

    def _digest_of_keys(self, rows: Rows) -> NDArray[np.uint64]:
        """Of the number of attributes, and of the length and a few bytes of each key."""
        counts = self._fields.attributes[rows]
        width = int(counts.max(initial=0))
        begins = self._fields.attribute_at[:width, rows]
        there = np.arange(width)[:, None] < counts
        at = np.where(there, begins, 0)
        heads = self._text.windows(at + 1)
        tails = self._text.windows(at + np.maximum(self._text.octets[at + 1].astype(np.int64) - 6, 0))
        mixed = np.where(there, _mixed(heads, tails), 0)
        digests: NDArray[np.uint64] = (mixed * _weights(width)[:, None]).sum(axis=0, dtype=np.uint64)
        return digests + counts.astype(np.uint64)

    def _has_layout(self, rows: Rows, layout: Layout) -> NDArray[np.bool_]:
        """Whether they have these attributes, in this order, each with its key's bytes."""
        count = len(layout.prefixes)
        same: NDArray[np.bool_] = np.equal(self._fields.attributes[rows], count)
        kept = self._chosen(rows if same.all() else rows[same])
        begins = self._fields.attribute_at[:count, kept]
        longer = self._fields.attribute_end[:count, kept] - begins > np.array(layout.lengths)[:, None]
        alike: NDArray[np.bool_] = np.logical_and.reduce(longer, axis=0)
        if not alike.all():
            # Of one that is too short what lies behind it would be compared.
            begins = np.where(alike, begins, 0)
        for at, prefix in zip(begins, layout.prefixes, strict=True):
            if not self._text.all_have(at, prefix):
                alike &= self._text.has(at, prefix)
                if not alike.any():
                    break
        same[same] = alike
        return same

    def _by_what_repeats(self, rows: Rows, layout: Layout) -> tuple[Rows, Rows, NDArray[np.bool_]]:
        """(the first of the rows with each combination of origin, name and values that a stream repeats; which of them each row is
        like, as far as a digest tells; whether it is)."""
        skipped = np.array([layout.lengths[position] for position in layout.repeating], dtype=np.int64)
        chosen = self._chosen(rows)
        at = np.ascontiguousarray(self._fields.attribute_at[layout.repeating][:, chosen].T) + skipped
        lengths = np.ascontiguousarray(self._fields.attribute_end[layout.repeating][:, chosen].T) - at
        parts = self._text.rows(at, lengths).reshape(len(rows), -1)
        lengths_and_more = (lengths, self._origins.numbers[rows][:, None], self._names[rows][:, None])
        said = np.concatenate([parts, *(each.astype(np.uint64) for each in lengths_and_more)], axis=1)
        digests = (said * _weights(said.shape[1])).sum(axis=1, dtype=np.uint64)
        _, first, group = np.unique(digests, return_index=True, return_inverse=True)
        same: NDArray[np.bool_] = (said == said[first[group]]).all(axis=1)
        if int(lengths.max(initial=0)) > ROW_BYTES_MAX:
            same &= self._text.equal(at, at[first[group]], np.where(same[:, None], lengths, 0)).all(axis=1)
        return first, group, same


def _groups(rows: Rows, digests: NDArray[np.uint64]) -> Iterator[Rows]:
    """The rows with the same digest, in order."""
    if len(rows) and (digests == digests[0]).all():
        yield rows
        return
    order = np.argsort(digests, kind="stable")
    bounds = np.flatnonzero(np.diff(digests[order]) != 0) + 1
    yield from (each for each in np.split(rows[order], bounds) if len(each))


def _mixed(heads: NDArray[np.uint64], tails: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed: NDArray[np.uint64] = (heads * np.uint64(0x9E3779B97F4A7C15)) ^ (tails * np.uint64(0xC2B2AE3D27D4EB4F))
    return mixed ^ (mixed >> np.uint64(29))


@lru_cache(maxsize=1024)
def _known_layout(prefixes: tuple[bytes, ...]) -> Layout:
    return Layout(prefixes)


@lru_cache(maxsize=256)
def _weights(count: int) -> NDArray[np.uint64]:
    """Odd numbers, another one for each place."""
    return (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)) | np.uint64(1)


def _is_usual(template: Template) -> bool:
    """Whether its event brings no factor and no metered energy, and holds no NUL, which is for the full decoder to refuse."""
    event = template.event
    if any(getattr(event, name) is not None for name in (*FACTOR_FIELDS, *ENERGY_FIELDS)):
        return False
    names = ("tenant_id", "team_id", "project_id", "source", *SERVICE_FIELDS, "user_id", "api_key_id")
    return not any("\x00" in (getattr(event, name) or "") for name in names)
