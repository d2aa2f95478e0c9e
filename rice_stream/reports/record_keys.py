"""The keys of a record in the database, from the id that its sender gave it."""

from datetime import datetime
from typing import NamedTuple

from rice_stream.instants import epoch_us, parse_time
from rice_stream.reports.record_lookup import find_record_once
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import RecordKey, key_bounds, key_bytes
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


class FoundKey(NamedTuple):
    """A record's keys, and what they stand for."""

    key: RecordKey
    tenant_id: str
    event_id: str


def find_key(
    engine: Engine, scope: Scope, event_id: str, tenant: str | None = None, ended_at: datetime | None = None
) -> FoundKey:
    """The keys of the one record of this event id. NotFoundError, UsageError: as from `find_record`."""
    with scoped_reading(engine, scope) as connection:
        view = find_record_once(connection, scope, event_id, tenant, ended_at).view
        ended_at_us = epoch_us(parse_time(view["ended_at"]))
        low, high = key_bounds(connection.dialect.name, ended_at_us, ended_at_us + 1)
        asked = statement(
            "SELECT r.tenant_key, r.event_key FROM prompt_record r JOIN tenant t ON t.tenant_key = r.tenant_key"
            " LEFT JOIN attribution a ON a.tenant_key = r.tenant_key AND a.attribution_key = r.attribution_key"
            " WHERE t.tenant_id = :tenant AND r.event_key >= :low AND r.event_key < :high AND r.ended_at_us = :ended_at_us"
            " AND r.event_id = :event_id AND COALESCE(a.source, '') = :source"
        )
        of_it = {
            "tenant": view["tenant_id"],
            "event_id": event_id,
            "ended_at_us": ended_at_us,
            "low": low,
            "high": high,
        }
        ((tenant_key, stored),) = rows_of(connection, asked, {**of_it, "source": view["source"] or ""})
    return FoundKey(RecordKey(tenant_key, key_bytes(stored)), view["tenant_id"], event_id)
