"""Deliveries taken by one server at a time, and marked with what came of them.

Functions are parts of the caller's transaction. All times are the database's: servers whose clocks differ agree.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, case, exists, func, literal_column, select, tuple_, update

from rice_stream.channels.definition import OPEN_STATES, DeliveryState
from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_store import StoredDelivery, stored_delivery
from rice_stream.store.held_deliveries import end_told

WAITING: tuple[DeliveryState, ...] = ("due", "sending", "failed")
"""Of these the first of a lane goes first; what is held holds up nothing until quiet hours are over, and then the others until it
is told."""
OVERDUE_US = 60 * SECOND_US
"""How long something may be due without a server that takes it."""


class DeliveryOutcome(NamedTuple):
    """What became of a delivery that was taken. `next_at_us`: when it is tried next, or held until; without a meaning for
    what ended."""

    delivery_id: int
    state: Literal["done", "failed", "dead", "held", "due"]
    """`held` and `due`: it was not tried, so that the attempt does not count."""
    next_at_us: int = 0
    answered_status: int | None = None
    answer_head: str | None = None
    problem: str | None = None
    digest: str | None = None
    counts: bool = True
    """Whether it was a try of the schedule; where not, a failed one does not count either."""


def channels_with_due(connection: Connection) -> list[int]:
    """The ids of the channels for which something may be due. Cheap: servers ask all the time."""
    query = select(schema.delivery.c.channel_id).where(*_is_due(database_now_us(connection))).distinct()
    return list(connection.scalars(query))


def claim(connection: Connection, server: str, channel_id: int, *, limit: int, lease_s: float) -> list[StoredDelivery]:
    """Take what is due on a channel, at most so many: until the lease runs out, or `finish`, they are the server's.

    Of a lane only the first that is waiting is taken, so that one after the other goes. What was taken by a server that has
    died is taken when its lease has run out. Each is counted as a try.
    """
    table, now_us = schema.delivery, database_now_us(connection)
    due = (
        select(table.c.id)
        .where(table.c.channel_id == channel_id, *_is_due(now_us), ~_is_behind(now_us))
        .order_by(table.c.next_at_us, table.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.scalars(due))
    if not ids:
        return []
    until_us = now_us + round(lease_s * SECOND_US)
    taken = {
        "state": "sending",
        "lease_by": server,
        "lease_until_us": until_us,
        # So one index finds all that somebody may take, whether it waits for a time or for a server that has died.
        "next_at_us": until_us,
        "attempts": table.c.attempts + 1,
        "first_tried_at_us": func.coalesce(table.c.first_tried_at_us, now_us),
    }
    statement = update(table).where(table.c.id.in_(ids), *_is_due(now_us)).values(taken).returning(*table.c)
    rows = connection.execute(statement).mappings().all()
    return sorted((stored_delivery(row) for row in rows), key=lambda each: each.id)


def finish(connection: Connection, server: str, outcomes: Sequence[DeliveryOutcome]) -> list[StoredDelivery]:
    """Mark what the server has taken; returns those that were its own still, as they are now.

    The others' lease had run out, and another server has them. What waits behind one that failed is due when that one is.
    """
    table, now_us = schema.delivery, database_now_us(connection)
    marked = []
    for outcome in sorted(outcomes):
        own = (table.c.id == outcome.delivery_id) & (table.c.lease_by == server) & (table.c.state == "sending")
        statement = update(table).where(own).values(_marks(outcome, now_us)).returning(*table.c)
        row = connection.execute(statement).mappings().first()
        if row is not None:
            marked.append(stored_delivery(row))
            end_told(connection, marked[-1])
    _move_lanes(connection, [each for each in marked if each.lane is not None and each.kind != "reminder"], now_us)
    return marked


def open_counts(connection: Connection) -> dict[DeliveryState, int]:
    """How many deliveries are in each state in which they are not ended."""
    table = schema.delivery
    query = select(table.c.state, func.count()).where(_is_one_of(table, OPEN_STATES)).group_by(table.c.state)
    counted = {row[0]: row[1] for row in connection.execute(query)}
    return {state: counted.get(state, 0) for state in OPEN_STATES}


def overdue_since_us(connection: Connection) -> int | None:
    """Since when the delivery waits that waits longest of those that no server takes; None: there is none."""
    waits = select(func.min(schema.delivery.c.next_at_us)).where(is_overdue(database_now_us(connection)))
    since_us: int | None = connection.scalar(waits)
    return since_us


def is_overdue(now_us: int) -> ColumnElement[bool]:
    """Whether a delivery has waited for more than a minute for a server: its channel is one for which none is sending anything."""
    table, busy = schema.delivery, schema.delivery.alias("busy")
    sending = busy.c.channel_id == table.c.channel_id, busy.c.state == "sending", busy.c.lease_until_us > now_us
    is_served = exists().where(_is_one_of(busy, OPEN_STATES), *sending)
    waits = _is_one_of(table, OPEN_STATES) & (table.c.next_at_us <= now_us - OVERDUE_US) & table.c.told_by.is_(None)
    return waits & ~_is_behind(now_us) & ~is_served


def _marks(outcome: DeliveryOutcome, now_us: int) -> dict[str, Any]:
    table = schema.delivery
    free = {
        "state": outcome.state,
        "lease_by": None,
        "lease_until_us": None,
        "next_at_us": outcome.next_at_us or now_us,
    }
    if outcome.state in ("held", "due"):
        first_tried = case((table.c.attempts > 1, table.c.first_tried_at_us), else_=None)
        return {**free, "attempts": table.c.attempts - 1, "first_tried_at_us": first_tried}
    answer: dict[str, Any] = {
        name: getattr(outcome, name) for name in ("answered_status", "answer_head", "problem", "digest")
    }
    if not outcome.counts:
        answer["attempts"] = table.c.attempts - 1
    return {**free, **answer, "ended_at_us": None if outcome.state == "failed" else now_us}


def _move_lanes(connection: Connection, firsts: Sequence[StoredDelivery], now_us: int) -> None:
    """What waits behind one that failed is looked at again when that one is tried next; behind one that has ended, at once."""
    table = schema.delivery
    waits = _is_one_of(table, OPEN_STATES), table.c.state == "due"
    for first in firsts:
        if first.state == "failed":
            behind = (table.c.channel_id == first.channel_id) & (table.c.lane == first.lane) & (table.c.id > first.id)
            statement = update(table).where(*waits, behind, table.c.next_at_us < first.next_at_us)
            connection.execute(statement.values(next_at_us=first.next_at_us))
    ended = sorted({(first.channel_id, first.lane) for first in firsts if first.state in ("done", "dead")})
    if ended:
        theirs = tuple_(table.c.channel_id, table.c.lane).in_(ended)
        connection.execute(update(table).where(*waits, theirs, table.c.next_at_us > now_us).values(next_at_us=now_us))


def _is_due(now_us: int) -> tuple[ColumnElement[bool], ...]:
    table = schema.delivery
    return _is_one_of(table, OPEN_STATES), _is_one_of(table, WAITING), table.c.next_at_us <= now_us


def _is_behind(now_us: int) -> ColumnElement[bool]:
    """Whether another one of its lane goes first: an earlier one that is no reminder, or a reminder that is being sent."""
    table, first = schema.delivery, schema.delivery.alias("first")
    same = first.c.channel_id == table.c.channel_id, first.c.lane == table.c.lane, _is_one_of(first, OPEN_STATES)
    is_reminder, sending = first.c.kind == "reminder", (first.c.state == "sending") & (first.c.lease_until_us > now_us)
    goes_first = _is_one_of(first, WAITING) | (first.c.next_at_us <= now_us)
    before = (first.c.id < table.c.id) & ~is_reminder & goes_first
    # A reminder says what holds when it is sent: nothing waits for one, and none may arrive after the word that it is over.
    return exists().where(*same, before | (is_reminder & sending & (table.c.kind != "reminder")))


def _is_one_of(table: FromClause, states: Collection[DeliveryState]) -> ColumnElement[bool]:
    """As literals: SQLite uses a partial index only where its condition is written out in the statement."""
    return table.c.state.in_([literal_column(f"'{state}'") for state in states])
