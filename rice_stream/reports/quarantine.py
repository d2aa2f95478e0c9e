"""Refused items: listing them, and showing one.

Nobody knows for sure whose a refused item is: only who sees everything sees any.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.reports.pages import PAGE_ROWS, packed, page, unpacked
from rice_stream.store import schema
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def quarantined(
    engine: Engine, scope: Scope, choice: Choice, *, status: str | None = "held", limit: int | None = 100
) -> dict[str, Any]:
    """`{"rows": [...], "total", "by_reason": {...}}`, latest first. `status` None: of every status."""
    if not scope.is_everything:
        return {"rows": [], "total": 0, "by_reason": {}}
    table = schema.quarantine
    conditions = choice.conditions()
    if status is not None:
        conditions.append(table.c.status == status)
    with scoped_reading(engine, scope) as connection:
        rows = connection.execute(select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit))
        listed = [_described(row) for row in rows.mappings()]
        return {"rows": listed, **_counts(connection, conditions)}


def quarantine_page(
    engine: Engine,
    scope: Scope,
    choice: Choice,
    *,
    status: str | None = "held",
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
) -> dict[str, Any]:
    """One page of `quarantined`, latest first: `{"rows", "next", "total", "by_reason"}`, the last two of all pages.

    UsageError: a position of another list.
    """
    if not scope.is_everything:
        return {"rows": [], "next": None, "total": 0, "by_reason": {}}
    table = schema.quarantine
    conditions = choice.conditions()
    if status is not None:
        conditions.append(table.c.status == status)
    query = select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(table.c.id < unpacked(after, 1)[0])
    with scoped_reading(engine, scope) as connection:
        found = connection.execute(query).mappings().all()
        counts = _counts(connection, conditions)
    return {**page(found, limit, lambda row: packed(row["id"]), _described), **counts}


def show(engine: Engine, scope: Scope, quarantine_id: int) -> dict[str, Any]:
    """One row with its redacted payload. NotFoundError: there is none of this id in the scope."""
    table = schema.quarantine
    with scoped_reading(engine, scope) as connection:
        row = connection.execute(select(table).where(table.c.id == quarantine_id)).mappings().first()
    if row is None or not scope.is_everything:
        raise NotFoundError(
            f"there is nothing in quarantine with the id {quarantine_id}; see `rice-stream quarantine list`"
        )
    return {**_described(row), "digest": bytes(row["digest"]).hex(), "payload": row["payload"]}


def dropped(engine: Engine, scope: Scope, ids: Sequence[int], limit: int = 100) -> dict[str, Any]:
    """`{"rows": [...], "dropped": how many}` of the items that were just dropped; the first `limit` of them are listed."""
    if not scope.is_everything:
        return {"rows": [], "dropped": 0}
    table = schema.quarantine
    with scoped_reading(engine, scope) as connection:
        rows = connection.execute(select(table).where(table.c.id.in_(ids[:limit])).order_by(table.c.id))
        return {"rows": [_described(row) for row in rows.mappings()], "dropped": len(ids)}


def _counts(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> dict[str, Any]:
    reason = schema.quarantine.c.reason
    counts = select(reason, func.count()).where(*conditions).group_by(reason).order_by(reason)
    by_reason = {row[0]: row[1] for row in connection.execute(counts)}
    return {"total": sum(by_reason.values()), "by_reason": by_reason}


def _described(row: Any) -> dict[str, Any]:
    resolved_at_us = row["resolved_at_us"]
    return {
        "id": row["id"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "item": row["item"],
        "reason": row["reason"],
        "detail": row["detail"],
        "status": row["status"],
        "received_at": rfc3339(row["received_at_us"]),
        "resolved_at": None if resolved_at_us is None else rfc3339(resolved_at_us),
    }
