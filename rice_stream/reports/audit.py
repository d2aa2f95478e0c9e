"""The audit trail, latest first: who changed what, from what to what, and when."""

from typing import Any

from sqlalchemy import select

from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.audit import json_value
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

LIMIT_DEFAULT = 100


def audit_entries(
    engine: Engine,
    scope: Scope,
    *,
    tenant: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = LIMIT_DEFAULT,
) -> dict[str, Any]:
    """A page of the entries in the scope: `{"rows": [...], "next"}`, where `next` is the `before` of the page after it, or None.

    Entries of no single tenant are for those alone who see every tenant; entries know no team, so whoever sees some teams
    only sees none. `tenant` and `action` (such as `budget.set`) narrow further; `before` is the id of an entry.
    """
    table = schema.audit_entry
    columns = [column for column in table.c if column is not table.c.entry]
    query = select(*columns).order_by(table.c.id.desc()).limit(limit + 1)
    asked = scope.within(tenant)
    if asked.tenants is not None:
        query = query.where(table.c.tenant_id.in_(sorted(asked.tenants)))
    if asked.teams:
        return {"rows": [], "next": None}
    if action is not None:
        query = query.where(table.c.action == action)
    if before is not None:
        query = query.where(table.c.id < before)
    with scoped_reading(engine, scope) as connection:
        found = [_described(row) for row in connection.execute(query).mappings()]
    rows = found[:limit]
    return {"rows": rows, "next": rows[-1]["id"] if len(found) > limit else None}


def _described(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": rfc3339(row["at_us"]),
        "actor": {"kind": row["actor_kind"], "name": row["actor_name"], "token_id": row["token_id"]},
        "tenant_id": row["tenant_id"],
        "action": row["action"],
        "subject": {"kind": row["subject_kind"], "id": row["subject_id"]},
        "before": json_value(row["before"]),
        "after": json_value(row["after"]),
        "request_id": row["request_id"],
    }
