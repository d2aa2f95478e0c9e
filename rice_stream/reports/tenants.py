"""Tenants and the time zone of their days and months."""

from sqlalchemy import select, text

from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters
from rice_stream.store.scoped import scoped_reading


def tenants(engine: Engine, scope: Scope, *, only: str | None = None) -> list[dict[str, str]]:
    """All tenants seen or set, or the one of this id, by id: `[{"tenant_id", "time_zone"}]`.

    Who sees some teams only sees the tenants that have charged one of them.
    """
    columns = schema.tenant.c
    query = select(columns.tenant_id, columns.time_zone).order_by(columns.tenant_id)
    seen = scope.within(only)
    query = query.where(text(has_any_of(seen, "tenant")))
    with scoped_reading(engine, scope) as connection:
        found = connection.execute(query, scope_parameters(seen))
        return [{"tenant_id": row.tenant_id, "time_zone": row.time_zone} for row in found]
