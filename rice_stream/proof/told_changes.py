"""What the audit trail tells of changes, for what is held against it. Whether entries themselves are as they were written, is asked
by `audit_verification`: what cannot be read of one is told there, and is nothing here."""

from collections.abc import Mapping
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from rice_stream.store import schema
from rice_stream.store.audit_erasing import ERASED

Told = Mapping[str, Any]
_FIRST = "0016"
"""The revision of the schema that brought the trail."""


class ToldChange(NamedTuple):
    """An entry of the trail."""

    id: int
    at_us: int
    action: str
    subject_id: str
    tenant_id: str | None
    actor_kind: str
    actor_name: str
    before: Told
    after: Told
    is_erased: bool
    """Names were erased from it since: of what it said, only that it was is known."""

    @property
    def actor(self) -> str:
        """As rows name who made a change in one column."""
        return self.actor_name if self.actor_kind == "token" else f"{self.actor_kind} {self.actor_name}"


def told_changes(connection: Connection, *actions: str) -> list[ToldChange]:
    """Those of these actions, in the order in which they were made."""
    entry = schema.audit_entry.c
    columns = [entry[name] for name in ToldChange._fields if name != "is_erased"]
    query = select(*columns, entry.erased_leaf).where(entry.action.in_(actions)).order_by(entry.id)
    return [
        ToldChange(*row[:7], _said(row.before), _said(row.after), row.erased_leaf is not None)
        for row in connection.execute(query)
    ]


def erased_names(connection: Connection) -> frozenset[str]:
    """What stands for names that were erased."""
    return frozenset(each.subject_id for each in told_changes(connection, ERASED))


def has_erased(value: Any, erased: frozenset[str]) -> bool:
    """Whether a name was erased from a text: the trail may have it as it was, or otherwise."""
    return isinstance(value, str) and any(name in value for name in erased)


def begun_us(connection: Connection) -> int:
    """From when on the trail tells of everything (epoch microseconds): an upgrade from before there was one is its first entry."""
    upgrades = told_changes(connection, "schema.migrate")
    return max((each.at_us for each in upgrades if (each.before.get("revision") or _FIRST) < _FIRST), default=0)


def _said(text: str | None) -> Told:
    try:
        found = loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
