"""Deliveries in the database: added with what they are about, and asked for again. `delivery_claims.py` takes and marks them.

Functions on a connection are parts of the caller's transaction. All times are the database's.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import DeliveryState, Kind
from rice_stream.errors import NotFoundError
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.channel_store import StoredChannel, load_channels
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine
from rice_stream.store.http_tokens import only_tenant
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_writing
from rice_stream.store.statements import insert_ignoring

RESENDABLE: tuple[DeliveryState, ...] = ("failed", "dead")


class NewDelivery(NamedTuple):
    """Something to send to a channel. `severity` is what quiet hours ask: that of the crossing, where a budget is back below it."""

    channel_id: int
    channel: str
    kind: Kind
    cause: str
    content: Mapping[str, Any]
    """As JSON; see `Parcel.content`."""
    alert_id: str | None = None
    tenant_id: str | None = None
    lane: str | None = None
    severity: Severity | None = None
    state: DeliveryState = "due"
    problem: str | None = None
    """Why it is dead from the start."""


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A row of the table; `content` is read from its JSON."""

    id: int
    channel_id: int
    channel: str
    kind: Kind
    cause: str
    message_id: str
    state: DeliveryState
    content: Mapping[str, Any]
    alert_id: str | None
    tenant_id: str | None
    lane: str | None
    severity: Severity | None
    attempts: int
    next_at_us: int
    lease_by: str | None
    lease_until_us: int | None
    answered_status: int | None
    answer_head: str | None
    problem: str | None
    digest: str | None
    created_at_us: int
    first_tried_at_us: int | None
    ended_at_us: int | None
    told_by: int | None


def message_id(channel_id: int, cause: str) -> str:
    """What receivers know a delivery by."""
    return "msg_" + hashlib.sha256(f"{channel_id}:{cause}".encode()).hexdigest()[:32]


def add_deliveries(connection: Connection, new: Sequence[NewDelivery]) -> None:
    """Store what is to be sent; what is there already by its channel and cause stays as it is."""
    if not new:
        return
    now_us = database_now_us(connection)
    rows = [
        {
            **each._asdict(),
            "content": json.dumps(each.content),
            "message_id": message_id(each.channel_id, each.cause),
            "attempts": 0,
            "next_at_us": now_us,
            "created_at_us": now_us,
            "ended_at_us": now_us if each.state == "dead" else None,
        }
        for each in new
    ]
    connection.execute(insert_ignoring(schema.delivery, connection.dialect.name), rows)


def delivery_id(connection: Connection, channel_id: int, cause: str) -> int:
    """The id of what was added for a channel."""
    table = schema.delivery
    same = (table.c.channel_id == channel_id) & (table.c.cause == cause)
    number: int = connection.execute(select(table.c.id).where(same)).scalar_one()
    return number


class Resent(NamedTuple):
    """The ids of the deliveries that are tried again, and how many are not: their channel is gone, or disabled."""

    ids: tuple[int, ...]
    left: int


def resend(
    engine: Engine,
    scope: Scope,
    by: Actor,
    *,
    ids: Collection[int] = (),
    since_us: int | None = None,
    channel_id: int | None = None,
) -> Resent:
    """Try again at once what was not delivered: those of these ids (also what was delivered already), or all that failed or are
    dead and were made since an instant, of a channel where one is given.

    They have the same message ids, and the schedule of tries begins again. NotFoundError: the scope has no delivery of an id.
    """
    table = schema.delivery
    with scoped_writing(engine, scope) as connection:
        channels = _channels_by_id(connection, scope)
        chosen: list[ColumnElement[bool]]
        if ids:
            chosen = [table.c.id.in_(sorted(ids)), table.c.state.in_((*RESENDABLE, "done"))]
            _check_ids(connection, scope, ids, channels)
        else:
            # What a digest tells of is told when that one is sent again.
            chosen = [table.c.state.in_(RESENDABLE), table.c.told_by.is_(None)]
        if since_us is not None:
            chosen.append(table.c.created_at_us >= since_us)
        if channel_id is not None:
            chosen.append(table.c.channel_id == channel_id)
        if not scope.is_everything:
            chosen.append(table.c.channel_id.in_(list(channels)))
        able = [number for number, each in channels.items() if each.is_sent_to]
        left = select(func.count()).select_from(table).where(*chosen, table.c.channel_id.not_in(able))
        left_count: int = connection.scalar(left) or 0
        now_us = database_now_us(connection)
        again = {"state": "due", "attempts": 0, "next_at_us": now_us, "first_tried_at_us": None, "ended_at_us": None}
        statement = update(table).where(*chosen, table.c.channel_id.in_(able)).values(again)
        by_channel: dict[int, int] = {}
        resent: list[int] = []
        for number, channel in connection.execute(statement.returning(table.c.id, table.c.channel_id)):
            resent.append(number)
            by_channel[channel] = by_channel.get(channel, 0) + 1
        record(connection, by, [_resent(channels[number], count) for number, count in sorted(by_channel.items())])
        return Resent(tuple(sorted(resent)), left_count)


def _channels_by_id(connection: Connection, scope: Scope) -> dict[int, StoredChannel]:
    return {each.id: each for each in load_channels(connection, scope)}


def _check_ids(
    connection: Connection, scope: Scope, ids: Collection[int], channels: Mapping[int, StoredChannel]
) -> None:
    table = schema.delivery
    query = select(table.c.id, table.c.channel_id).where(table.c.id.in_(sorted(ids)))
    seen = {row.id for row in connection.execute(query) if scope.is_everything or row.channel_id in channels}
    for missing in sorted(set(ids) - seen):
        raise _no_such_delivery(missing)


def _no_such_delivery(delivery_id: int) -> NotFoundError:
    return NotFoundError(f"there is no delivery with the id {delivery_id} that you may see")


def _resent(channel: StoredChannel, count: int) -> AuditedChange:
    tenant_id = only_tenant(channel.channel.tenants)
    return AuditedChange("delivery.resend", "channel", channel.channel.name, tenant_id, after={"deliveries": count})


def stored_delivery(row: RowMapping) -> StoredDelivery:
    """A row of the table."""
    values = {field.name: row[field.name] for field in fields(StoredDelivery)}
    return StoredDelivery(**{**values, "content": json.loads(row["content"])})
