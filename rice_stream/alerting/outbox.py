"""From the outbox to whoever publishes: everything that is not marked as delivered, in order, at least once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rice_stream.store import budget_store
from rice_stream.store.engine import Engine, reading, writing

Publish = Callable[[str, bytes], Awaitable[None]]
"""(key, value) -> returns when the broker has confirmed; ServiceUnavailableError when it has not."""


async def publish_undelivered(engine: Engine, publish: Publish, on_delivered: Callable[[int], None]) -> None:
    """Publish all that is undelivered now. `on_delivered` gets the number of alerts after each part that is marked.

    An alert is marked after its confirmation, so a crash in between repeats it, with the same id.
    """
    while alerts := await asyncio.to_thread(_undelivered, engine):
        for alert in alerts:
            await publish(alert["tenant_id"], alert["event"].encode())
        await asyncio.to_thread(_mark_delivered, engine, [alert["id"] for alert in alerts])
        on_delivered(len(alerts))


def _undelivered(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return budget_store.undelivered_alerts(connection)


def _mark_delivered(engine: Engine, ids: list[str]) -> None:
    with writing(engine) as connection:
        budget_store.mark_delivered(connection, ids, time.time_ns() // 1000)
