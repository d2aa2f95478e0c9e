"""Totals of single users, kept only for users with a budget.

In real traffic nearly every event of a batch is another user's, so totals of all users would be as many writes as there
are records (a third of the whole throughput, measured). Everybody else's sums come from the records when asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Select,
    Table,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from rice_stream.budgets.definition import Budget
from rice_stream.instants import SECOND_US
from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import StoreUnavailableError, reading, store_errors, writing
from rice_stream.store.horizon import records_from_us
from rice_stream.store.lock_waits import DDL_LOCK_WAIT_S, limit_lock_waits
from rice_stream.store.record_measures import of_record
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import within
from rice_stream.store.statements import add_totals_sql
from rice_stream.store.totals_tables import USER_SLOTS
from rice_stream.store.trying_again import tried_again

User = tuple[str, str]
"""Tenant and user, as events name them."""
UserKey = tuple[int, int]
"""`tenant_key` and `user_key` of a user."""

_BATCH_TRIES = 30
_TURN_TRIES = 300
_COLUMNS = list(USER_SLOTS.columns)


def watch_user(engine: Engine, tenant_id: str, user_id: str) -> None:
    """Keep totals of this user from now on, and make those of the past from the records. Doing it again is harmless."""
    watch_users(engine, [(tenant_id, user_id)])


def watch_users_of(engine: Engine, budgets: Iterable[Budget]) -> None:
    """Watch the user of every budget that is on one; before the budget is kept, so that it never lacks totals."""
    watch_users(engine, [(budget.tenant_id, budget.user_id) for budget in budgets if budget.user_id is not None])


def watch_users(engine: Engine, users: Iterable[User]) -> None:
    """Watch several users: those that are watched already take no lock, all new ones together take one.

    On PostgreSQL the records of the past are added up beside running workers: commits wait only while the users are
    written down. StoreUnavailableError: not done (or not known to be); safe to repeat, also by another worker.
    """
    wanted = set(users)
    if not wanted:
        return
    # A user's sums are those of all of the user's teams, whoever asks for them.
    engine = within(engine, EVERYTHING)
    with reading(engine) as connection:
        new = sorted(wanted - _watched(connection))
    if not new:
        return
    dimensions = Dimensions(engine)
    tenant_keys = dimensions.tenants(sorted({tenant_id for tenant_id, _ in new}))
    principals = [(tenant_keys[tenant_id], user_id) for tenant_id, user_id in new]
    keys = dimensions.principals("user", principals)
    by_name = {user: (principal[0], keys[principal]) for user, principal in zip(new, principals, strict=True)}
    if engine.dialect.name == "postgresql":
        _watch_beside_batches(engine, by_name)
        return
    with writing(engine) as connection:  # nobody else writes meanwhile
        missing = _missing(connection, by_name)
        if missing:
            _write_down(connection, missing, filled=True)
        for user in missing:
            connection.execute(insert(schema.user_slot_total).from_select(_COLUMNS, _of_records(connection, user)))


def _missing(connection: Connection, by_name: Mapping[User, UserKey]) -> list[UserKey]:
    """Asked again: another worker may have begun with the same file of budgets before it was our turn."""
    watched = _watched(connection)
    return [key for user, key in by_name.items() if user not in watched]


def _watch_beside_batches(engine: Engine, by_name: Mapping[User, UserKey]) -> None:
    """Write the users down and look at the records at one and the same instant; then add up what that look shows.

    From that instant on batches add to the users' totals themselves, so what is added up is what they did not.
    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as past:
        # One at a time: whoever adds up users holds this lock, which is in nobody else's way. It is not a query: what the
        # transaction sees is decided by its first one.
        tried_again(partial(_lock, past, "user_slot_total", "SHARE UPDATE EXCLUSIVE"), _TURN_TRIES)
        for user in _begin_together(engine, past, by_name):
            rows = [tuple(map(int, row)) for row in past.execute(_of_records(past, user))]
            # One transaction each, its rows in the order in which batches lock theirs: neither waits for ever.
            with writing(engine) as connection:
                _add_to_totals(connection, sorted(rows))
                connection.execute(
                    update(schema.watched_user).where(*_is(schema.watched_user, user)).values(filled=True)
                )


