"""Reminders in the database: what was told of alerts, and what is told again. Functions are parts of the caller's transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, exists, select, update

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import DeliveryState, Kind
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us

AGAIN = "again"
"""In the place of a reminder's number: the one delivery that is sent over and over."""


class Told(NamedTuple):
    """A delivery of an alert, or a reminder of it."""

    id: int
    channel_id: int
    alert_id: str
    kind: Kind
    cause: str
    state: DeliveryState
    lane: str | None
    severity: Severity | None
    next_at_us: int
    created_at_us: int
    ended_at_us: int | None


def told_of(connection: Connection, channel_ids: Collection[int], alert_ids: Sequence[str]) -> list[Told]:
    """What was or is told to these channels of some alerts, oldest first."""
    table, found = schema.delivery, []
    for first in range(0, len(alert_ids), 500):
        # By the alerts alone, of which there is an index; the channels of an alert are few.
        query = select(*(table.c[name] for name in Told._fields)).where(
            table.c.alert_id.in_(alert_ids[first : first + 500]), table.c.kind.in_(("alert", "reminder"))
        )
        told = (Told(*row) for row in connection.execute(query.order_by(table.c.id)))
        found += [each for each in told if each.channel_id in channel_ids]
    return found


def ended_lately(
    connection: Connection, channel_ids: Collection[int], since_us: int
) -> list[tuple[str, Mapping[str, Any]]]:
    """The alerts that say that something is over, and were told to one of these channels since then, with their events.

    Not those whose threshold was crossed again, in whatever period: that would be told to be over as well.
    """
    table, alert, later = schema.delivery, schema.alert, schema.alert.alias("later")
    of_one = (later.c[name] == alert.c[name] for name in ("tenant_id", "budget_id", "threshold", "basis"))
    query = (
        select(alert.c.id, alert.c.event)
        .join(table, table.c.alert_id == alert.c.id)
        .where(table.c.created_at_us >= since_us, table.c.channel_id.in_(sorted(channel_ids)))
        .where(table.c.kind == "alert", alert.c.state == "resolved")
        .where(~exists().where(*of_one, later.c.sequence > alert.c.sequence))
        .distinct()
    )
    return [(row.id, json.loads(row.event)) for row in connection.execute(query)]


def tell_again(connection: Connection, told: Told, content: Mapping[str, Any]) -> bool:
    """Make a delivery due that has ended since it was looked at, with other content; False: another server has done so."""
    table, now_us = schema.delivery, database_now_us(connection)
    same = table.c.id == told.id, table.c.state == told.state, table.c.ended_at_us == told.ended_at_us
    again = {"state": "due", "attempts": 0, "next_at_us": now_us, "content": json.dumps(content)}
    again |= {"first_tried_at_us": None, "ended_at_us": None}
    return connection.execute(update(table).where(*same).values(again)).rowcount == 1


def hasten(connection: Connection, delivery_ids: Collection[int], until_us: int) -> None:
    """Try again what has failed no later than then."""
    table = schema.delivery
    late = table.c.id.in_(sorted(delivery_ids)), table.c.state == "failed", table.c.next_at_us > until_us
    connection.execute(update(table).where(*late).values(next_at_us=until_us))
