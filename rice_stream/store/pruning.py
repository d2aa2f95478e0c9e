"""Old rows of the small tables: what is settled in quarantine, contradictions, delivered alerts, ended deliveries, the progress of
files.

They go some thousand at a time (`in_parts.py`).
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, exists, select

from rice_stream.instants import DAY_US, datetime_of, epoch_us, parse_instant
from rice_stream.store import schema
from rice_stream.store.engine import reading
from rice_stream.store.horizon import records_from_us
from rice_stream.store.in_parts import in_parts
from rice_stream.store.open_alerts import open_alerts
from rice_stream.store.retention_state import changing_state, retention_state, save_state
from rice_stream.store.statements import PROGRESS_COUNTERS, progress_upsert

FORGOTTEN_FILES = "forgotten files"
"""Where the counts of files go whose own rows have gone; no topic of Kafka can have a blank in its name."""


def drop_quarantined(engine: Engine, *, settled_before_us: int, held_before_us: int | None) -> int:
    """Drop what was replayed or dropped before an instant and, where one is given, what has been held since before
    another; returns how many rows went."""
    table = schema.quarantine
    settled = (table.c.status != "held") & (table.c.resolved_at_us < settled_before_us)
    old = settled
    if held_before_us is not None:
        old = settled | (table.c.received_at_us < held_before_us)
    before_us = max(settled_before_us, held_before_us or 0)
    return _drop(engine, table, old, "quarantine_from_us", before_us)


def drop_conflicts(engine: Engine, before_us: int) -> int:
    """Drop contradictions that came before an instant; returns how many."""
    table = schema.conflict
    return _drop(engine, table, table.c.received_at_us < before_us, "conflicts_from_us", before_us)


def drop_alerts(engine: Engine, before_us: int, now_us: int) -> int:
    """Drop alerts that were made before an instant, have been delivered and hold no longer; returns how many.

    The latest of each budget stays: its sequence goes on after it, whatever happens to the budget's state.
    """
    table, later = schema.alert, schema.alert.alias("later")
    same = (later.c.tenant_id == table.c.tenant_id) & (later.c.budget_id == table.c.budget_id)
    has_later = exists().where(same, later.c.sequence > table.c.sequence)
    delivered = table.c.delivered_at_us.is_not(None)
    over = table.c.id.not_in(_open_since(engine, before_us, now_us))
    return _drop_old(engine, table, delivered & (table.c.created_at_us < before_us) & has_later & over)


def drop_deliveries(engine: Engine, before_us: int, now_us: int) -> int:
    """Drop deliveries that ended before an instant, that arrived or were given up, of what holds no longer; returns how many.

    Those of an alert that is open are how it is known who has been told of it, and is to be reminded.
    """
    table = schema.delivery
    ended = table.c.state.in_(("done", "dead")) & (table.c.ended_at_us < before_us)
    over = table.c.alert_id.is_(None) | table.c.alert_id.not_in(_open_since(engine, before_us, now_us))
    return _drop_old(engine, table, ended & (table.c.created_at_us < before_us) & over)


def _open_since(engine: Engine, before_us: int, now_us: int) -> list[str]:
    """The ids of alerts from before an instant that hold still: few, as most periods are shorter than what is kept."""
    with reading(engine) as connection:
        found = open_alerts(connection, datetime_of(now_us))
    return [each.id for each in found if epoch_us(parse_instant(each.event["time"])) < before_us]


def forget_files(engine: Engine) -> int:
    """Forget how far files were read whose last batch is older than any record; returns how many.

    Their counts are added to one row for all of them: what was recorded is accounted for still. Read again, such a file
    has only events from before the horizon.
    """
    table, ingested = schema.kafka_progress, schema.ingested_file
    with reading(engine) as connection:
        # Events may end a day after they are read.
        before_us = records_from_us(connection) - 2 * DAY_US
    old = (
        select(table)
        .where(table.c.topic.startswith("file:", autoescape=True), table.c.committed_at_us < before_us)
        .order_by(table.c.topic, table.c.partition)
        .with_for_update()
    )

    def forget_some(connection: Connection, at_once: int) -> int:
        rows = [dict(row) for row in connection.execute(old.limit(at_once)).mappings()]
        for row in rows:
            for each in (table, ingested):
                same = (each.c.topic == row["topic"]) & (each.c.partition == row["partition"])
                connection.execute(delete(each).where(same))
        if rows:
            connection.execute(progress_upsert(connection.dialect.name), _added_up(rows))
        return len(rows)

    return in_parts(engine, forget_some)


def _added_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counters = {name: sum(row[name] for row in rows) for name in PROGRESS_COUNTERS}
    latest_us = max(row["committed_at_us"] for row in rows)
    place = {"topic": FORGOTTEN_FILES, "partition": 0, "first_offset": 0, "last_offset": 0}
    return {**place, **counters, "committed_at_us": latest_us}


def _drop(engine: Engine, table: Table, old: ColumnElement[bool], mark: str, before_us: int) -> int:
    """Drop the old rows, having noted from when on all are still there: `verify` asks for no older ones."""
    with reading(engine) as connection:
        if connection.scalar(select(table.c.id).where(old).limit(1)) is None:
            return 0
    with changing_state(engine) as connection:
        if getattr(retention_state(connection), mark) < before_us:
            save_state(connection, **{mark: before_us})
    return _drop_old(engine, table, old)


def _drop_old(engine: Engine, table: Table, old: ColumnElement[bool]) -> int:
    def drop_some(connection: Connection, at_once: int) -> int:
        some = connection.scalars(select(table.c.id).where(old).limit(at_once)).all()
        return connection.execute(delete(table).where(table.c.id.in_(some), old)).rowcount if some else 0

    return in_parts(engine, drop_some)
