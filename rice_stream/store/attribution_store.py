"""Attribution settings in the database: each version, and the instant from which it holds.

The first one holds from the beginning: whatever was read before it was stored was read by it. Any later one holds for
items that end a few seconds after it was stored, and after everything that is recorded: nothing recorded changes its key.
"""

import hashlib
from functools import partial

from sqlalchemy import Connection, Engine, insert, select, text

from rice_stream.events.formats.reading.versions import AttributionVersion
from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading, writing
from rice_stream.store.mapping_store import LEAD_US
from rice_stream.store.rules_lock import lock_rules
from rice_stream.store.trying_again import tried_again

_LOCK_TRIES = 30
_BY = Actor("worker", "RICE_ATTRIBUTION_* and what counts")
"""Settings are the process's own: whoever started it with them cannot be told."""
_LATEST_END_US = """
SELECT MAX(ended_at_us) FROM (
    SELECT (
        SELECT r.ended_at_us FROM prompt_record r WHERE r.tenant_key = t.tenant_key ORDER BY r.event_key DESC LIMIT 1
    ) AS ended_at_us FROM tenant t
) AS by_tenant
"""
"""Keys are ordered by milliseconds."""


def load_versions(connection: Connection) -> tuple[AttributionVersion, ...]:
    """All versions, in the order in which they were stored."""
    columns = schema.attribution_version.c
    query = select(columns.valid_from_us, columns.settings).order_by(columns.id)
    return tuple(AttributionVersion(*row) for row in connection.execute(query))


def propose_version(
    engine: Engine, settings: str, *, may_change: bool = True, now_us: int | None = None
) -> AttributionVersion | None:
    """Let settings (of `versions.settings_text`) hold from now on; returns their version, None where none was stored.

    None is stored where the latest version says the same or, unless it `may_change`, where there is any. For all
    processes that propose at the same time one decides after the other; a batch that is being stored is waited for.
    `now_us`: None takes the database's clock.

    Raises:
        StoreUnavailableError: the database did not answer, or batches were in the way for a minute.
    """
    with reading(engine) as connection:
        versions = load_versions(connection)
    if versions and (not may_change or versions[-1].settings == settings):
        return None
    return tried_again(partial(_propose_alone, engine, settings, now_us, may_change=may_change), _LOCK_TRIES)


def _propose_alone(engine: Engine, settings: str, now_us: int | None, *, may_change: bool) -> AttributionVersion | None:
    with writing(engine) as connection:
        lock_rules(connection)
        versions = load_versions(connection)
        if versions and (not may_change or versions[-1].settings == settings):
            return None
        if now_us is None:
            now_us = database_now_us(connection)
        start_us = start_of_change_us(now_us, latest_end_us(connection), versions[-1]) if versions else 0
        version = AttributionVersion(start_us, settings)
        digest = hashlib.blake2b(settings.encode(), digest_size=16).digest()
        values = {**version._asdict(), "digest": digest, "created_at_us": now_us}
        connection.execute(insert(schema.attribution_version).values(values))
        if versions:  # the first one says how everything has been read so far
            before, after = ({"valid_from": _told(each), "settings": each.settings} for each in (versions[-1], version))
            record(connection, _BY, [AuditedChange("attribution.set", "attribution", "", None, before, after)])
        return version


def _told(version: AttributionVersion) -> str | None:
    return rfc3339(version.valid_from_us) if version.valid_from_us else None


def latest_end_us(connection: Connection) -> int | None:
    """When the latest event ended that is recorded, to the millisecond; None: there is none."""
    latest_us: int | None = connection.scalar(text(_LATEST_END_US))
    return latest_us


def start_of_change_us(now_us: int, latest_end_us: int | None, before: AttributionVersion) -> int:
    """When a change begins to hold: every worker knows of it by then, and nothing that ends then is recorded yet.

    `latest_end_us` is when the latest event ended that is recorded, to the millisecond.
    """
    recorded_until_us = 0 if latest_end_us is None else (latest_end_us // 1000 + 1) * 1000
    return max(now_us + LEAD_US, recorded_until_us, before.valid_from_us)
