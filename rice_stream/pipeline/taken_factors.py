"""What is taken of what events state: factors that are believed and can be true, in a bounded number of kinds, and energy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.events.columns import ATTRIBUTION_FIELDS, SERVICE_FIELDS, EventColumns
from rice_stream.events.stated_factors import FACTOR_FIELDS, NOTHING_STATED, Factors, coarse, plausible
from rice_stream.events.trust import OPERATOR_TRUST, TrustPolicy
from rice_stream.instants import HOUR_S, SECOND_US
from rice_stream.pipeline.taken_energy import taken_energy

KINDS_MAX = 250
"""Combinations of stated factors that are taken of one tenant's events of one hour; others are rounded once more.

Each makes a row of factors and rows of totals. One measured factor has fewer values after rounding; several at a time may
have many more."""
COARSE_KINDS_MAX = 1_000
"""Combinations after that rounding; events with others are estimated without their factors."""
_KINDS_HELD_MAX = 100_000
"""Combinations kept in mind, of all tenants and hours; past that they are forgotten and counted from nothing."""
_REMEMBERED_MAX = 10_000
"""Combinations, as they were stated, whose rounding is kept in mind."""
_HOUR_US = HOUR_S * SECOND_US
_FIRST, _BEHIND = len(SERVICE_FIELDS), len(SERVICE_FIELDS) + len(FACTOR_FIELDS)
_TENANT, _SOURCE = ATTRIBUTION_FIELDS.index("tenant_id"), ATTRIBUTION_FIELDS.index("source")


class StatedFactors:
    """Decides for every event that states factors, energy or a cache hit. What is not taken is flagged, and never costs the
    event."""

    def __init__(self, trust: TrustPolicy = OPERATOR_TRUST) -> None:
        self._trust = trust
        self._plausible: dict[Factors, tuple[Factors, int]] = {}
        self._kinds: dict[tuple[str, int], tuple[set[Factors], set[Factors]]] = {}
        self._held = 0

    def taken(self, events: EventColumns, records: Sequence[Any], topic: str) -> EventColumns:
        """The events with those of their factors, and their energy, as they are taken.

        `records[i]` is what event i came in, `topic` its topic.
        """
        stated = _stated(events)
        hits = np.flatnonzero(~events.inference).tolist()
        if not stated and not hits and not events.energy:
            return events
        sources = events.attributed[_SOURCE]

        def believes(row: int) -> bool:
            return self._trust.believes(topic, sources[row], records[row].headers)

        doubted = [row for row in hits if not believes(row)]
        inference = events.inference.copy()
        inference[doubted] = True
        flagged: dict[int, list[int]] = {Basis.CACHE_HIT_NOT_TRUSTED: doubted}
        taken: dict[int, Factors] = {}
        tenants, hours = events.attributed[_TENANT], (events.ended_at_us // _HOUR_US).tolist() if stated else []
        for row, factors in stated.items():
            kept, flags = self._what_can_be_true(factors)
            if not flags and kept == NOTHING_STATED:
                continue
            if not believes(row):
                flags = Basis.EVENT_FACTORS_NOT_TRUSTED
            elif kept != NOTHING_STATED:
                taken[row], more = self._bounded(tenants[row] or "", hours[row], kept)
                flags |= more
            if flags:
                flagged.setdefault(flags, []).append(row)
        events = replace(
            events,
            served=_with_factors(events, taken) if stated else events.served,
            inference=inference,
            flags=_flagged(events.flags, flagged),
        )
        if not events.energy:
            return events
        events, not_taken = taken_energy(events, believes)
        return replace(events, flags=_flagged(events.flags, not_taken)) if not_taken else events

    def _what_can_be_true(self, factors: Factors) -> tuple[Factors, int]:
        known = self._plausible.get(factors)
        if known is None:
            if len(self._plausible) >= _REMEMBERED_MAX:
                self._plausible.clear()
            known = self._plausible[factors] = plausible(factors)
        return known

    def _bounded(self, tenant_id: str, hour: int, factors: Factors) -> tuple[Factors, int]:
        """What the tenant's hour has room for, and a flag where it is not the factors themselves."""
        fine, rounded = self._kinds.get((tenant_id, hour)) or self._kinds.setdefault((tenant_id, hour), (set(), set()))
        if factors in fine or self._added(fine, KINDS_MAX, factors):
            return factors, 0
        factors = coarse(factors)
        if factors in rounded or self._added(rounded, COARSE_KINDS_MAX, factors):
            return factors, Basis.EVENT_FACTORS_COARSE
        return NOTHING_STATED, Basis.EVENT_FACTORS_TOO_MANY

    def _added(self, kinds: set[Factors], kinds_max: int, factors: Factors) -> bool:
        if len(kinds) >= kinds_max:
            return False
        if self._held >= _KINDS_HELD_MAX:
            self._kinds.clear()
            self._held = 0
        kinds.add(factors)
        self._held += 1
        return True


def _stated(events: EventColumns) -> dict[int, Factors]:
    """The factors of each event that states any, by row."""
    columns = events.served[_FIRST:_BEHIND]
    n = len(events)
    if all(column.count(None) == n for column in columns):
        return {}
    return {row: factors for row, factors in enumerate(zip(*columns, strict=True)) if factors != NOTHING_STATED}


def _with_factors(events: EventColumns, taken: dict[int, Factors]) -> tuple[Sequence[Any], ...]:
    """The columns of what served the events, with the taken factors in the place of the stated ones."""
    names, behind = events.served[:_FIRST], events.served[_BEHIND:]
    if not taken and not behind:
        return names
    return (*names, *zip(*(taken.get(row, NOTHING_STATED) for row in range(len(events))), strict=True), *behind)


def _flagged(flags: NDArray[np.int32], rows_of: dict[int, list[int]]) -> NDArray[np.int32]:
    flags = flags.copy()
    for flag, rows in rows_of.items():
        flags[rows] |= flag
    return flags
