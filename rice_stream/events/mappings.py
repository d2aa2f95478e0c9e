"""What names stand for from an instant on: a sender's tenant, model or region names put in order by the operator. Pure.

A mapping holds for events that ended at or after its instant, so an event is mapped the same way whenever it is read; a
tenant's for those without a time of their own from the first midnight (UTC) after it.
Names of models and regions stay as they came and only resolve otherwise; a tenant's name is replaced, because it says
whose the record is.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # asking for or setting a mapping needs no columns, and no numpy
    from rice_stream.events.columns import EventColumns

TENANT, MODEL, REGION = "tenant", "model", "region"
KINDS = (TENANT, MODEL, REGION)


class MappedName(NamedTuple):
    """From `valid_from_us` (epoch microseconds) on `name` stands for `target`; None: for itself again."""

    kind: str
    name: str
    target: str | None
    valid_from_us: int


class Mappings:
    """All mappings as of one look into the store."""

    def __init__(self, rows: Iterable[MappedName] = ()) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.valid_from_us))
        self._by_name: dict[tuple[str, str], tuple[list[int], list[str | None]]] = {}
        for row in self.rows:
            starts, targets = self._by_name.setdefault((row.kind, row.name), ([], []))
            starts.append(row.valid_from_us)
            targets.append(row.target)
        self._tenants = frozenset(row.name for row in self.rows if row.kind == TENANT)
        self.boundaries_us = tuple(sorted({row.valid_from_us for row in self.rows if row.kind != TENANT}))
        """Instants at which a model's or region's name begins to resolve otherwise."""

    def target(self, kind: str, name: str | None, at_us: int) -> str | None:
        """What the name stands for at an instant; None where it stands for itself."""
        found = self._by_name.get((kind, name)) if name is not None else None
        if found is None:
            return None
        starts, targets = found
        position = bisect_right(starts, at_us)
        return targets[position - 1] if position else None

    def rename_tenants(self, events: "EventColumns") -> "EventColumns":
        """The events with the tenants that they are charged to."""
        names = events.attributed[0]
        if not self._tenants or self._tenants.isdisjoint(names):
            return events
        times_us = events.key_times_us.tolist()
        renamed = [self.target(TENANT, name, at_us) or name for name, at_us in zip(names, times_us, strict=True)]
        return replace(events, attributed=(renamed, *events.attributed[1:]))


NO_MAPPINGS = Mappings()
