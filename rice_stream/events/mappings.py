"""What names stand for from an instant on: a sender's tenant, model or region names put in order by the operator. Pure.

A mapping holds for events that ended at or after its instant, so an event is mapped the same way whenever it is read; a
tenant's for those without a time of their own from the first midnight (UTC) after it.
Names of models and regions stay as they came and only resolve otherwise; a tenant's name is replaced, because it says
whose the record is. Whom within a tenant an event is charged to, `events.charging` says.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # asking for or setting a mapping needs no columns, and no numpy
    from rice_stream.events.columns import EventColumns

TENANT, MODEL, REGION = "tenant", "model", "region"
TEAM, PROJECT, COST_CENTRE = "team", "project", "cost_centre"
FOR_ALL = (TENANT, MODEL, REGION)
"""Kinds that hold for every tenant."""
WITHIN_TENANT = (TEAM, PROJECT, COST_CENTRE)
"""Kinds that hold within one tenant: what is charged there, to whom."""
KINDS = (*FOR_ALL, *WITHIN_TENANT)
SUBJECTS = ("user", "api_key", "project", "team")
"""What a team, project or cost centre is said for, the most specific first."""


class MappingKey(NamedTuple):
    """What a mapping is of; `tenant_id` and `subject` are empty for what holds for every tenant."""

    kind: str
    name: str
    tenant_id: str = ""
    subject: str = ""


class MappedName(NamedTuple):
    """From `valid_from_us` (epoch microseconds) on `name` stands for `target`; None: for itself again.

    Of the kinds WITHIN_TENANT: what `tenant_id` is charged for under the `subject` (of SUBJECTS) `name` is charged to the team,
    project or cost centre `target`.
    """

    kind: str
    name: str
    target: str | None
    valid_from_us: int
    tenant_id: str = ""
    subject: str = ""

    @property
    def key(self) -> MappingKey:
        """What it is of."""
        return MappingKey(self.kind, self.name, self.tenant_id, self.subject)


class Mappings:
    """All mappings as of one look into the store."""

    def __init__(self, rows: Iterable[MappedName] = ()) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.valid_from_us))
        self._by_name: dict[tuple[str, str], tuple[list[int], list[str | None]]] = {}
        for row in self.rows:
            if row.kind in FOR_ALL:
                starts, targets = self._by_name.setdefault((row.kind, row.name), ([], []))
                starts.append(row.valid_from_us)
                targets.append(row.target)
        self._tenants = frozenset(row.name for row in self.rows if row.kind == TENANT)
        resolving = (row for row in self.rows if row.kind in (MODEL, REGION))
        self.boundaries_us = tuple(sorted({row.valid_from_us for row in resolving}))
        """Instants at which a model's or region's name begins to resolve otherwise."""

    def target(self, kind: str, name: str | None, at_us: int) -> str | None:
        """What the name stands for at an instant; None where it stands for itself."""
        found = self._by_name.get((kind, name)) if name is not None else None
        if found is None:
            return None
        starts, targets = found
        position = bisect_right(starts, at_us)
        return targets[position - 1] if position else None

    def latest(self, key: MappingKey, at_us: int) -> MappedName | None:
        """The mapping of a name that holds at an instant; None: there is none."""
        return next((row for row in reversed(self.rows) if row.key == key and row.valid_from_us <= at_us), None)

    def rename_tenants(self, events: "EventColumns") -> "EventColumns":
        """The events with the tenants that they are charged to."""
        names = events.attributed[0]
        if not self._tenants or self._tenants.isdisjoint(names):
            return events
        times_us = events.key_times_us.tolist()
        renamed = [self.target(TENANT, name, at_us) or name for name, at_us in zip(names, times_us, strict=True)]
        return replace(events, attributed=(renamed, *events.attributed[1:]))


NO_MAPPINGS = Mappings()
