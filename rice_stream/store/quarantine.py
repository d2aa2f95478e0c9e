"""Settling what was refused: choosing held items, and marking them as replayed or dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select, update

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.events.records import Refused
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import reading, writing

STATUSES = ("held", "replayed", "dropped")
_ACTIONS = {"replayed": "quarantine.replay", "dropped": "quarantine.drop"}
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


def held_between(connection: Connection, low_us: int, high_us: int) -> int:
    """How many items that came from `low_us` to before `high_us` are undecided."""
    table = schema.quarantine.c
    held = (table.status == "held") & (table.received_at_us >= low_us) & (table.received_at_us < high_us)
    return connection.scalar(select(func.count()).select_from(schema.quarantine).where(held)) or 0


def held_ids(engine: Engine, choice: Choice) -> list[int]:
    """Ids of the chosen rows that are held, in order. NotFoundError: one that was asked for by its id is not there."""
    table = schema.quarantine
    query = select(table.c.id, table.c.status).where(*choice.conditions()).order_by(table.c.id)
    if not choice.ids:
        query = query.where(table.c.status == "held")
    with reading(engine) as connection:
        found = {row.id: row.status for row in connection.execute(query)}
    unknown = [quarantine_id for quarantine_id in choice.ids if quarantine_id not in found]
    if unknown:
        raise NotFoundError(f"not in quarantine: {', '.join(map(str, unknown))}; see `rice-stream quarantine list`")
    settled = [
        f"{quarantine_id} ({found[quarantine_id]})" for quarantine_id in choice.ids if found[quarantine_id] != "held"
    ]
    if settled:
        raise UsageError(f"no longer held: {', '.join(settled)}")
    return [quarantine_id for quarantine_id, status in found.items() if status == "held"]


def rows_in_log_order(engine: Engine, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of these ids (at most some thousands), in the order in which their items lay in topics and files."""
    table = schema.quarantine
    in_order = table.c.topic, table.c.partition, table.c.offset, table.c.item
    with reading(engine) as connection:
        found = connection.execute(select(table).where(table.c.id.in_(ids)).order_by(*in_order)).mappings()
        return [dict(row) for row in found]


def set_status(
    engine: Engine,
    ids: Sequence[int],
    status: str,
    now_us: int,
    by: Actor,
    *,
    patches: Mapping[str, Any] | None = None,
) -> None:
    """Settle held rows; those that are settled already stay as they are. `patches` is what was put over the items' fields."""
    table = schema.quarantine
    changes: list[AuditedChange] = []
    if not ids:
        return
    with writing(engine) as connection:
        for first in range(0, len(ids), _IDS_MAX):
            chosen = table.c.id.in_(ids[first : first + _IDS_MAX])
            values = {"status": status, "resolved_at_us": now_us}
            settling = update(table).where(chosen, table.c.status == "held").values(values).returning(table.c.id)
            settled = sorted(connection.execute(settling).scalars())
            changes += _settled(settled, status, patches) if settled else []
        record(connection, by, changes)


def set_reasons(engine: Engine, refused: Mapping[int, Refused]) -> None:
    """Put the reasons for which items were refused again in the place of the first ones; the items stay held.

    `refused` is by the id of the row.
    """
    table = schema.quarantine
    if not refused:
        return
    with writing(engine) as connection:
        for row_id, item in refused.items():
            values = {"reason": item.reason, "detail": item.detail}
            connection.execute(update(table).where(table.c.id == row_id).values(values))


def drop(engine: Engine, choice: Choice, now_us: int, by: Actor) -> list[int]:
    """Put held rows aside, so that they are not listed or replayed; they are kept. Returns their ids.

    UsageError: an unknown id.
    """
    ids = held_ids(engine, choice)
    set_status(engine, ids, "dropped", now_us, by)
    return ids


def _settled(ids: Sequence[int], status: str, patches: Mapping[str, Any] | None) -> list[AuditedChange]:
    """One entry for all of them, which names each."""
    after: dict[str, Any] = {"status": status, "items": len(ids)}
    if patches:
        after["set"] = {name: str(value) for name, value in patches.items()}
    return [AuditedChange(_ACTIONS[status], "quarantine", _ranges(ids), before={"status": "held"}, after=after)]


def _ranges(ids: Sequence[int]) -> str:
    """Ascending ids, neighbours together: `3-7,9`."""
    parts: list[list[int]] = []
    for one in ids:
        if parts and one == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], one]
        else:
            parts.append([one])
    return ",".join("-".join(map(str, part)) for part in parts)
