"""Tenants and the time zone of their days and months."""

from collections.abc import Callable, Sequence
from typing import Any

from rice_stream.errors import NotFoundError
from rice_stream.reports.pages import PAGE_ROWS, not_a_position, page
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters
from rice_stream.store.scoped import scoped_reading


def tenants(engine: Engine, scope: Scope, *, only: str | None = None) -> list[dict[str, str]]:
    """All tenants seen or set, or the one of this id, by id: `[{"tenant_id", "time_zone"}]`.

    Who sees some teams only sees the tenants that have charged one of them.
    """
    return [_described(row) for row in _rows_later(engine, scope, only)()]


def named_tenant(engine: Engine, scope: Scope, tenant_id: str) -> dict[str, str]:
    """The one tenant of this id. NotFoundError: there is none in the scope."""
    return named_tenant_later(engine, scope, tenant_id)()


def named_tenant_later(engine: Engine, scope: Scope, tenant_id: str) -> Callable[[], dict[str, str]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    rows = _rows_later(engine, scope, tenant_id)

    def told() -> dict[str, str]:
        for row in rows():
            return _described(row)
        raise NotFoundError(f"there is no tenant {tenant_id!r}; see `rice-stream tenant list`")

    return told


def tenant_page(engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = PAGE_ROWS) -> dict[str, Any]:
    """One page of `tenants`: `{"rows", "next"}`. UsageError: a position of another list."""
    try:
        last = None if after is None else after.decode()
    except UnicodeDecodeError as error:
        raise not_a_position() from error
    found = _rows_later(engine, scope, after=last, limit=limit + 1)()
    return page(found, limit, lambda row: str(row[0]).encode(), _described)


def _rows_later(
    engine: Engine, scope: Scope, only: str | None = None, *, after: str | None = None, limit: int | None = None
) -> Callable[[], Sequence[Any]]:
    seen = scope.within(only)
    beyond = "" if after is None else " AND t.tenant_id > :after"
    first = "" if limit is None else f" LIMIT {limit:d}"
    asked = (
        f"SELECT t.tenant_id, t.time_zone FROM tenant t WHERE {has_any_of(seen)}{beyond} ORDER BY t.tenant_id{first}"
    )
    parameters = {**scope_parameters(seen), **({} if after is None else {"after": after})}
    with scoped_reading(engine, scope) as connection:
        return rows_later(connection, statement(asked), parameters)


def _described(row: Any) -> dict[str, str]:
    tenant_id, time_zone = row
    return {"tenant_id": tenant_id, "time_zone": time_zone}
