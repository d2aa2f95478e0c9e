"""Reconciliations that were made, as they are answered: what a provider stated of a month, and what nothing explains."""

from collections.abc import Callable
from typing import Any

from rice_stream.errors import NotFoundError
from rice_stream.reports.pages import packed, page, unpacked
from rice_stream.reports.whole_tenants import rows_of_whole_tenants_later
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
    return reconciliation_page_later(engine, scope, month=month, after=after, limit=limit)()


def reconciliation_page_later(
    engine: Engine, scope: Scope, *, month: str | None = None, after: bytes | None = None, limit: int = 100
) -> Callable[[], dict[str, Any]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    wanted: dict[str, Any] = {}
    if month is not None:
        wanted["month = :month"] = {"month": month}
    if after is not None:
        wanted["number < :before"] = {"before": unpacked(after, 1)[0]}
    given = {name: value for parameters in wanted.values() for name, value in parameters.items()}
    rows = rows_of_whole_tenants_later(engine, scope, reconciliation, *wanted, limit=limit + 1, **given)
    told = StoredReconciliation.as_json
    return lambda: page([reconciliation_of(row) for row in rows()], limit, lambda row: packed(row.number), told)


def named_reconciliation(engine: Engine, scope: Scope, reconciliation_id: str) -> dict[str, Any]:
    """One of them. NotFoundError: there is none of this id in the scope."""
    wanted = "reconciliation_id = :reconciliation_id"
    found = rows_of_whole_tenants_later(engine, scope, reconciliation, wanted, reconciliation_id=reconciliation_id)
    for row in found():
        return reconciliation_of(row).as_json()
    raise NotFoundError(f"there is no reconciliation {reconciliation_id!r}")
