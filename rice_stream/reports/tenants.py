"""Tenants and the time zone of their days and months."""

from sqlalchemy import select

from rice_stream.store import schema
from rice_stream.store.engine import Engine, reading


def tenants(engine: Engine, *, only: str | None = None) -> list[dict[str, str]]:
    """All tenants seen or set, or the one of this id, by id: `[{"tenant_id", "time_zone"}]`."""
    columns = schema.tenant.c
    query = select(columns.tenant_id, columns.time_zone).order_by(columns.tenant_id)
    if only is not None:
        query = query.where(columns.tenant_id == only)
    with reading(engine) as connection:
        return [{"tenant_id": row.tenant_id, "time_zone": row.time_zone} for row in connection.execute(query)]
