"""What a token allows: which events it may write."""

from dataclasses import dataclass

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.reading.attribution import UNKNOWN_TENANT

WRITERS_OF_EVENTS = frozenset({"admin", "editor", "ingest"})
"""Roles that may send events; `reader` and `auditor` may not."""


@dataclass(frozen=True, slots=True)
class Rights:
    """`tenants` None: every tenant; `teams` empty: every team of these tenants."""

    role: str
    tenants: frozenset[str] | None = None
    teams: frozenset[str] = frozenset()

    def attributed(self, event: WireEvent) -> WireEvent:
        """The event, with the one tenant and the one team that a token is for where the event names none."""
        if event.tenant_id == UNKNOWN_TENANT and self.tenants is not None and len(self.tenants) == 1:
            event = msgspec.structs.replace(event, tenant_id=next(iter(self.tenants)))
        if event.team_id is None and len(self.teams) == 1:
            event = msgspec.structs.replace(event, team_id=next(iter(self.teams)))
        return event

    def forbidden_field(self, event: WireEvent) -> str | None:
        """`tenant_id` or `team_id`, where the event's is none that may be written; None where it may be."""
        if self.tenants is not None and event.tenant_id not in self.tenants:
            return "tenant_id"
        if self.teams and event.team_id not in self.teams:
            return "team_id"
        return None


EVERYTHING = Rights("ingest")
"""What RICE_HTTP_TOKEN allows, and loopback where there is no token at all."""
