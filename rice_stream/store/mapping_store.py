"""Mappings in the database."""

from sqlalchemy import Connection, delete, func, insert, select

from rice_stream.errors import UsageError
from rice_stream.events.mappings import TENANT, WITHIN_TENANT, MappedName, Mappings
from rice_stream.instants import rfc3339
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
    rows = connection.execute(select(*(columns[name] for name in MappedName._fields)))
    return Mappings(MappedName(*row) for row in rows)


def save_mapping(connection: Connection, mapping: MappedName, now_us: int, *, recharges: bool = False) -> None:
    """Add it, or put it in the place of one that begins at the same instant.

    `recharges`: what is recorded already is charged otherwise as well, by entries.

    UsageError: a tenant's mapping would begin before events of that tenant that are recorded already: sent again, they
    would count twice, once under each name. Or one within a tenant would have begun before now, and does not recharge what is
    charged already.
    """
    if mapping.kind in (TENANT, *WITHIN_TENANT):
        # Whatever is stored from here on is charged by it.
        lock_rules(connection)
    if mapping.kind == TENANT:
        _check_no_records(connection, mapping)
    elif mapping.kind in WITHIN_TENANT and not recharges and mapping.valid_from_us <= now_us:
        _check_not_charged(connection, mapping)
    table = schema.mapping
    same = [table.c[name] == value for name, value in mapping.key._asdict().items()]
    connection.execute(delete(table).where(*same, table.c.valid_from_us == mapping.valid_from_us))
    connection.execute(insert(table).values(**mapping._asdict(), created_at_us=now_us))


def is_charged_already(connection: Connection, mapping: MappedName) -> bool:
    """Whether something is recorded that a mapping within a tenant would charge otherwise."""
    latest_us = _latest_end_us(connection, mapping.tenant_id)
    return latest_us is not None and latest_us >= mapping.valid_from_us


def _check_not_charged(connection: Connection, mapping: MappedName) -> None:
    if is_charged_already(connection, mapping):
        raise UsageError(
            f"--from {rfc3339(mapping.valid_from_us)}: tenant {mapping.tenant_id!r} has records of events that ended since, and"
            " these are charged already: leave out --from, or say --restate and --reason to charge them otherwise"
        )


def _latest_end_us(connection: Connection, tenant_id: str) -> int | None:
    record, tenant = schema.prompt_record.c, schema.tenant.c
    latest_us: int | None = connection.scalar(
        select(func.max(record.ended_at_us)).where(
            record.tenant_key.in_(select(tenant.tenant_key).where(tenant.tenant_id == tenant_id))
        )
    )
    return latest_us


def _check_no_records(connection: Connection, mapping: MappedName) -> None:
    before = load_mappings(connection).target(TENANT, mapping.name, mapping.valid_from_us) or mapping.name
    latest = _latest_end_us(connection, before)
    if latest is not None and latest >= mapping.valid_from_us:
        raise UsageError(
            f"tenant {before!r} has records of events that ended after the mapping would begin; a tenant is mapped for"
            " events from then on, so leave out --from, or give a later time"
        )
