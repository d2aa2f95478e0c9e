"""Which tables hold when: the built-in ones with the factor sets that have begun by an instant laid over them. Pure."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rice_stream.instants import BEGINNING_US, END_US
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sets.columns import LAID_KINDS
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.laying import check_names, laid
from rice_stream.reference.sets.parsing import parse_content

_VERSION_DIGITS = 12
_KEPT_MAX = 16
"""Combinations of sets whose tables are kept at hand (2.5 MB each)."""


class EffectiveSet(NamedTuple):
    """A set, and from which instant on (epoch microseconds) events are estimated with it."""

    effective_from_us: int
    factor_set: FactorSet

    @property
    def order(self) -> tuple[int, str]:
        """Sets are laid in this order, the later over the earlier, whatever the order in which they were added."""
        return self.effective_from_us, self.factor_set.digest


StoredSets = Iterable[tuple[int, bytes]]
"""From which instant on, and the canonical content, of each set."""


def effective_sets(stored: StoredSets) -> list[EffectiveSet]:
    """Sets as they are stored. ReferenceDataError: another release wrote one that this one cannot read."""
    return [EffectiveSet(start_us, parse_content(content)) for start_us, content in stored]


class ReferenceHistory:
    """The tables of every instant. The answer depends on the sets alone, not on the order in which they were added."""

    def __init__(self, built_in: Reference, sets: Iterable[EffectiveSet]) -> None:
        self._built_in = built_in
        self._sets = sorted((one for one in sets if one.factor_set.kind in LAID_KINDS), key=lambda one: one.order)
        self._starts_us = [one.effective_from_us for one in self._sets]
        self._made: dict[tuple[str, ...], Reference] = {}
        self.boundaries_us: tuple[int, ...] = tuple(
            sorted({*built_in.boundaries_us, *self._starts_us, *_row_edges_us(self._sets)})
        )
        """Between two neighbours nothing changes, unless `hourly`."""
        self.hourly = any(row.hours for one in self._sets for row in one.factor_set.rows)
        """Whether some value changes by the hour."""

    @property
    def editions(self) -> list[tuple[int, str]]:
        """From which instant on each set holds, and its digest, in the order in which they are laid."""
        return [(one.effective_from_us, one.factor_set.digest) for one in self._sets]

    def in_force(self, at_us: int) -> tuple[FactorSet, ...]:
        """The sets that an event that ended at an instant is estimated with, in the order in which they are laid.

        Of each kind and name the edition that began last; one without rows ends the name.
        """
        latest: dict[tuple[str, str], EffectiveSet] = {}
        for one in self._sets[: bisect_right(self._starts_us, at_us)]:
            latest[one.factor_set.kind, one.factor_set.name] = one
        return tuple(
            one.factor_set for one in sorted(latest.values(), key=lambda one: one.order) if one.factor_set.rows
        )

    def sets_of(self, version: str) -> tuple[FactorSet, ...] | None:
        """The sets that the tables of a version have over them; None: there is no instant at which that version held."""
        built_in = self._built_in.version
        for at_us in (*self._starts_us, *self.boundaries_us):
            sets = self.in_force(at_us)
            if version_with(built_in, tuple(one.digest for one in sets)) == version:
                return sets
        return () if version == built_in else None

    def at(self, at_us: int) -> Reference:
        """The tables as of an instant."""
        return self._with(self.in_force(at_us))

    def _with(self, sets: Sequence[FactorSet]) -> Reference:
        digests = tuple(one.digest for one in sets)
        if not digests:
            return self._built_in
        made = self._made.get(digests)
        if made is None:
            if len(self._made) >= _KEPT_MAX:
                self._made.clear()
            made = self._made[digests] = with_sets(self._built_in, sets)
        return made


def with_sets(built_in: Reference, sets: Sequence[FactorSet]) -> Reference:
    """The tables with the sets over them, the last one on top, whenever they begin. ReferenceDataError: they do not fit."""
    digests = tuple(one.digest for one in sets)
    for one in sets:
        # Those of another release may have known more; without its rows the set would not be what it says.
        check_names(one, built_in.tables)
    return Reference(laid(built_in.tables, sets), version_with(built_in.version, digests), digests)


def version_with(version: str, digests: Sequence[str]) -> str:
    """The version of tables with sets over them: that of the tables alone, `+`, and 12 digits over the sets' digests.

    With one set these are its digest's first.
    """
    if not digests:
        return version
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
    return f"{version}+{whole[:_VERSION_DIGITS]}"


def _row_edges_us(sets: Sequence[EffectiveSet]) -> Iterator[int]:
    for one in sets:
        for row in one.factor_set.rows:
            yield from (edge for edge in (row.valid_from_us, row.valid_to_us) if edge not in (BEGINNING_US, END_US))
