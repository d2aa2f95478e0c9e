"""What callers may do: the rights of each role, and which events may be written with a grant."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from rice_stream.events.canonical import WireEvent
from rice_stream.events.unnamed import UNKNOWN_TENANT


class Right(StrEnum):
    """What a route asks for. Every route has one, or is open to anybody."""

    SEND_EVENTS = "send events"
    ESTIMATE = "estimate"
    READ = "read"
    READ_AUDIT = "read the audit trail"
    WRITE = "write"
    MANAGE_TOKENS = "manage tokens"
    MANAGE_FACTORS = "manage factor sets"
    CLOSE_MONTHS = "close months for good"
    ERASE = "erase names"


_READER = frozenset({Right.ESTIMATE, Right.READ})
_EDITOR = _READER | {Right.SEND_EVENTS, Right.WRITE}
RIGHTS = {
    "admin": frozenset(Right),
    "editor": _EDITOR,
    "reader": _READER,
    "auditor": _READER | {Right.READ_AUDIT},
    "ingest": frozenset({Right.SEND_EVENTS, Right.ESTIMATE}),
}
"""Role -> its rights, each for the tenants and teams of whoever has the role."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for some tenants and teams. `tenants` None: every tenant; `teams` empty: every team of these tenants."""

    role: str
    tenants: frozenset[str] | None = None
    teams: frozenset[str] = frozenset()

    def attributed(self, event: WireEvent) -> WireEvent:
        """The event, with the one tenant and the one team that the grant is for where the event names none."""
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


EVERYTHING = Grant("ingest")
"""What RICE_HTTP_TOKEN allows, and loopback where there is no token at all."""
