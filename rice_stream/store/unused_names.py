"""Names of users and API keys go when no record holds them any more, in the database or in the archive.

A worker keeps keys at hand for a day (`pipeline/names.py`), so a name goes in two steps: it is marked, and two days later
it goes if it still is. Whoever looks a marked name up takes the mark off (`Dimensions.principals`), and a key is never
given to another name: the highest of each tenant stays.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, Engine, delete, text, update

from rice_stream.instants import DAY_US
from rice_stream.store import schema
from rice_stream.store.archive.kept import named_principals
from rice_stream.store.dimensions import lock_keys
from rice_stream.store.engine import reading, writing
from rice_stream.store.retention_state import changing_state, retention_state, save_state

MARKED_FOR_US = 2 * DAY_US
_KEYS_AT_ONCE = 5_000

_OF_CONFLICT = {
    "postgresql": "CAST(CAST(detail AS json) ->> '{}' AS INTEGER)",
    "sqlite": "CAST(json_extract(detail, '$.{}') AS INTEGER)",
}


def forget_unused_names(engine: Engine, now_us: int) -> int:
    """Take what was marked two days ago and is still unused; mark what is unused since records were last dropped.

    Users with a budget, and those that a contradiction names, stay. Returns how many names went.
    """
    with reading(engine) as connection:
        state = retention_state(connection)
        marked = connection.execute(
            text("SELECT MIN(unused_since_us) FROM principal WHERE unused_since_us IS NOT NULL")
        ).scalar()
    forgotten = 0
    if marked is not None and marked <= now_us - MARKED_FOR_US:
        forgotten = _forget(engine, now_us - MARKED_FOR_US)
    if state.records_from_us > state.names_from_us:
        with reading(engine) as connection:
            unused = _unused(connection, "unused_since_us IS NULL")
        _mark(engine, unused, now_us)
        with changing_state(engine) as connection:
            save_state(connection, names_from_us=state.records_from_us)
    return forgotten


def _forget(engine: Engine, before_us: int) -> int:
    with reading(engine) as connection:
        unused = _unused(connection, "unused_since_us <= :before", before=before_us)
    forgotten = 0
    table = schema.principal
    for tenant_key, keys in _in_parts(unused):
        same = (table.c.tenant_key == tenant_key) & table.c.principal_key.in_(keys)
        with writing(engine) as connection:
            lock_keys(connection)
            forgotten += connection.execute(delete(table).where(same, table.c.unused_since_us <= before_us)).rowcount
    with writing(engine) as connection:
        lock_keys(connection)
        # The others have been used since.
        connection.execute(update(table).where(table.c.unused_since_us <= before_us).values(unused_since_us=None))
    return forgotten


def _mark(engine: Engine, unused: list[tuple[int, int]], now_us: int) -> None:
    table = schema.principal
    for tenant_key, keys in _in_parts(unused):
        same = (table.c.tenant_key == tenant_key) & table.c.principal_key.in_(keys)
        with writing(engine) as connection:
            lock_keys(connection)
            connection.execute(update(table).where(same).values(unused_since_us=now_us))


def _in_parts(keys: list[tuple[int, int]]) -> Iterable[tuple[int, list[int]]]:
    for tenant_key, of_tenant in groupby(sorted(keys), itemgetter(0)):
        numbers = [key for _, key in of_tenant]
        for first in range(0, len(numbers), _KEYS_AT_ONCE):
            yield tenant_key, numbers[first : first + _KEYS_AT_ONCE]


def _unused(connection: Connection, condition: str, **parameters: int) -> list[tuple[int, int]]:
    """(tenant_key, principal_key) of the names that fulfil a condition and that nothing refers to."""
    of_conflict = _OF_CONFLICT[connection.dialect.name]
    references = [
        "SELECT tenant_key, user_key FROM prompt_record WHERE user_key IS NOT NULL",
        "SELECT tenant_key, api_key_key FROM prompt_record WHERE api_key_key IS NOT NULL",
        "SELECT tenant_key, user_key FROM adjustment_entry WHERE user_key IS NOT NULL",
        "SELECT tenant_key, user_key FROM watched_user",
        "SELECT tenant_key, user_key FROM user_slot_total",
        *(f"SELECT tenant_key, {of_conflict.format(name)} FROM conflict" for name in ("user_key", "api_key_key")),
        "SELECT tenant_key, MAX(principal_key) FROM principal GROUP BY tenant_key",
        # Whoever has been erased is recognised by these (`erased_names.py`).
        "SELECT tenant_key, principal_key FROM principal WHERE name LIKE 'erased-%'",
    ]
    statement = f"SELECT tenant_key, principal_key FROM principal WHERE {condition}"
    rows = connection.execute(text(" EXCEPT ".join([statement, *references])), parameters).all()
    archived = named_principals(connection) if rows else set()
    return [
        (tenant_key, principal_key) for tenant_key, principal_key in rows if (tenant_key, principal_key) not in archived
    ]
