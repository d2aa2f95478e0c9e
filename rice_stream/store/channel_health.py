"""How channels fare: noted with the deliveries that show it, in one transaction.

Each function locks the channel's row. So it comes before the deliveries are marked: whoever sets a channel locks in that order.
"""

from typing import Any

from sqlalchemy import Connection, case, select, update

from rice_stream.instants import DAY_US
from rice_stream.store import schema
from rice_stream.store.channel_store import end_open
from rice_stream.store.database_clock import database_now_us

FAILING_AFTER_US = DAY_US
"""How long nothing may arrive before a channel is `failing`."""


def note_arrival(connection: Connection, channel_id: int) -> None:
    """Something has arrived: the channel is `ok`, unless it is disabled."""
    columns = schema.channel.c
    ok = case((columns.state == "failing", "ok"), else_=columns.state)
    now_us = database_now_us(connection)
    _update(connection, channel_id, state=ok, failing_since_us=None, last_done_at_us=now_us)


def note_failure(connection: Connection, channel_id: int, problem: str) -> bool:
    """Something has not arrived; returns whether the channel has turned `failing` by that: nothing has for a day."""
    columns = schema.channel.c
    row = connection.execute(select(schema.channel).where(columns.id == channel_id).with_for_update()).first()
    if row is None:
        return False
    now_us = database_now_us(connection)
    since_us = now_us if row.failing_since_us is None else row.failing_since_us
    turned = row.state == "ok" and now_us - since_us >= FAILING_AFTER_US
    state = "failing" if turned else row.state
    _update(connection, channel_id, state=state, failing_since_us=since_us, last_error=problem)
    return turned


def disable(connection: Connection, channel_id: int, problem: str) -> bool:
    """The receiver is gone: nothing is sent until the channel is set again. Returns whether it was not disabled before."""
    columns = schema.channel.c
    statement = update(schema.channel).where(columns.id == channel_id, columns.state != "disabled")
    turned = connection.execute(statement.values(state="disabled", last_error=problem)).rowcount > 0
    if turned:
        end_open(connection, channel_id, problem)
    return turned


def _update(connection: Connection, channel_id: int, **values: Any) -> None:
    connection.execute(update(schema.channel).where(schema.channel.c.id == channel_id).values(values))
