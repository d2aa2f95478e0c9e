"""Mappings in the database."""

from sqlalchemy import Connection, delete, func, insert, select

from rice_stream.errors import UsageError
from rice_stream.events.mappings import TENANT, MappedName, Mappings
from rice_stream.store import schema
from rice_stream.store.rules_lock import lock_rules

REFRESH_US = 5_000_000
"""How old a worker's knowledge of the mappings may be."""
LEAD_US = 2 * REFRESH_US
"""A new mapping begins this much later than now: by then every worker knows of it, so none stores an event of that
time under the old name, which another would store under the new one."""


def load_mappings(connection: Connection) -> Mappings:
    """All mappings."""
    columns = schema.mapping.c
    rows = connection.execute(select(columns.kind, columns.name, columns.target, columns.valid_from_us))
    return Mappings(MappedName(*row) for row in rows)


def save_mapping(connection: Connection, mapping: MappedName, now_us: int) -> None:
    """Add it, or put it in the place of one that begins at the same instant.

    UsageError: a tenant's mapping would begin before events of that tenant that are recorded already: sent again, they
    would count twice, once under each name.
    """
    if mapping.kind == TENANT:
        lock_rules(connection)
        _check_no_records(connection, mapping)
    table = schema.mapping
    same = (table.c.kind == mapping.kind) & (table.c.name == mapping.name)
    connection.execute(delete(table).where(same, table.c.valid_from_us == mapping.valid_from_us))
    connection.execute(insert(table).values(**mapping._asdict(), created_at_us=now_us))


def _check_no_records(connection: Connection, mapping: MappedName) -> None:
    record, tenant = schema.prompt_record.c, schema.tenant.c
    before = load_mappings(connection).target(TENANT, mapping.name, mapping.valid_from_us) or mapping.name
    latest = connection.scalar(
        select(func.max(record.ended_at_us)).where(
            record.tenant_key.in_(select(tenant.tenant_key).where(tenant.tenant_id == before))
        )
    )
    if latest is not None and latest >= mapping.valid_from_us:
        raise UsageError(
            f"tenant {before!r} has records of events that ended after the mapping would begin; a tenant is mapped for"
            " events from then on, so leave out --from, or give a later time"
        )
