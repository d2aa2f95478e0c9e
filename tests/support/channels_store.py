"""Channels and deliveries as a database holds them, put there by hand: for tests of what is read from them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, insert

from rice_stream.store import schema
from rice_stream.store.engine import writing
from tests.support.fakes import NOON_US


def add_channel(engine: Engine, name: str, tenants: Sequence[str] | None = None, **values: Any) -> int:
    """A webhook that takes everything; `values` are columns. Returns its id."""
    row = {
        "name": name,
        "type": "webhook",
        "target": "https://receiver.example",
        "tenants": json.dumps("*" if tenants is None else sorted(tenants)),
        "budgets": "[]",
        "settings": "{}",
        "min_severity": "info",
        "state": "ok",
        "created_at_us": NOON_US,
        "updated_at_us": NOON_US,
        **values,
    }
    with writing(engine) as connection:
        return int(connection.execute(insert(schema.channel).values(row).returning(schema.channel.c.id)).scalar_one())


def add_delivery(engine: Engine, channel_id: int, cause: str, **values: Any) -> int:
    """Due at noon, of the kind alert; `values` are columns. Returns its id."""
    row = {
        "channel_id": channel_id,
        "channel": "hook",
        "kind": "alert",
        "cause": cause,
        "message_id": f"msg-{cause}",
        "state": "due",
        "content": "{}",
        "attempts": 0,
        "next_at_us": NOON_US,
        "created_at_us": NOON_US,
        **values,
    }
    with writing(engine) as connection:
        return int(connection.execute(insert(schema.delivery).values(row).returning(schema.delivery.c.id)).scalar_one())
