"""What the ledger itself is: its schema, its database, what retention has dropped, and how far workers have come."""

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.sql import func

from rice_stream.errors import NotFoundError
from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.partitions import existing_months, month_start
from rice_stream.store.retention_state import retention_state
from rice_stream.store.revisions import revision_within
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

_VERSION = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}
_NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
_COUNTED = ("events", "recorded", "duplicates", "conflicts", "quarantined", "gaps", "older_than_retention")


def system_report(engine: Engine, scope: Scope) -> dict[str, Any]:
    """For those alone who see everything: what concerns no tenant, and all of them.

    Returns:
        `{"schema_revision", "database", "months", "retention", "topics"}`. `months` are `{"first", "last", "count"}` of the
        partitions of records, as `2026-11`, None on SQLite, which has none. `retention` has the instants before which
        records, minutes, refused items and conflicts may be gone, None: nothing is, and when it last ran. `topics` are
        `[{"topic", "partitions", "events", "recorded", "duplicates", "conflicts", "quarantined", "gaps",
        "older_than_retention", "committed_at"}]`.

    Raises:
        NotFoundError: the scope is not everything.
    """
    if not scope.is_everything:
        raise NotFoundError("this is for those alone who see everything")
    with scoped_reading(engine, scope) as connection:
        dialect = connection.dialect.name
        return {
            "schema_revision": revision_within(connection),
            "database": f"{_NAMES[dialect]} {connection.scalar(text(_VERSION[dialect]))}",
            "months": _months(connection) if dialect == "postgresql" else None,
            "retention": _retention(connection),
            "topics": _topics(connection),
        }


def _months(connection: Connection) -> dict[str, Any] | None:
    months = existing_months(connection)
    if not months:
        return None
    return {
        "first": f"{month_start(months[0]):%Y-%m}",
        "last": f"{month_start(months[-1]):%Y-%m}",
        "count": len(months),
    }


def _retention(connection: Connection) -> dict[str, str | None]:
    state = retention_state(connection)
    instants = {
        "records_from": state.records_from_us,
        "minutes_from": state.minutes_from_us,
        "quarantine_from": state.quarantine_from_us,
        "conflicts_from": state.conflicts_from_us,
        "planned_from": state.planned_from_us,
        "run_at": state.run_at_us,
    }
    return {name: rfc3339(instant_us) if instant_us else None for name, instant_us in instants.items()}


def _topics(connection: Connection) -> list[dict[str, Any]]:
    progress = schema.kafka_progress.c
    query = (
        select(
            progress.topic,
            func.count().label("partitions"),
            *(func.sum(progress[name]).label(name) for name in _COUNTED),
            func.max(progress.committed_at_us).label("committed_at_us"),
        )
        .group_by(progress.topic)
        .order_by(progress.topic)
    )
    return [
        {
            "topic": row.topic,
            "partitions": row.partitions,
            **{name: int(getattr(row, name)) for name in _COUNTED},
            "committed_at": rfc3339(row.committed_at_us),
        }
        for row in connection.execute(query)
    ]
