"""Deliveries that are held over quiet hours, and the digests that tell of them.

What a digest tells of stays `held`, and so holds up its lane, until the digest ends: then it ends as that one did. Functions are
parts of the caller's transaction. All times are the database's.
"""

import json
from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_store import NewDelivery, StoredDelivery, message_id, stored_delivery
from rice_stream.store.statements import insert_ignoring

DIGEST_FAILED = "the digest that tells of it was not delivered; send that one again"
"""Why something is dead that was held."""


def held_until(connection: Connection) -> dict[int, tuple[int, int]]:
    """Between which times what no digest tells of is held, by the ids of channels. Cheap: servers ask all the time."""
    table = schema.delivery
    query = select(table.c.channel_id, func.min(table.c.next_at_us), func.max(table.c.next_at_us))
    found = connection.execute(query.where(*_is_untold()).group_by(table.c.channel_id))
    return {channel_id: (first_us, last_us) for channel_id, first_us, last_us in found}


def hold_until(connection: Connection, channel_id: int, until_us: int) -> None:
    """Hold what is held of a channel until then, and no longer or shorter."""
    table = schema.delivery
    others = table.c.channel_id == channel_id, table.c.next_at_us != until_us
    connection.execute(update(table).where(*_is_untold(), *others).values(next_at_us=until_us))


def take_held(connection: Connection, channel_id: int, *, lane: str | None = None) -> list[StoredDelivery]:
    """What is held of a channel, or of one of its lanes, and no digest tells of, oldest first: nobody else takes it until the
    transaction ends."""
    table = schema.delivery
    query = select(table).where(*_is_untold(), table.c.channel_id == channel_id).order_by(table.c.id).with_for_update()
    if lane is not None:
        query = query.where(table.c.lane == lane)
    return [stored_delivery(row) for row in connection.execute(query).mappings()]


def tell(connection: Connection, digest: NewDelivery, told: Collection[int]) -> bool:
    """Store a digest that tells of these; False where there is one of its cause already, and nothing changes."""
    table, now_us = schema.delivery, database_now_us(connection)
    row = {
        **digest._asdict(),
        "content": json.dumps(digest.content),
        "message_id": message_id(digest.channel_id, digest.cause),
        "attempts": 0,
        "next_at_us": now_us,
        "created_at_us": now_us,
    }
    making = insert_ignoring(table, connection.dialect.name).values(row).returning(table.c.id)
    digest_id = connection.scalar(making)
    if digest_id is None:
        return False
    telling = update(table).where(table.c.id.in_(sorted(told))).values(told_by=digest_id, next_at_us=now_us)
    connection.execute(telling)
    return True


def release(connection: Connection, ids: Collection[int]) -> None:
    """Send them by themselves, at once."""
    table = schema.delivery
    due = {"state": "due", "next_at_us": database_now_us(connection)}
    connection.execute(update(table).where(table.c.id.in_(sorted(ids)), table.c.state == "held").values(due))


def withdraw(connection: Connection, ids: Collection[int]) -> None:
    """Forget reminders of what no longer holds, as if nobody had thought of them."""
    table = schema.delivery
    connection.execute(delete(table).where(table.c.id.in_(sorted(ids)), table.c.kind == "reminder"))


def end_told(connection: Connection, digest: StoredDelivery) -> None:
    """What a digest tells of ends with it."""
    if digest.kind != "digest" or digest.state not in ("done", "dead"):
        return
    table = schema.delivery
    told = table.c.told_by == digest.id, table.c.state.in_(("held", "dead"))
    problem = None if digest.state == "done" else DIGEST_FAILED
    ended = update(table).where(*told).values(state=digest.state, ended_at_us=digest.ended_at_us, problem=problem)
    connection.execute(ended)


def _is_untold() -> tuple[ColumnElement[bool], ...]:
    return schema.delivery.c.state == "held", schema.delivery.c.told_by.is_(None)
