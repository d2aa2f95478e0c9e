"""Totals of single users, kept only for users with a budget.

In real traffic nearly every event of a batch is another user's, so totals of all users would be as many writes as there
are records (a third of the whole throughput, measured). Everybody else's sums come from the records when asked for.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, Engine, func, insert, select, text
from sqlalchemy.sql.dml import Insert

from rice_stream.budgets.definition import Budget
from rice_stream.instants import SECOND_US
from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import reading, writing
from rice_stream.store.totals_tables import USER_SLOTS

User = tuple[str, str]
"""Tenant and user, as events name them."""


def watch_user(engine: Engine, tenant_id: str, user_id: str) -> None:
    """Keep totals of this user from now on, and make those of the past from the records. Doing it again is harmless."""
    watch_users(engine, [(tenant_id, user_id)])


def watch_users_of(engine: Engine, budgets: Iterable[Budget]) -> None:
    """Watch the user of every budget that is on one; before the budget is kept, so that it never lacks totals."""
    watch_users(engine, [(budget.tenant_id, budget.user_id) for budget in budgets if budget.user_id is not None])


def watch_users(engine: Engine, users: Iterable[User]) -> None:
    """Watch several users: those that are watched already take no lock, all new ones together take one."""
    wanted = set(users)
    if not wanted:
        return
    with reading(engine) as connection:
        new = sorted(wanted - _watched(connection))
    if not new:
        return
    dimensions = Dimensions(engine)
    tenant_keys = dimensions.tenants(sorted({tenant_id for tenant_id, _ in new}))
    principals = [(tenant_keys[tenant_id], user_id) for tenant_id, user_id in new]
    keys = dimensions.principals("user", principals)
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            # Waits for every batch in flight (each holds ROW SHARE until it commits), and keeps new ones waiting until
            # this commit: a batch is either among the records added up here, or sees that the user is watched.
            connection.execute(text("LOCK TABLE watched_user IN EXCLUSIVE MODE"))
        # Asked again: another worker may have begun with the same file of budgets before this one had the lock.
        watched = _watched(connection)
        for user, principal in zip(new, principals, strict=True):
            if user not in watched:
                tenant_key, user_key = principal[0], keys[principal]
                connection.execute(insert(schema.watched_user).values(tenant_key=tenant_key, user_key=user_key))
                connection.execute(_totals_from_records(connection.dialect.name, tenant_key, user_key))


def _watched(connection: Connection) -> set[User]:
    table, tenant, principal = schema.watched_user, schema.tenant, schema.principal
    named = (principal.c.tenant_key == table.c.tenant_key) & (principal.c.principal_key == table.c.user_key)
    query = (
        select(tenant.c.tenant_id, principal.c.name)
        .select_from(table)
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .join(principal, named)
    )
    return {(tenant_id, user_id) for tenant_id, user_id in connection.execute(query)}


def _totals_from_records(dialect: str, tenant_key: int, user_key: int) -> Insert:
    records, totals = schema.prompt_record, schema.user_slot_total
    seconds = (
        records.c.ended_at_us // SECOND_US
        if dialect == "sqlite"
        else func.div(records.c.ended_at_us, SECOND_US).cast(BigInteger)
    )
    slot = (seconds - seconds % USER_SLOTS.bucket_s).label(USER_SLOTS.start)
    keys = [records.c[name] for name in USER_SLOTS.dimensions]
    sums = [func.count()] + [func.coalesce(func.sum(records.c[name]), 0) for name in MEASURES[1:]]
    query = (
        select(records.c.tenant_key, slot, *keys, *sums)
        .where(records.c.tenant_key == tenant_key, records.c.user_key == user_key)
        .group_by(records.c.tenant_key, slot, *keys)
    )
    return insert(totals).from_select(list(USER_SLOTS.columns), query)
