"""Whom within its tenant an event is charged to: teams, projects and cost centres that mappings give. Pure.

Of several mappings the one of the most specific subject holds: the user's, else the API key's, else the project's, else the
team's. Of one subject a mapping of the very name holds before one of a beginning (`sk-ads-*`), and a longer beginning before a
shorter one. The project is settled first, from what the event said; then the team, with that project; then the cost centre, with
both. Mappings hold for events that ended at or after their instant, those without a time of their own from midnight (UTC) on.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rice_stream.canonical_json import canonical_json
from rice_stream.events.mappings import COST_CENTRE, PROJECT, SUBJECTS, TEAM, WITHIN_TENANT, MappedName, Mappings

if TYPE_CHECKING:  # as in `events.mappings`
    from rice_stream.events.columns import EventColumns

UNATTRIBUTED = "unattributed"
"""The name of the team or project, in mappings, of what comes without one."""
ANY_END = "*"
"""At the end of a name in a mapping: of every name that begins like it, and not of what has none."""


class Said(NamedTuple):
    """What an event says of who used it; empty text: nothing."""

    team: str
    project: str
    user: str
    api_key: str


class ChargedTo(NamedTuple):
    """Whom it is charged to within its tenant; empty text: nobody."""

    team: str
    project: str
    cost_centre: str = ""


class Charging:
    """The mappings within tenants, as of one look into the store."""

    def __init__(self, mappings: Mappings) -> None:
        self._found: dict[tuple[str, str, str, str], tuple[list[int], list[str | None]]] = {}
        rows = self._rows = [row for row in mappings.rows if row.kind in WITHIN_TENANT]
        for row in rows:  # in the order of their instants
            key = row.tenant_id, row.kind, row.subject, row.name
            starts, targets = self._found.setdefault(key, ([], []))
            starts.append(row.valid_from_us)
            targets.append(row.target)
        self._beginnings: dict[tuple[str, str, str], list[str]] = {}
        for tenant_id, kind, subject, name in self._found:
            if name.endswith(ANY_END):
                self._beginnings.setdefault((tenant_id, kind, subject), []).append(name.removesuffix(ANY_END))
        for beginnings in self._beginnings.values():
            beginnings.sort(key=len, reverse=True)
        self.tenants = frozenset(row.tenant_id for row in rows)
        """Those that have any."""
        self.boundaries_us = tuple(sorted({row.valid_from_us for row in rows}))
        """Instants at which somebody begins to be charged otherwise."""

    @property
    def version(self) -> str:
        """What they say, as one digest in hexadecimal."""
        return hashlib.blake2b(
            canonical_json([list(row) for row in sorted(self._rows, key=_order)]), digest_size=16
        ).hexdigest()

    def charged(self, tenant_id: str, said: Said, at_us: int) -> ChargedTo:
        """Whom an event that ended at an instant is charged to."""
        names = {"user": said.user, "api_key": said.api_key, "project": said.project, "team": said.team}
        project = self._given(tenant_id, PROJECT, names, at_us) or said.project
        names["project"] = project
        team = self._given(tenant_id, TEAM, names, at_us) or said.team
        names["team"] = team
        return ChargedTo(team, project, self._given(tenant_id, COST_CENTRE, names, at_us) or "")

    def charge(self, events: "EventColumns") -> "EventColumns":
        """The events with whom they are charged to; as they are where no tenant of theirs has mappings."""
        tenants, teams, projects, _ = events.attributed
        if not self.tenants or self.tenants.isdisjoint(tenants):
            return events
        times_us = events.key_times_us.tolist()
        known: dict[tuple[str | None, Said, int], ChargedTo] = {}
        charged: list[ChargedTo] = []
        rows = zip(tenants, teams, projects, events.user_id, events.api_key_id, times_us, strict=True)
        for tenant, team, project, user, api_key, at_us in rows:
            said = Said(team or "", project or "", user or "", api_key or "")
            if tenant not in self.tenants:
                charged.append(ChargedTo(said.team, said.project))
                continue
            question = tenant, said, bisect_right(self.boundaries_us, at_us)
            if (found := known.get(question)) is None:
                found = known[question] = self.charged(tenant or "", said, at_us)
            charged.append(found)
        columns: Sequence[Sequence[str]] = list(zip(*charged, strict=True))
        return replace(events, charged=tuple(columns))

    def _given(self, tenant_id: str, kind: str, names: dict[str, str], at_us: int) -> str | None:
        for subject in SUBJECTS:
            for name in self._names(tenant_id, kind, subject, names[subject]):
                found = self._found.get((tenant_id, kind, subject, name))
                if found is not None and (position := bisect_right(found[0], at_us)):
                    target = found[1][position - 1]
                    if target is not None:
                        return target
        return None

    def _names(self, tenant_id: str, kind: str, subject: str, name: str) -> Iterator[str]:
        """Names in mappings that are of what an event says, the one that holds first of all."""
        if name:
            yield name
            for beginning in self._beginnings.get((tenant_id, kind, subject), ()):
                if name.startswith(beginning):
                    yield f"{beginning}{ANY_END}"
        elif subject in (PROJECT, TEAM):
            yield UNATTRIBUTED


NO_CHARGING = Charging(Mappings())


def _order(row: MappedName) -> tuple[str, ...]:
    return (*row.key, str(row.valid_from_us))
