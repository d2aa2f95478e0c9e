"""From the outbox to whoever publishes: everything that is not marked as delivered, in order, at least once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from rice_stream.store import budget_store
from rice_stream.store.engine import Engine, reading, writing

Publish = Callable[[str, bytes], Awaitable[None]]
"""(key, value) -> returns when the broker has confirmed; ServiceUnavailableError when it has not."""


class Confirmed(NamedTuple):
    """When an alert was made (the budget was judged) and when the broker confirmed it, in epoch microseconds."""

    created_at_us: int
    confirmed_at_us: int


async def publish_undelivered(
    engine: Engine,
    publish: Publish,
    on_delivered: Callable[[Sequence[Confirmed]], None],
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> None:
    """Publish all that is undelivered now. `on_delivered` gets the alerts of each part after they are marked.

    An alert is marked after its confirmation, so a crash in between repeats it, with the same id. `now_us` is the clock
    that budgets are judged by.
    """
    while alerts := await asyncio.to_thread(_undelivered, engine):
        confirmed = []
        for alert in alerts:
            await publish(alert["tenant_id"], alert["event"].encode())
            confirmed.append(Confirmed(alert["created_at_us"], now_us()))
        await asyncio.to_thread(_mark_delivered, engine, [alert["id"] for alert in alerts])
        on_delivered(confirmed)


def _undelivered(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return budget_store.undelivered_alerts(connection)


def _mark_delivered(engine: Engine, ids: list[str]) -> None:
    with writing(engine) as connection:
        budget_store.mark_delivered(connection, ids, time.time_ns() // 1000)
