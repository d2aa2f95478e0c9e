"""What is taken of the factors that events state: what is believed and can be true, in a bounded number of kinds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.columns import ATTRIBUTION_FIELDS, SERVICE_FIELDS, EventColumns
from rice_stream.events.stated_factors import FACTOR_FIELDS, NOTHING_STATED, Factors, plausible
from rice_stream.events.trust import OPERATOR_TRUST, TrustPolicy
from rice_stream.instants import HOUR_S, SECOND_US

KINDS_MAX = 1_000
"""Combinations of stated factors that are taken of one tenant's events of one hour; others are estimated without them.

Each makes a row of factors and rows of totals. One measured factor has far fewer values after rounding; several at a time
may have more."""
_KINDS_HELD_MAX = 100_000
"""Combinations kept in mind, of all tenants and hours; past that they are forgotten and counted from nothing."""
_HOUR_US = HOUR_S * SECOND_US
_FIRST, _BEHIND = len(SERVICE_FIELDS), len(SERVICE_FIELDS) + len(FACTOR_FIELDS)
_SOURCE = ATTRIBUTION_FIELDS.index("source")


class HasHeaders(Protocol):
    """A record as it was fetched, or as a `RawRecord`."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its Kafka headers."""


class StatedFactors:
    """Decides for every event that states factors or a cache hit. What is not taken is flagged, and never loses the event."""

    def __init__(self, trust: TrustPolicy = OPERATOR_TRUST) -> None:
        self._trust = trust
        self._kinds: dict[tuple[str, int], set[Factors]] = {}
        self._held = 0

    def taken(self, events: EventColumns, records: Sequence[Any], topic: str) -> EventColumns:
        """The events with those factors that are taken; `records[i]` is the one that event i came in, `topic` its topic."""
        stated = _stated(events)
        hits = ~events.inference
        if stated is None and not hits.any():
            return events
        inference, flags = events.inference, events.flags.copy()
        sources = events.attributed[_SOURCE]
        believed: dict[int, bool] = {}
        for row in sorted({*(stated or ()), *np.flatnonzero(hits).tolist()}):
            believed[row] = self._trust.believes(topic, sources[row], records[row].headers)
        doubted = np.array([row for row, believes in believed.items() if hits[row] and not believes], dtype=np.intp)
        if doubted.size:
            inference = inference.copy()
            inference[doubted] = True
            flags[doubted] |= Basis.CACHE_HIT_NOT_TRUSTED
        served = events.served
        if stated is not None:
            served = _with_factors(events, self._judged(events, stated, believed, flags))
        return replace(events, served=served, inference=inference, flags=flags)

    def _judged(
        self, events: EventColumns, stated: dict[int, Factors], believed: dict[int, bool], flags: NDArray[np.int32]
    ) -> dict[int, Factors]:
        """The factors that are taken, by row; adds the flags of what is not."""
        tenants, hours = events.attributed[0], (events.ended_at_us // _HOUR_US).tolist()
        taken: dict[int, Factors] = {}
        for row, factors in stated.items():
            if not believed[row]:
                flags[row] |= Basis.EVENT_FACTORS_NOT_TRUSTED
                continue
            kept, more = plausible(factors)
            if kept != NOTHING_STATED:
                if self._has_room(tenants[row] or "", hours[row], kept):
                    taken[row] = kept
                else:
                    more |= Basis.EVENT_FACTORS_TOO_MANY
            if more:
                flags[row] |= more
        return taken

    def _has_room(self, tenant_id: str, hour: int, factors: Factors) -> bool:
        kinds = self._kinds.setdefault((tenant_id, hour), set())
        if factors in kinds:
            return True
        if len(kinds) >= KINDS_MAX:
            return False
        if self._held >= _KINDS_HELD_MAX:
            self._kinds.clear()
            self._held = 0
            kinds = self._kinds.setdefault((tenant_id, hour), set())
        kinds.add(factors)
        self._held += 1
        return True


def _stated(events: EventColumns) -> dict[int, Factors] | None:
    """The factors of each event that states any, by row; None where none does."""
    columns = events.served[_FIRST:_BEHIND]
    n = len(events)
    if all(column.count(None) == n for column in columns):
        return None
    rows = enumerate(zip(*columns, strict=True))
    return {row: factors for row, factors in rows if any(value is not None and value != "" for value in factors)}


def _with_factors(events: EventColumns, taken: dict[int, Factors]) -> tuple[Sequence[Any], ...]:
    """The columns of what served the events, with the taken factors in the place of the stated ones."""
    names, behind = events.served[:_FIRST], events.served[_BEHIND:]
    if not taken and not behind:
        return names
    rows = [taken.get(row, NOTHING_STATED) for row in range(len(events))]
    return (*names, *(zip(*rows, strict=True) if rows else ((),) * len(FACTOR_FIELDS)), *behind)