def _begin_together(engine: Engine, past: Connection, by_name: Mapping[User, UserKey]) -> list[UserKey]:
    with store_errors("take a change"), engine.connect() as connection:
        # Waits for every batch in flight (each holds ROW SHARE until it commits), and keeps new ones waiting until this
        # commit: a batch is either among the records that `past` sees, or sees that the users are watched.
        tried_again(partial(_lock, connection, "watched_user", "EXCLUSIVE"), _BATCH_TRIES)
        missing = _missing(connection, by_name)
        if missing:
            _write_down(connection, missing, filled=False)
            past.execute(text("SELECT 1"))  # from here on it sees the database as it is now
        connection.commit()
    return missing


def _lock(connection: Connection, table: str, mode: str) -> None:
    """Have the lock, or give way: others want it behind us, and a pooler has few sessions."""
    try:
        with store_errors("take a change"):
            limit_lock_waits(connection, DDL_LOCK_WAIT_S)
            connection.execute(text(f"LOCK TABLE {table} IN {mode} MODE"))
    except StoreUnavailableError:
        connection.rollback()
        raise


def _write_down(connection: Connection, users: Sequence[UserKey], *, filled: bool) -> None:
    """Batches add to the totals of these users from now on. What a try that was cut short has left is begun afresh."""
    for table in (schema.watched_user, schema.user_slot_total):
        for user in users:
            connection.execute(delete(table).where(*_is(table, user)))
    rows = [{"tenant_key": tenant_key, "user_key": user_key, "filled": filled} for tenant_key, user_key in users]
    connection.execute(insert(schema.watched_user), rows)


def _add_to_totals(connection: Connection, rows: Sequence[tuple[int, ...]]) -> None:
    if not rows:
        return
    values = ", ".join(f":{name}" for name in USER_SLOTS.columns)
    statement = text(add_totals_sql(USER_SLOTS, f"VALUES ({values})"))
    connection.execute(statement, [dict(zip(USER_SLOTS.columns, row, strict=True)) for row in rows])


def _is(table: Table, user: UserKey) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.tenant_key == user[0], table.c.user_key == user[1]


def _watched(connection: Connection) -> set[User]:
    """Those whose totals are complete."""
    table, tenant, principal = schema.watched_user, schema.tenant, schema.principal
    named = (principal.c.tenant_key == table.c.tenant_key) & (principal.c.principal_key == table.c.user_key)
    query = (
        select(tenant.c.tenant_id, principal.c.name)
        .select_from(table)
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .join(principal, named)
        .where(table.c.filled)
    )
    return {(tenant_id, user_id) for tenant_id, user_id in connection.execute(query)}


def _of_records(connection: Connection, user: UserKey) -> Select[Any]:
    """The rows of `user_slot_total` that the user's records and what corrects them add up to, in the order of its columns."""
    entries, kept_from_us = schema.adjustment_entry, records_from_us(connection)
    rows = union_all(
        _rows(connection, schema.prompt_record, user, kept_from_us),
        # What corrects a record that has been dropped would be taken off nothing.
        _rows(connection, entries, user, kept_from_us).where(entries.c.counted == 1),
    ).subquery()
    keys = [rows.c[name] for name in USER_SLOTS.key_columns]
    return select(*keys, *(func.coalesce(func.sum(rows.c[name]), 0) for name in MEASURES)).group_by(*keys)


def _rows(connection: Connection, table: Table, user: UserKey, from_us: int) -> Select[Any]:
    seconds = (
        table.c.ended_at_us // SECOND_US
        if connection.dialect.name == "sqlite"
        else func.div(table.c.ended_at_us, SECOND_US).cast(BigInteger)
    )
    slot = (seconds - seconds % USER_SLOTS.bucket_s).label(USER_SLOTS.start)
    keys = [table.c[name] for name in USER_SLOTS.dimensions]
    measures = [
        literal_column(of_record(name, table.name)).label(name) if table is schema.prompt_record else table.c[name]
        for name in MEASURES
    ]
    return select(table.c.tenant_key, slot, *keys, *measures).where(*_is(table, user), table.c.ended_at_us >= from_us)
