"""The spans of a block by layout and template, and the counts, times and names of each as columns.

What holds of all spans of a layout is looked up once, by the bytes of one of them; the others are compared with it, byte by
byte, at the same time. A digest of a few bytes only says which ones are likely to be alike.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from rice_stream.events.columns import SERVICE_FIELDS
from rice_stream.events.formats.otlp.spans import ADK_SPAN, NO_CALL, VLLM_SPAN
from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.otlp import Resource, Template, own_place, own_user, with_raw_usage
from rice_stream.events.formats.plain.otlp_proto import Layout, known_template, pair_of, prefix_of
from rice_stream.events.formats.plain.span_fields import SpanFields
from rice_stream.events.formats.plain.span_rows import IGNORED, SpanRows
from rice_stream.events.formats.plain.wire_walk import Text, whole_numbers
from rice_stream.events.formats.reading.moments import END_US, FIRST_US
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.metered_energy import ENERGY_FIELDS
from rice_stream.events.records import Ignored, RefusedError
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.quantities import TOKENS_MAX, UNKNOWN

Rows = NDArray[np.intp]
_NAMES = ("", VLLM_SPAN, ADK_SPAN)
"""Names of spans that say what they are, by number."""
_ALIKE_ROUNDS = 4
"""How many layouts or templates of one digest are told apart; what is left after them is not read."""
_SPANS_PER_TEMPLATE_MIN = 4
"""With fewer spans a template costs more than reading each span alone."""
_TEMPLATES_ALWAYS = 64
_INT_VALUE = 0x18
_PROBLEMS = (*JSON_ERRORS, DecodeError, UnicodeDecodeError, NotPlainError, RefusedError)


class Origins(NamedTuple):
    """The resource and scope of each span, by number."""

    numbers: Rows
    read: list[tuple[Resource, str] | None]

    def scope(self, row: int) -> str:
        """Of a span whose origin can be read."""
        found = self.read[self.numbers[row]]
        return found[1] if found is not None else ""


class LayoutReader:
    """Reads the usual spans into `spans` and `ignored`; the others stay not read."""

    def __init__(self, text: Text, fields: SpanFields, origins: Origins, skipped: frozenset[str]) -> None:
        self._text = text
        self._fields = fields
        self._origins = origins
        self._skipped = skipped
        self._names = self._special_names()
        self._template_numbers: dict[int, int] = {}
        self.spans = SpanRows.empty(len(fields.usual))
        self.ignored: dict[int, Ignored] = {}

    def read(self) -> None:
        """All spans."""
        rows = np.flatnonzero(self._fields.usual)
        for alike in _groups(rows, self._digest_of_keys(rows)):
            self._read_alike(alike)

    def _read_alike(self, rows: Rows) -> None:
        for _ in range(_ALIKE_ROUNDS):
            if not len(rows):
                return
            try:
                layout = _known_layout(tuple(map(prefix_of, self._attributes(int(rows[0])))))
            except _PROBLEMS:
                return
            same = self._has_layout(rows, layout)
            if layout.shape.usual:
                self._read_layout(rows[same], layout)
            rows = rows[~same]

    def _read_layout(self, rows: Rows, layout: Layout) -> None:
        if not layout.shape.says_operation:
            nothing = rows[self._names[rows] == 0]
            self._ignore(nothing, NO_CALL)
            rows = rows[self._names[rows] != 0]
        groups = list(_groups(rows, self._digest_of_repeating(rows, layout)))
        if len(groups) > max(_TEMPLATES_ALWAYS, len(rows) // _SPANS_PER_TEMPLATE_MIN):
            return
        for alike in groups:
            left = alike
            for _ in range(_ALIKE_ROUNDS):
                if not len(left):
                    break
                same = self._has_template_of(left, layout)
                self._read_template(left[same], layout)
                left = left[~same]

    def _read_template(self, rows: Rows, layout: Layout) -> None:
        first = int(rows[0])
        attributes = self._attributes(first)
        origin = self._origins.read[self._origins.numbers[first]]
        repeating = tuple([attributes[position] for position in layout.repeating])
        try:
            resource, scope = origin or (Resource({}), "")
            template = known_template(repeating, _NAMES[self._names[first]], scope, resource, self._skipped)
        except _PROBLEMS:
            return
        if isinstance(template, Ignored):
            self._ignore(rows, template)
        elif template is not None and _is_usual(template):
            self._complete(rows, layout, template)

    def _ignore(self, rows: Rows, why: Ignored) -> None:
        self.spans.template_of[rows] = IGNORED
        self.ignored.update(dict.fromkeys(rows.tolist(), why))

    # --- what is a span's own -------------------------------------------------------------------------------------

    def _complete(self, rows: Rows, layout: Layout, template: Template) -> None:
        """As `otlp.completed`, of spans with input and output counts that agree with what else they say."""
        shape = layout.shape
        if shape.hidden is not None and template.is_vllm:
            return
        counts = np.full((6, len(rows)), UNKNOWN, dtype=np.int64)
        fits = np.ones(len(rows), dtype=np.bool_)
        for number, at in enumerate(layout.counts):
            if at is not None:
                counts[number], whole = self._counts_at(rows, *at)
                fits &= whole
        fits &= (counts[0] > 0) | (counts[1] > 0)
        rows, counts = rows[fits], counts[:, fits]
        if shape.usage or shape.hidden is not None or shape.users:
            own = self._read_own(rows, counts, layout, template)
            rows, counts = rows[own], counts[:, own]
        given, written, read, made, reasoning, total = counts
        if template.is_embedding:
            written = np.where(written == UNKNOWN, 0, written)
        cached = np.maximum(read, 0) + np.maximum(made, 0)
        if template.cached_apart:
            given = np.where(given == UNKNOWN, UNKNOWN, given + cached)
            fits = np.ones(len(rows), dtype=np.bool_)
        else:
            fits = (total == UNKNOWN) | (total == given + written)
        fits &= (given >= 0) & (written >= 0) & (given <= TOKENS_MAX) & (written <= TOKENS_MAX)
        fits &= (cached <= given) & (np.maximum(reasoning, 0) <= written)
        started_us, ended_us = self._times(rows)
        fits &= (ended_us >= FIRST_US) & (ended_us < END_US)
        fits &= (started_us == UNKNOWN) | ((started_us >= FIRST_US) & (started_us <= ended_us))
        spans, rows = self.spans, rows[fits]
        spans.counts[:, rows] = np.stack([given, read, made, written, reasoning])[:, fits]
        spans.started_us[rows], spans.ended_us[rows] = started_us[fits], ended_us[fits]
        spans.failed[rows] = self._fields.failed[rows]
        spans.template_of[rows] = self._number_of(template)

    def _number_of(self, template: Template) -> int:
        templates = self.spans.templates
        number = self._template_numbers.setdefault(id(template), len(templates))
        if number == len(templates):
            templates.append(template)
        return number

    def _counts_at(self, rows: Rows, position: int, prefix_bytes: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(the value of an attribute, whether it is a whole number of at least 0)."""
        at = self._fields.attribute_at[rows, position] + prefix_bytes
        left = self._fields.attribute_end[rows, position] - at
        octets = self._text.octets
        widths = octets[at].astype(np.int64) - 1
        values, fits = whole_numbers(self._text, at + 2, widths)
        fits &= (left == widths + 2) & (octets[at + 1] == _INT_VALUE)
        return np.where(fits, values, UNKNOWN), fits

    def _times(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Epoch microseconds of start (UNKNOWN for none) and end."""
        nanoseconds = np.uint64(1000)
        start_ns, end_ns = self._fields.start_ns[rows], self._fields.end_ns[rows]
        started_us = np.where(start_ns == 0, UNKNOWN, (start_ns // nanoseconds).astype(np.int64))
        return started_us, (end_ns // nanoseconds).astype(np.int64)

    def _read_own(self, rows: Rows, counts: NDArray[np.int64], layout: Layout, template: Template) -> NDArray[np.bool_]:
        """What is read span by span: a usage object, an endpoint, a user. Which spans it can be read of."""
        read = np.zeros(len(rows), dtype=np.bool_)
        for number, row in enumerate(rows.tolist()):
            try:
                self._read_own_of(row, counts[:, number], layout, template)
            except _PROBLEMS:
                continue
            read[number] = True
        return read

    def _read_own_of(self, row: int, counts: NDArray[np.int64], layout: Layout, template: Template) -> None:
        shape, event = layout.shape, template.event
        region, region_source = event.inference_region, template.region_source
        place = (region, region_source)
        if shape.usage:
            read, made, reasoning = (None if count == UNKNOWN else count for count in counts[2:5].tolist())
            usage = self._value(row, shape.usage[0])
            read, made, reasoning, place = with_raw_usage(usage, read, made, reasoning, region, region_source)
            counts[2:5] = [UNKNOWN if count is None else count for count in (read, made, reasoning)]
        if place[0] is None and shape.hidden is not None:
            place = own_place(self._value(row, shape.hidden))
        user = event.user_id
        if user is None and shape.users:
            user = own_user(self._value(row, at) for at in shape.users)
            if user is not None and "\x00" in user:
                raise NotPlainError
        if place != (region, region_source):
            self.spans.places[row] = place
        if user != event.user_id:
            self.spans.users[row] = user

    # --- which are alike ------------------------------------------------------------------------------------------

    def _attributes(self, row: int) -> list[bytes]:
        count = int(self._fields.attributes[row])
        begins, ends = self._fields.attribute_at[row, :count], self._fields.attribute_end[row, :count]
        return [self._text.bytes[at:end] for at, end in zip(begins.tolist(), ends.tolist(), strict=True)]

    def _value(self, row: int, position: int) -> Any:
        at, end = self._fields.attribute_at[row, position], self._fields.attribute_end[row, position]
        return pair_of(self._text.bytes[at:end])[1]

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
        begins = self._fields.attribute_at[rows, :width]
        there = np.arange(width) < counts[:, None]
        at = np.where(there, begins, 0)
        heads = self._text.windows(at + 1)
        tails = self._text.windows(at + np.maximum(self._text.octets[at + 1].astype(np.int64) - 6, 0))
        mixed = np.where(there, _mixed(heads, tails), 0)
        digests: NDArray[np.uint64] = (mixed * _weights(width)).sum(axis=1, dtype=np.uint64)
        return digests + counts.astype(np.uint64)

    def _has_layout(self, rows: Rows, layout: Layout) -> NDArray[np.bool_]:
        """Whether they have these attributes, in this order, each with its key's bytes."""
        same: NDArray[np.bool_] = self._fields.attributes[rows] == len(layout.prefixes)
        for position, prefix in enumerate(layout.prefixes):
            left = np.flatnonzero(same)
            at = self._fields.attribute_at[rows[left], position]
            long_enough = self._fields.attribute_end[rows[left], position] - at > len(prefix)
            if not long_enough.all():
                same[left[~long_enough]] = False
                left, at = left[long_enough], at[long_enough]
            same[left] = self._text.has(at, prefix)
        return same

    def _digest_of_repeating(self, rows: Rows, layout: Layout) -> NDArray[np.uint64]:
        """Of where they come from, and of the length and a few bytes of each value that a stream repeats."""
        digest: NDArray[np.uint64] = self._origins.numbers[rows].astype(np.uint64) * _weights(1)[0]
        digest += self._names[rows].astype(np.uint64)
        for position, weight in zip(layout.repeating, _weights(len(layout.repeating)), strict=True):
            at = self._fields.attribute_at[rows, position] + len(layout.prefixes[position])
            end = self._fields.attribute_end[rows, position]
            short = np.minimum(end - at, 8)
            heads = self._text.windows(at) << ((8 - short) * 8).astype(np.uint64)
            digest += (_mixed(heads, self._text.windows(end - short)) ^ (end - at).astype(np.uint64)) * weight
        return digest

    def _has_template_of(self, rows: Rows, layout: Layout) -> NDArray[np.bool_]:
        """Whether they have origin, name and all values that a stream repeats from the first of them."""
        first = rows[0]
        same: NDArray[np.bool_] = self._origins.numbers[rows] == self._origins.numbers[first]
        same &= self._names[rows] == self._names[first]
        for position in layout.repeating:
            skip = len(layout.prefixes[position])
            at, end = self._fields.attribute_at[rows, position] + skip, self._fields.attribute_end[rows, position]
            same &= end - at == end[0] - at[0]
            left = np.flatnonzero(same)
            same[left] = self._text.has(at[left], self._text.bytes[at[0] : end[0]])
        return same


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


@lru_cache(maxsize=256)
def _weights(count: int) -> NDArray[np.uint64]:
    """Odd numbers, another one for each place."""
    return (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)) | np.uint64(1)


@lru_cache(maxsize=1024)
def _known_layout(prefixes: tuple[bytes, ...]) -> Layout:
    return Layout(prefixes)


def _is_usual(template: Template) -> bool:
    """Whether its event brings no factor and no metered energy, and holds no NUL, which is for the full decoder to refuse."""
    event = template.event
    if any(getattr(event, name) is not None for name in (*FACTOR_FIELDS, *ENERGY_FIELDS)):
        return False
    names = ("tenant_id", "team_id", "project_id", "source", *SERVICE_FIELDS, "user_id", "api_key_id")
    return not any("\x00" in (getattr(event, name) or "") for name in names)
