"""The events of many spans: what they have in common by template, and of each what is its own, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.canonical import UsageQuality, WireEvent
from rice_stream.events.columns import ATTRIBUTION_FIELDS, PROVENANCE_FIELDS, SERVICE_FIELDS, EventColumns
from rice_stream.events.formats.plain.fields import spelled
from rice_stream.events.formats.plain.otlp import Template
from rice_stream.events.on_demand import OnDemand
from rice_stream.events.stated_factors import NOTHING_STATED
from rice_stream.events.together.layouts import WHO
from rice_stream.events.together.names import EncodedTexts, NumberedColumn, NumberedNames, numbered
from rice_stream.quantities import UNKNOWN, Ints

_REPORTED: UsageQuality = "reported"
_COUNTS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
"""In the order of `SpanRows.counts`."""


@dataclass(slots=True)
class SpanRows:
    """n spans, by their position in the block."""

    templates: list[Template] = field(default_factory=list)
    template_of: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """Which template each has; NOT_READ or IGNORED for one without."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty((len(_COUNTS), 0), dtype=np.int64))
    """Shape (5, n): input, read from a cache, written to one, output, reasoning; UNKNOWN for null."""
    started_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """UNKNOWN for none."""
    ended_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    failed: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    users: dict[int, str | None] = field(default_factory=dict)
    """Of the spans that name one of their own."""
    places: list[tuple[str | None, str]] = field(default_factory=list)
    """Region and its source, as spans name them of their own."""
    place_of: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """Which of these each names; NOT_PLACED for none."""
    ids: list[bytes] = field(default_factory=list)
    _place_numbers: dict[tuple[str | None, str], int] = field(default_factory=dict)

    @classmethod
    def empty(cls, n: int) -> "SpanRows":
        """Of which nothing is read yet."""
        return cls(
            template_of=np.full(n, NOT_READ, dtype=np.intp),
            counts=np.full((len(_COUNTS), n), UNKNOWN, dtype=np.int64),
            started_us=np.full(n, UNKNOWN, dtype=np.int64),
            ended_us=np.zeros(n, dtype=np.int64),
            failed=np.zeros(n, dtype=np.bool_),
            place_of=np.full(n, NOT_PLACED, dtype=np.intp),
        )

    def place(self, rows: NDArray[np.intp], place: tuple[str | None, str]) -> None:
        """Keep that these spans name this region, from this source, of their own."""
        number = self._place_numbers.setdefault(place, len(self.places))
        if number == len(self.places):
            self.places.append(place)
        self.place_of[rows] = number

    def event(self, row: int) -> tuple[WireEvent, str]:
        """The event of one span, and which rung named its region."""
        template = self.templates[self.template_of[row]]
        event = template.event
        counts = [None if count == UNKNOWN else count for count in self.counts[:, row].tolist()]
        number = self.place_of[row]
        of_template = (event.inference_region, template.region_source)
        region, region_source = of_template if number == NOT_PLACED else self.places[number]
        started_us = int(self.started_us[row])
        return (
            msgspec.structs.replace(
                event,
                event_id=self.ids[row].decode(),
                started_at=None if started_us == UNKNOWN else spelled(started_us),
                ended_at=spelled(int(self.ended_us[row])),
                user_id=self.users.get(row, event.user_id),
                inference_region=region,
                status="error" if self.failed[row] else event.status,
                usage_quality=_REPORTED,
                **dict(zip(_COUNTS, counts, strict=True)),
            ),
            region_source,
        )

    def columns(self, rows: NDArray[np.intp], source_format: str) -> EventColumns:
        """Columns of the events of these spans, as `columns.to_columns` and `with_provenance` make them of `event`."""
        n, templates = len(rows), self.template_of[rows]
        of_template = [template.event for template in self.templates]

        def flagged(values: Sequence[bool]) -> NDArray[np.bool_]:
            return np.array(values, dtype=np.bool_)[templates]

        who, users = self._who(rows)
        attributed = numbered(who, users, [WHO.index(name) for name in ATTRIBUTION_FIELDS])
        user_id, api_key_id = numbered(who, users, [WHO.index(name) for name in ("user_id", "api_key_id")])
        started_us, ended_us = self.started_us[rows], self.ended_us[rows]
        return EventColumns(
            attributed=attributed,
            served=self._served(rows, source_format),
            user_id=user_id,
            api_key_id=api_key_id,
            event_id=EncodedTexts([self.ids[row] for row in rows.tolist()]),
            ended_at_us=ended_us,
            duration_us=np.where(started_us == UNKNOWN, UNKNOWN, ended_us - started_us),
            inference=~flagged([event.gateway_cache_hit is True for event in of_template]),
            failed=self.failed[rows] | flagged([event.status == "error" for event in of_template]),
            flags=np.full(n, Basis(0), dtype=np.int32),
            valid=np.ones(n, dtype=np.bool_),
            untimed=np.zeros(n, dtype=np.bool_),
            **dict(zip(_COUNTS, self.counts[:, rows], strict=True)),
        )

    def _who(self, rows: NDArray[np.intp]) -> tuple[NumberedNames, Ints]:
        """Who is named, and the number of each of these spans."""
        who = NumberedNames(len(WHO))
        said = [tuple(getattr(template.event, name) for name in WHO) for template in self.templates]
        numbers = np.array(list(map(who.number, said)), dtype=np.int64)[self.template_of[rows]]
        for at, row in enumerate(rows.tolist()) if self.users else ():
            if row in self.users:
                *others, _, api_key_id = said[self.template_of[row]]
                numbers[at] = who.number((*others, self.users[row], api_key_id))
        return who, numbers

    def _served(self, rows: NDArray[np.intp], source_format: str) -> tuple[NumberedColumn, ...]:
        """What served these spans: SERVICE_FIELDS, no stated factors, and PROVENANCE_FIELDS."""
        what = NumberedNames(len(SERVICE_FIELDS) + len(NOTHING_STATED) + len(PROVENANCE_FIELDS))
        kinds = len(self.places) + 1  # of a template: its own place, or one of those
        codes, inverse = np.unique(self.template_of[rows] * kinds + self.place_of[rows] + 1, return_inverse=True)
        numbers: list[int] = []
        for code in codes.tolist():
            template, place = self.templates[code // kinds], code % kinds
            *names, region = (getattr(template.event, name) for name in SERVICE_FIELDS)
            source = template.region_source
            if place:
                region, source = self.places[place - 1]
            numbers.append(what.number((*names, region, *NOTHING_STATED, source_format, source or None)))
        return numbered(what, np.array(numbers, dtype=np.int64)[inverse], range(len(what.fields)))


NOT_READ, IGNORED = -1, -2
NOT_PLACED = -1


class SpanEvents(OnDemand[WireEvent]):
    """The events of spans, each made when it is asked for: nearly all are only ever columns."""

    def __init__(self, spans: SpanRows, rows: NDArray[np.intp]) -> None:
        self._spans = spans
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def item(self, at: int) -> WireEvent:
        """The event of one span."""
        return self._spans.event(int(self._rows[at]))[0]

    def part(self, rows: slice) -> "SpanEvents":
        """Those of some of the spans."""
        return SpanEvents(self._spans, self._rows[rows])
