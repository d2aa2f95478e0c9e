"""Listing the ids of records that were there before the lists were: month by month, in the background, some thousand at a time.

A month stays in `event_id_gap` until all of it is listed; until then whoever looks for an id asks the filters of ids, as before.
What is recorded meanwhile lists itself. Cut short, a month is begun again: an id that is listed twice is found once.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, Engine, delete, select

from rice_stream.store import schema
from rice_stream.store.copied import copied
from rice_stream.store.engine import batch_failure, reading, writing
from rice_stream.store.event_id_lists import copy_lists, rows_by_month
from rice_stream.store.key_places import keys_of
from rice_stream.store.partitions import month_floor

_AT_ONCE = 50_000
_MONTHS = select(schema.event_id_gap.c.month).order_by(schema.event_id_gap.c.month.desc())
_NEXT = f"""
SELECT event_key, event_id FROM prompt_record
WHERE tenant_key = :tenant_key AND event_key > :after AND event_key < :high ORDER BY event_key LIMIT {_AT_ONCE}"""


def list_gaps(engine: Engine, *, is_over: Callable[[], bool] = lambda: False) -> int:
    """List the months that are not, the latest first, until it `is_over`, which is asked before each tenant; returns how many
    months. For one worker at a time: two would do it twice. Nothing on SQLite. StoreUnavailableError: try again."""
    if engine.dialect.name != "postgresql":
        return 0
    with reading(engine) as connection:
        months = connection.scalars(_MONTHS).all()
        tenant_keys = connection.scalars(select(schema.tenant.c.tenant_key)).all() if months else []
    for listed, month in enumerate(months):
        for tenant_key in tenant_keys:
            if is_over():
                return listed
            _list_month(engine, tenant_key, month)
        with writing(engine) as connection:
            connection.execute(delete(schema.event_id_gap).where(schema.event_id_gap.c.month == month))
    return len(months)


def _list_month(engine: Engine, tenant_key: int, month: int) -> None:
    # The last key before the month: none is a whole number's, for the time is followed by a digest.
    after, high = UUID(int=max(month_floor(month) - 1, 0)), UUID(int=month_floor(month + 1))
    found = _AT_ONCE
    while found == _AT_ONCE:
        with writing(engine) as connection:
            some = copied(
                connection, _NEXT, {"tenant_key": tenant_key, "after": after, "high": high}, {"event_key": "uuid"}
            )
            found = len(some.texts)
            if found:
                keys = keys_of(some.columns["event_key"].tobytes())
                _write(connection, tenant_key, keys, some.texts)
                after = UUID(bytes=keys[-1].tobytes())


def _write(
    connection: Connection, tenant_key: int, keys: np.ndarray[Any, np.dtype[np.uint8]], texts: Sequence[str]
) -> None:
    import psycopg

    whose = np.full(len(keys), tenant_key, dtype=np.int64)
    rows = rows_by_month(whose, keys, [each.encode() for each in texts])
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            copy_lists(cursor, rows)
    except psycopg.Error as error:
        raise batch_failure("the database did not list event ids", error) from error
