"""The audit trail: who changed what, from what to what, and when. It is added to, and never changed.

An entry is written in the transaction of its change, so that there is none without the other. Entries are numbered
without gaps in the order in which they are committed; for that, one transaction at a time adds to the trail, from its first
entry to its end. So `record` is the last thing that a transaction does. Secrets are no part of an entry: not a token, nor its
digest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select

from rice_stream.canonical_json import INTEGER_MAX, canonical_json
from rice_stream.store import schema
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.scoped import see_everything

ActorKind = Literal["token", "session", "command line", "worker"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the bearer of a token, somebody who is signed in, whoever runs a command, or a worker."""

    kind: ActorKind
    name: str
    token_id: int | None = None
    request_id: str | None = None
    """What the caller knows the request by, such as its Idempotency-Key."""

    def __str__(self) -> str:
        """Names of tokens say that they are tokens."""
        return self.name if self.kind == "token" else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """What is changed: `action` such as `budget.set`, on the subject of this kind and id.

    `before` and `after` are JSON: None for what was not there, or is not there any more. `tenant_id` is the one tenant whose
    it is; None: the change concerns several, or the organisation.
    """

    action: str
    subject_kind: str
    subject_id: str
    tenant_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


def record(connection: Connection, by: Actor, changes: Sequence[AuditedChange]) -> None:
    """Add the changes to the trail, in their order, within the transaction that makes them and at its end.

    ValueError: a value has no canonical JSON.
    """
    if not changes:
        return
    wait_for_turn(connection)
    table = schema.audit_entry
    at_us = database_now_us(connection)
    last_id: int = connection.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0
    rows = [_row(last_id + number, at_us, by, change) for number, change in enumerate(changes, start=1)]
    connection.execute(insert(table), rows)


def record_seldom(connection: Connection, by: Actor, change: AuditedChange, *, within_us: int) -> bool:
    """Add what happens again and again: not where the same action on the same subject was added within that time before.

    Returns whether it was added.
    """
    wait_for_turn(connection)
    columns = schema.audit_entry.c
    same = (columns.action == change.action) & (columns.subject_id == change.subject_id)
    recent = (
        select(columns.id)
        .where(same, columns.subject_kind == change.subject_kind)
        .where(columns.at_us > database_now_us(connection) - within_us)
        .limit(1)
    )
    if connection.scalar(recent) is not None:
        return False
    record(connection, by, [change])
    return True


def entry_bytes(row: Mapping[str, Any]) -> bytes:
    """The canonical bytes of an entry (RFC 8785) made of its columns: what `entry` holds, and what a proof is made of."""
    return canonical_json(
        {
            "id": row["id"],
            "at_us": row["at_us"],
            "actor": {"kind": row["actor_kind"], "name": row["actor_name"]},
            "token_id": row["token_id"],
            "tenant_id": row["tenant_id"],
            "action": row["action"],
            "subject": {"kind": row["subject_kind"], "id": row["subject_id"]},
            "before": json_value(row["before"]),
            "after": json_value(row["after"]),
            "request_id": row["request_id"],
        }
    )


def json_value(text: str | None) -> Any:
    """What `before` or `after` holds."""
    return None if text is None else json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    """Larger ones were doubles when they were written."""
    number = int(digits)
    return number if abs(number) <= INTEGER_MAX else float(digits)


def _row(entry_id: int, at_us: int, by: Actor, change: AuditedChange) -> dict[str, Any]:
    row = {
        "id": entry_id,
        "at_us": at_us,
        "actor_kind": by.kind,
        "actor_name": by.name,
        "token_id": by.token_id,
        "tenant_id": change.tenant_id,
        "action": change.action,
        "subject_kind": change.subject_kind,
        "subject_id": change.subject_id,
        "before": _json_text(change.before),
        "after": _json_text(change.after),
        "request_id": by.request_id,
    }
    return {**row, "entry": entry_bytes(row)}


def _json_text(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else canonical_json(value).decode()


def wait_for_turn(connection: Connection) -> None:
    """Nobody else adds to the trail until the transaction ends, and all of the trail is seen: numbers go on over all tenants.

    On SQLite every writing transaction is alone.
    """
    see_everything(connection)
    if connection.dialect.name == "postgresql":
        hold(connection, AdvisoryLock.ADD_TO_AUDIT_TRAIL)
