"""The keys of a record in the database, from the id that its sender gave it."""

from datetime import datetime
from typing import NamedTuple

from rice_stream.instants import epoch_us, parse_time
from rice_stream.reports.record_lookup import find_record_once
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import RecordKey
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


class FoundKey(NamedTuple):
    """A record's keys, and what they stand for."""

    key: RecordKey
    tenant_id: str
    event_id: str
    ended_at_us: int


def find_key(
    engine: Engine, scope: Scope, event_id: str, tenant: str | None = None, ended_at: datetime | None = None
) -> FoundKey:
    """The keys of the one record of this event id. NotFoundError, UsageError: as from `find_record`."""
    with scoped_reading(engine, scope) as connection:
        record = find_record_once(connection, scope, event_id, tenant, ended_at)
    return FoundKey(record.key, record.view["tenant_id"], event_id, epoch_us(parse_time(record.view["ended_at"])))
