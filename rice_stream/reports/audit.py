"""The audit trail, latest first: who changed what, from what to what, and when."""

from typing import Any

from sqlalchemy import select, text

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.reports.pages import packed, unpacked
from rice_stream.reports.windows import TimeBound, bounds_us
from rice_stream.store import schema
from rice_stream.store.audit import json_value
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_id_in
from rice_stream.store.scoped import scoped_reading

LIMIT_DEFAULT = 100


def audit_entries(
    engine: Engine,
    scope: Scope,
    *,
    tenant: str | None = None,
    action: str | None = None,
    actor: str | None = None,
    start: TimeBound = None,
    end: TimeBound = None,
    time_zone: str = "UTC",
    before: int | None = None,
    limit: int = LIMIT_DEFAULT,
) -> dict[str, Any]:
    """A page of the entries in the scope: `{"rows": [...], "next"}`, where `next` is the `before` of the page after it, or None.

    Entries of no single tenant are for those alone who see every tenant; entries know no team, so whoever sees some teams
    only sees none. `tenant`, `action` (such as `budget.set`), a part of the `actor`'s name, and the time from `start` up to
    `end` (days are those of `time_zone`) narrow further; `before` is the id of an entry.
    NotFoundError: nothing of that tenant may be seen; UsageError: the time ends before it begins.
    """
    if tenant is not None and not scope.has_tenant(tenant):
        raise NotFoundError(f"--tenant: there is no {tenant!r} that you may see")
    table = schema.audit_entry
    columns = [column for column in table.c if column is not table.c.entry]
    query = select(*columns).order_by(table.c.id.desc()).limit(limit + 1)
    asked = scope.within(tenant)
    query = query.where(text(tenant_id_in(asked, "audit_entry.tenant_id")))
    if asked.teams:
        return {"rows": [], "next": None}
    if action is not None:
        query = query.where(table.c.action == action)
    if actor is not None:
        query = query.where(table.c.actor_name.contains(actor, autoescape=True))
    if start is not None or end is not None:
        from_us, to_us = bounds_us(start, end, time_zone)
        query = query.where(table.c.at_us >= from_us, table.c.at_us < to_us)
    if before is not None:
        query = query.where(table.c.id < before)
    with scoped_reading(engine, scope) as connection:
        found = [_described(row) for row in connection.execute(query, scope_parameters(asked)).mappings()]
    rows = found[:limit]
    return {"rows": rows, "next": rows[-1]["id"] if len(found) > limit else None}


def audit_page(engine: Engine, scope: Scope, *, after: bytes | None = None, **asked: Any) -> dict[str, Any]:
    """The same with positions of pages: `{"rows", "next"}`. UsageError: a position of another list."""
    before = None if after is None else unpacked(after, 1)[0]
    found = audit_entries(engine, scope, before=before, **asked)
    return {**found, "next": None if found["next"] is None else packed(found["next"])}


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
