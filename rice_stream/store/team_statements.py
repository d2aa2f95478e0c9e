"""What has to be known before statements of teams' months are made. Functions are parts of the caller's transaction."""

from sqlalchemy import Connection, select

from rice_stream.store import schema


def time_zones(connection: Connection) -> dict[str, str]:
    """The time zone of every tenant's months."""
    tenant = schema.tenant.c
    return {row[0]: row[1] for row in connection.execute(select(tenant.tenant_id, tenant.time_zone))}


def stated(connection: Connection, month: str, since_us: int) -> set[tuple[int, str]]:
    """The channels, by id, and tenants for which statements of a month have been made since an instant."""
    row = schema.delivery.c
    made = row.created_at_us >= since_us, row.kind == "statement", row.cause.like(f"%:{month}")
    query = select(row.channel_id, row.tenant_id).where(*made).distinct()
    return {(channel_id, tenant_id) for channel_id, tenant_id in connection.execute(query)}
