"""What was refused: listing, showing, putting aside, and the choice of what to take up again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select, update

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.store import schema
from rice_stream.store.engine import reading, writing

STATUSES = ("held", "replayed", "dropped")
_IDS_MAX = 10_000
"""Ids that one statement changes: SQLite allows a limited number of parameters."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the held rows: some by id, those of a reason, of a topic, or (with neither) all."""

    ids: tuple[int, ...] = ()
    reason: str | None = None
    topic: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """In SQL; the status is not part of it."""
        table = schema.quarantine.c
        found: list[ColumnElement[bool]] = []
        if self.ids:
            found.append(table.id.in_(self.ids))
        if self.reason is not None:
            found.append(table.reason == self.reason)
        if self.topic is not None:
            found.append(table.topic == self.topic)
        return found


def quarantined(
    engine: Engine, choice: Choice, *, status: str | None = "held", limit: int | None = 100
) -> dict[str, Any]:
    """`{"rows": [...], "total", "by_reason": {...}}`, latest first. `status` None: of every status."""
    table = schema.quarantine
    conditions = choice.conditions()
    if status is not None:
        conditions.append(table.c.status == status)
    counts = select(table.c.reason, func.count()).where(*conditions).group_by(table.c.reason)
    with reading(engine) as connection:
        rows = connection.execute(select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit))
        listed = [_described(row) for row in rows.mappings()]
        by_reason = {row[0]: row[1] for row in connection.execute(counts.order_by(table.c.reason))}
    return {"rows": listed, "total": sum(by_reason.values()), "by_reason": by_reason}


def show(engine: Engine, quarantine_id: int) -> dict[str, Any]:
    """One row with its redacted payload. UsageError: there is none of this id."""
    table = schema.quarantine
    with reading(engine) as connection:
        row = connection.execute(select(table).where(table.c.id == quarantine_id)).mappings().first()
    if row is None:
        raise UsageError(
            f"there is nothing in quarantine with the id {quarantine_id}; see `rice-stream quarantine list`"
        )
    return {**_described(row), "digest": bytes(row["digest"]).hex(), "payload": row["payload"]}


def drop(engine: Engine, choice: Choice, now_us: int) -> dict[str, Any]:
    """Put held rows aside, so that they are not listed or taken up again; they are kept. UsageError: an unknown id."""
    ids = held_ids(engine, choice)
    set_status(engine, ids, "dropped", now_us)
    return {"rows": _rows(engine, ids), "dropped": len(ids)}


def held_ids(engine: Engine, choice: Choice) -> list[int]:
    """Ids of the chosen rows that are held, in order. UsageError: one that was asked for by its id is not there."""
    table = schema.quarantine
    query = select(table.c.id, table.c.status).where(*choice.conditions()).order_by(table.c.id)
    if not choice.ids:
        query = query.where(table.c.status == "held")
    with reading(engine) as connection:
        found = {row.id: row.status for row in connection.execute(query)}
    unknown = [quarantine_id for quarantine_id in choice.ids if quarantine_id not in found]
    if unknown:
        raise UsageError(f"not in quarantine: {', '.join(map(str, unknown))}; see `rice-stream quarantine list`")
    settled = [
        f"{quarantine_id} ({found[quarantine_id]})" for quarantine_id in choice.ids if found[quarantine_id] != "held"
    ]
    if settled:
        raise UsageError(f"no longer held: {', '.join(settled)}")
    return [quarantine_id for quarantine_id, status in found.items() if status == "held"]


def set_status(engine: Engine, ids: Sequence[int], status: str, now_us: int) -> None:
    """Settle held rows; those that are settled already stay as they are."""
    table = schema.quarantine
    with writing(engine) as connection:
        for first in range(0, len(ids), _IDS_MAX):
            chosen = table.c.id.in_(ids[first : first + _IDS_MAX])
            values = {"status": status, "resolved_at_us": now_us}
            connection.execute(update(table).where(chosen, table.c.status == "held").values(values))


def _rows(engine: Engine, ids: Sequence[int], limit: int = 100) -> list[dict[str, Any]]:
    table = schema.quarantine
    with reading(engine) as connection:
        rows = connection.execute(select(table).where(table.c.id.in_(ids[:limit])).order_by(table.c.id))
        return [_described(row) for row in rows.mappings()]


def _described(row: Any) -> dict[str, Any]:
    resolved_at_us = row["resolved_at_us"]
    return {
        "id": row["id"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "item": row["item"],
        "reason": row["reason"],
        "detail": row["detail"],
        "status": row["status"],
        "received_at": rfc3339(row["received_at_us"]),
        "resolved_at": None if resolved_at_us is None else rfc3339(resolved_at_us),
    }
