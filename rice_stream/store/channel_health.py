"""How channels fare: noted with the deliveries that show it, in one transaction.

Each function locks the channel's row, and so comes before the deliveries are marked: whoever sets a channel locks in that order.
"""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from rice_stream.instants import DAY_US
from rice_stream.store import schema
from rice_stream.store.channel_store import end_open
from rice_stream.store.database_clock import database_now_us

FAILING_AFTER_US = DAY_US
"""How long nothing may arrive before a channel is `failing`."""


def note_arrival(connection: Connection, channel_id: int) -> int | None:
    """Something has arrived: the channel is `ok`, unless it is disabled. Returns since when it was `failing`, if it was."""
    row = _locked(connection, channel_id)
    if row is None:
        return None
    was_failing = row.state == "failing"
    state = "ok" if was_failing else row.state
    now_us = database_now_us(connection)
    _update(connection, channel_id, state=state, failing_since_us=None, last_done_at_us=now_us)
    return row.failing_since_us if was_failing else None


def note_failure(connection: Connection, channel_id: int, problem: str) -> int | None:
    """Something has not arrived. Where the channel turns `failing` by that, since when nothing has: for a day."""
    row = _locked(connection, channel_id)
    if row is None:
        return None
    now_us = database_now_us(connection)
    since_us: int = now_us if row.failing_since_us is None else row.failing_since_us
    turned = row.state == "ok" and now_us - since_us >= FAILING_AFTER_US
    state = "failing" if turned else row.state
    _update(connection, channel_id, state=state, failing_since_us=since_us, last_error=problem)
    return since_us if turned else None


def disable(connection: Connection, channel_id: int, problem: str) -> bool:
    """The receiver is gone: nothing is sent until the channel is set again. Returns whether it was not disabled before."""
    columns = schema.channel.c
    statement = update(schema.channel).where(columns.id == channel_id, columns.state != "disabled")
    turned = connection.execute(statement.values(state="disabled", last_error=problem)).rowcount > 0
    if turned:
        end_open(connection, channel_id, problem)
    return turned


def _locked(connection: Connection, channel_id: int) -> Row[Any, Any] | None:
    columns = schema.channel.c
    query = select(columns.state, columns.failing_since_us).where(columns.id == channel_id)
    return connection.execute(query.with_for_update()).first()


def _update(connection: Connection, channel_id: int, **values: Any) -> None:
    connection.execute(update(schema.channel).where(schema.channel.c.id == channel_id).values(values))
