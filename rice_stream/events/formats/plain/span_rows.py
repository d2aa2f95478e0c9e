"""The events of many spans: what they have in common by template, and of each what is its own, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.canonical import UsageQuality, WireEvent
from rice_stream.events.columns import ATTRIBUTION_FIELDS, SERVICE_FIELDS, EventColumns
from rice_stream.events.formats.plain.fields import spelled
from rice_stream.events.formats.plain.otlp import Template
from rice_stream.events.on_demand import OnDemand
from rice_stream.events.stated_factors import FACTOR_FIELDS
from rice_stream.quantities import UNKNOWN

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
    places: dict[int, tuple[str | None, str]] = field(default_factory=dict)
    """Region and its source, of the spans that name one of their own."""
    ids: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int) -> "SpanRows":
        """Of which nothing is read yet."""
        return cls(
            template_of=np.full(n, NOT_READ, dtype=np.intp),
            counts=np.full((len(_COUNTS), n), UNKNOWN, dtype=np.int64),
            started_us=np.full(n, UNKNOWN, dtype=np.int64),
            ended_us=np.zeros(n, dtype=np.int64),
            failed=np.zeros(n, dtype=np.bool_),
        )

    def event(self, row: int) -> tuple[WireEvent, str]:
        """The event of one span, and which rung named its region."""
        template = self.templates[self.template_of[row]]
        event = template.event
        counts = [None if count == UNKNOWN else count for count in self.counts[:, row].tolist()]
        region, region_source = self.places.get(row, (event.inference_region, template.region_source))
        started_us = int(self.started_us[row])
        return (
            msgspec.structs.replace(
                event,
                event_id=self.ids[row],
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
        n, chosen = len(rows), rows.tolist()
        templates = self.template_of[rows]
        numbers = templates.tolist()
        of_template = [template.event for template in self.templates]

        def named(name: str) -> list[Any]:
            said = [getattr(event, name) for event in of_template]
            if said.count(said[0]) == len(said):
                return said[:1] * n
            return list(map(said.__getitem__, numbers))

        def flagged(values: Sequence[bool]) -> NDArray[np.bool_]:
            return np.array(values, dtype=np.bool_)[templates]

        users, regions = named("user_id"), named("inference_region")
        sources = [template.region_source or None for template in self.templates]
        region_sources = list(map(sources.__getitem__, numbers))
        for at, row in enumerate(chosen) if self.users or self.places else ():
            if row in self.users:
                users[at] = self.users[row]
            if row in self.places:
                regions[at], source = self.places[row]
                region_sources[at] = source or None
        started_us, ended_us = self.started_us[rows], self.ended_us[rows]
        served = [regions if name == "inference_region" else named(name) for name in SERVICE_FIELDS]
        return EventColumns(
            attributed=tuple(map(named, ATTRIBUTION_FIELDS)),
            served=(*served, *[(None,) * n] * len(FACTOR_FIELDS), [source_format] * n, region_sources),
            user_id=users,
            api_key_id=named("api_key_id"),
            event_id=[self.ids[row] for row in chosen],
            ended_at_us=ended_us,
            duration_us=np.where(started_us == UNKNOWN, UNKNOWN, ended_us - started_us),
            inference=~flagged([event.gateway_cache_hit is True for event in of_template]),
            failed=self.failed[rows] | flagged([event.status == "error" for event in of_template]),
            flags=np.full(n, Basis(0), dtype=np.int32),
            valid=np.ones(n, dtype=np.bool_),
            untimed=np.zeros(n, dtype=np.bool_),
            **dict(zip(_COUNTS, self.counts[:, rows], strict=True)),
        )


NOT_READ, IGNORED = -1, -2


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
