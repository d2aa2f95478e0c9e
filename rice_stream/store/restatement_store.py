"""Restatements: what was asked for, how far each has come, and what it has posted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from rice_stream.canonical_json import canonical_json
from rice_stream.store import schema
from rice_stream.store.audit import Actor
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.event_key_columns import column_key, key_bytes
from rice_stream.store.schema_ledger import CARBON_ENDS

Ends = dict[str, int]
"""Micrograms of CARBON_ENDS."""


@dataclass(frozen=True, slots=True)
class RestatementOrder:
    """What is restated by what: records that ended in [from_us, to_us), of one tenant or (None) of all."""

    from_us: int
    to_us: int
    tenant_id: str | None
    method_version: str
    factor_version: str
    reason: str

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "from_us": self.from_us,
            "to_us": self.to_us,
            "tenant_id": self.tenant_id,
            "method_version": self.method_version,
            "factor_version": self.factor_version,
        }


@dataclass(frozen=True, slots=True)
class RestatementState:
    """A restatement and how far it has come."""

    restatement_id: str
    number: int
    order: RestatementOrder
    state: str = "running"
    at: tuple[int, bytes] | None = None
    """Tenant and key of the last record that is done."""
    records: int = 0
    entries: int = 0
    before: Ends = field(default_factory=lambda: dict.fromkeys(CARBON_ENDS, 0))
    after: Ends = field(default_factory=lambda: dict.fromkeys(CARBON_ENDS, 0))
    by_cause: Mapping[str, int] = field(default_factory=dict)
    """Micrograms (middle) by cause."""


def begin_or_resume(connection: Connection, order: RestatementOrder, by: Actor) -> tuple[RestatementState, bool]:
    """The restatement of this order, and whether it is new.

    One that was cut short goes on; one that is done, with nothing restated since, stays as it is: the same order twice posts
    nothing. After another one it is a new run. Within a transaction of `posting`: one at a time.
    """
    latest = _latest(connection)
    for other in (*([] if latest is None else [latest]), *_unfinished(connection)):
        if other.order.told() == order.told():
            return other, False
    number = 1 if latest is None else latest.number + 1
    made_for = {**order.told(), "number": number}
    restatement_id = hashlib.blake2b(canonical_json(made_for), digest_size=16).hexdigest()
    state = RestatementState(restatement_id, number, order)
    row = {
        "restatement_id": restatement_id,
        "number": number,
        **order.told(),
        "reason": order.reason,
        "author_kind": by.kind,
        "author_name": by.name,
        "started_us": database_now_us(connection),
        **_progress(connection, state),
    }
    connection.execute(insert(schema.restatement), row)
    return state, True


def save_progress(connection: Connection, state: RestatementState) -> None:
    """How far it has come, in the transaction of what it has posted."""
    table = schema.restatement
    values = _progress(connection, state)
    if state.state == "done":
        values["finished_us"] = database_now_us(connection)
    connection.execute(update(table).where(table.c.restatement_id == state.restatement_id).values(values))


def finished(state: RestatementState) -> RestatementState:
    """With nothing left to do."""
    return replace(state, state="done")


def latest_correction(connection: Connection, tenant_key: int) -> int:
    """The key of the latest group of a tenant; 0: there is none. While it is the same, nothing else has been corrected."""
    statement = "SELECT COALESCE(MAX(adjustment_key), 0) FROM adjustment WHERE tenant_key = :tenant_key"
    return int(connection.scalar(text(statement), {"tenant_key": tenant_key}) or 0)


def _latest(connection: Connection) -> RestatementState | None:
    table = schema.restatement
    row = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).mappings().first()
    return None if row is None else _state_of(row)


def _unfinished(connection: Connection) -> list[RestatementState]:
    table = schema.restatement
    rows = connection.execute(select(table).where(table.c.state == "running").order_by(table.c.number)).mappings()
    return [_state_of(row) for row in rows]


def _progress(connection: Connection, state: RestatementState) -> dict[str, Any]:
    tenant_key, event_key = (None, None) if state.at is None else state.at
    return {
        "state": state.state,
        "at_tenant_key": tenant_key,
        "at_event_key": None if event_key is None else column_key(connection.dialect.name, event_key),
        "records": state.records,
        "entries": state.entries,
        **{f"before_{name}": amount for name, amount in state.before.items()},
        **{f"after_{name}": amount for name, amount in state.after.items()},
        "by_cause": canonical_json(dict(state.by_cause)).decode(),
    }


def _state_of(row: Mapping[Any, Any]) -> RestatementState:
    names = ("from_us", "to_us", "tenant_id", "method_version", "factor_version", "reason")
    at = None if row["at_tenant_key"] is None else (row["at_tenant_key"], key_bytes(row["at_event_key"]))
    return RestatementState(
        restatement_id=row["restatement_id"],
        number=row["number"],
        order=RestatementOrder(**{name: row[name] for name in names}),
        state=row["state"],
        at=at,
        records=row["records"],
        entries=row["entries"],
        before={name: int(row[f"before_{name}"]) for name in CARBON_ENDS},
        after={name: int(row[f"after_{name}"]) for name in CARBON_ENDS},
        by_cause=json.loads(row["by_cause"]),
    )
