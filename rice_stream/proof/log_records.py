"""The records that events of the log may have become: by their keys, and without a time of their own by those around them."""

from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, text

from rice_stream.events.keys import day_start_us, digest_of_key, keys_at
from rice_stream.instants import DAY_US
from rice_stream.proof.log_events import LogEvents
from rice_stream.quantities import Ints
from rice_stream.store.event_key_columns import key_bounds, key_bytes
from rice_stream.store.stored_records import Key, Row, records_by_key


class Candidate(NamedTuple):
    """A record that an event may be, or repeat."""

    key: Key
    record: Row


def candidates(connection: Connection, events: LogEvents, tenants: Ints) -> list[list[Candidate]]:
    """The records that each event may be, the likeliest first; at most one for an event with a time of its own.

    `tenants` are the keys of the events' tenants, shape (n,).
    """
    own = [[(tenant, key.tobytes())] for tenant, key in zip(tenants.tolist(), events.keys, strict=True)]
    untimed = np.flatnonzero(events.columns.untimed).tolist()
    for row, keys in zip(untimed, _other_keys(events, tenants), strict=True):
        # As the writer looks for them: one of versions before 0007 first, then its own day, then the days around it.
        own[row] = [keys[0], *own[row], *keys[1:]]
    stored = records_by_key(connection, [key for keys in own for key in keys])
    found = [[Candidate(key, stored[key]) for key in keys if key in stored] for keys in own]
    for row in untimed:
        if not found[row]:
            found[row] = of_an_older_version(connection, events, row, int(tenants[row]))
    return found


def _other_keys(events: LogEvents, tenants: Ints) -> list[list[Key]]:
    rows = np.flatnonzero(events.columns.untimed)
    ended_at_us = events.columns.ended_at_us[rows]
    days_us = day_start_us(ended_at_us)
    moved = [keys_at(events.keys[rows], times) for times in (ended_at_us, days_us - DAY_US, days_us + DAY_US)]
    keys = zip(*moved, strict=True)
    return [[(tenant, key.tobytes()) for key in of] for tenant, of in zip(tenants[rows].tolist(), keys, strict=True)]


def of_an_older_version(connection: Connection, events: LogEvents, row: int, tenant_key: int) -> list[Candidate]:
    """The records of a resend without a time of its own within a day, whatever their times.

    In one batch with an event that a version before 0007 has recorded, under a time that only that one has, a resend is known.
    """
    day_us = int(day_start_us(events.columns.ended_at_us[[row]])[0])
    low, high = key_bounds(connection.dialect.name, max(day_us - DAY_US, 0), day_us + 2 * DAY_US)
    rows = connection.execute(
        text(
            "SELECT event_key FROM prompt_record WHERE tenant_key = :tenant AND event_id = :event_id"
            " AND event_key >= :low AND event_key < :high ORDER BY event_key"
        ),
        {"tenant": tenant_key, "event_id": events.columns.event_id[row], "low": low, "high": high},
    )
    wanted = digest_of_key(events.keys[row].tobytes())
    keys = [key_bytes(value) for (value,) in rows]
    same: list[Key] = [(tenant_key, key) for key in keys if digest_of_key(key) == wanted]
    stored = records_by_key(connection, same)
    return [Candidate(key, stored[key]) for key in same]
