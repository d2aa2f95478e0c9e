"""Tenants and the time zone of their days and months."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text

from rice_stream.errors import NotFoundError
from rice_stream.reports.pages import PAGE_ROWS, not_a_position, page
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters
from rice_stream.store.scoped import scoped_reading


def tenants(engine: Engine, scope: Scope, *, only: str | None = None) -> list[dict[str, str]]:
    """All tenants seen or set, or the one of this id, by id: `[{"tenant_id", "time_zone"}]`.

    Who sees some teams only sees the tenants that have charged one of them.
    """
    return [_described(row) for row in _rows(engine, scope, only)]


def named_tenant(engine: Engine, scope: Scope, tenant_id: str) -> dict[str, str]:
    """The one tenant of this id. NotFoundError: there is none in the scope."""
    found = tenants(engine, scope, only=tenant_id)
    if not found:
        raise NotFoundError(f"there is no tenant {tenant_id!r}; see `rice-stream tenant list`")
    return found[0]


def tenant_page(engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = PAGE_ROWS) -> dict[str, Any]:
    """One page of `tenants`: `{"rows", "next"}`. UsageError: a position of another list."""
    try:
        last = None if after is None else after.decode()
    except UnicodeDecodeError as error:
        raise not_a_position() from error
    found = _rows(engine, scope, after=last, limit=limit + 1)
    return page(found, limit, lambda row: str(row.tenant_id).encode(), _described)


def _rows(
    engine: Engine, scope: Scope, only: str | None = None, *, after: str | None = None, limit: int | None = None
) -> Sequence[Any]:
    columns, seen = schema.tenant.c, scope.within(only)
    query = select(columns.tenant_id, columns.time_zone).where(text(has_any_of(seen, "tenant")))
    if after is not None:
        query = query.where(columns.tenant_id > after)
    with scoped_reading(engine, scope) as connection:
        return connection.execute(query.order_by(columns.tenant_id).limit(limit), scope_parameters(seen)).all()


def _described(row: Any) -> dict[str, str]:
    return {"tenant_id": row.tenant_id, "time_zone": row.time_zone}
