"""Reconciliations that were made, as they are answered: what a provider stated of a month, and what nothing explains."""

from typing import Any

from sqlalchemy import Select, select

from rice_stream.errors import NotFoundError
from rice_stream.reports.pages import packed, page, unpacked
from rice_stream.reports.whole_tenants import rows_of_whole_tenants
from rice_stream.store.engine import Engine
from rice_stream.store.reconciliation_store import StoredReconciliation, reconciliation_of
from rice_stream.store.schema_periods import reconciliation
from rice_stream.store.scope import Scope


def reconciliation_page(
    engine: Engine, scope: Scope, *, month: str | None = None, after: bytes | None = None, limit: int = 100
) -> dict[str, Any]:
    """Latest first: `{"rows": as of `StoredReconciliation.as_json`, "next"}`, of a month where one is given.

    Nothing for who sees some teams only: what a provider states is the whole tenant's.
    """
    query = select(reconciliation).order_by(reconciliation.c.number.desc()).limit(limit + 1)
    if month is not None:
        query = query.where(reconciliation.c.month == month)
    if after is not None:
        query = query.where(reconciliation.c.number < unpacked(after, 1)[0])
    return page(_found(engine, scope, query), limit, lambda row: packed(row.number), StoredReconciliation.as_json)


def named_reconciliation(engine: Engine, scope: Scope, reconciliation_id: str) -> dict[str, Any]:
    """One of them. NotFoundError: there is none of this id in the scope."""
    query = select(reconciliation).where(reconciliation.c.reconciliation_id == reconciliation_id)
    found = _found(engine, scope, query)
    if not found:
        raise NotFoundError(f"there is no reconciliation {reconciliation_id!r}")
    return found[0].as_json()


def _found(engine: Engine, scope: Scope, query: Select[Any]) -> list[StoredReconciliation]:
    return [reconciliation_of(row) for row in rows_of_whole_tenants(engine, scope, query)]
