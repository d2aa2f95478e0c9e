"""Servers that deliver to a receiver made for a test, and what that receiver saw."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select

from rice_stream.alerting.delivering import Chore, Deliverer, DeliveryTimes
from rice_stream.alerting.tries import DeliveryFigures
from rice_stream.channels.answers import ReceiverAnswer, Send
from rice_stream.channels.definition import Channel, Parcel, Secrets
from rice_stream.channels.schedule import Schedule
from rice_stream.channels.trial import trial_event
from rice_stream.store import schema
from rice_stream.store.channel_store import StoredChannel, set_channel
from rice_stream.store.delivery_store import NewDelivery, StoredDelivery, add_deliveries, stored_delivery
from rice_stream.store.engine import reading, writing
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import OPERATOR
from tests.support.plain_box import PlainBox
from tests.support.reports_store import NOON

DONE = ReceiverAnswer(status=204)
FAILED = ReceiverAnswer(status=500, problem="it answered 500")
GONE = ReceiverAnswer(status=410, problem="it answered 410")
QUICK = DeliveryTimes(poll_s=0.01, idle_s=0.05, retry_s=0.02, send_s=0.5, lease_s=5.0, stop_s=0.2)
AT_ONCE = Schedule((0.0, *[0.01] * 40), later_min_s=0.01)
"""Tries follow each other at once."""
_GIVEN_UP_S = 30.0


@dataclass
class Receiver:
    """Answers as `answer` says for a parcel and how often it has been asked for it; keeps what came in, in order."""

    answer: Callable[[Parcel, int], ReceiverAnswer] = lambda _parcel, _count: DONE
    asked: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Message ids that it took."""
    at_once: Counter[str] = field(default_factory=Counter)
    crowded: bool = False
    """Whether it was ever asked about two of one lane at a time."""
    lanes: dict[str, str] = field(default_factory=dict)

    async def __call__(self, parcel: Parcel, _channel: Channel, _secrets: Secrets) -> ReceiverAnswer:
        lane = str(parcel.content.get("lane", parcel.message_id))
        self.at_once[lane] += 1
        self.crowded |= self.at_once[lane] > 1
        self.asked.append(parcel.message_id)
        await asyncio.sleep(0)
        answer = self.answer(parcel, self.asked.count(parcel.message_id))
        if answer.is_done:
            self.taken.append(parcel.message_id)
        self.at_once[lane] -= 1
        return answer


@dataclass
class Counted:
    """Metrics of a test."""

    tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    stand: DeliveryFigures | None = None

    def delivery_tried(self, channel_type: str, outcome: str) -> None:
        """See `DeliveryMetrics`."""
        self.tries[channel_type, outcome] += 1

    def delivery_ended(self, _channel_type: str, seconds: float) -> None:
        """See `DeliveryMetrics`."""
        self.seconds.append(seconds)

    def deliveries_measured(self, stand: DeliveryFigures) -> None:
        """See `DeliveryMetrics`."""
        self.stand = stand


@asynccontextmanager
async def serving(
    engine: Engine | Callable[[], Engine],
    send: Send,
    *,
    servers: int = 1,
    times: DeliveryTimes = QUICK,
    schedule: Schedule = AT_ONCE,
    metrics: Counted | None = None,
    chores: Sequence[Chore] = (),
) -> AsyncIterator[None]:
    """Servers that deliver, until the block ends: then they are stopped, and have to end well."""
    open_engine = engine if callable(engine) else lambda: engine
    running = [
        Deliverer(
            open_engine,
            lambda: send,
            PlainBox().open,
            metrics or Counted(),
            times=times,
            schedule=schedule,
            chores=chores,
            luck=lambda: 0.0,
        )
        for _ in range(servers)
    ]
    tasks = [asyncio.create_task(each.run()) for each in running]
    try:
        yield
    finally:
        for each in running:
            each.stop()
        async with asyncio.timeout(_GIVEN_UP_S):
            await asyncio.gather(*tasks)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; TimeoutError: it does not."""
    async with asyncio.timeout(_GIVEN_UP_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


def made_channel(engine: Engine, name: str = "ops", **fields: Any) -> StoredChannel:
    """A channel that is stored, without secrets."""
    channel = Channel(**{"name": name, "type": "webhook", "target": "hooks.example.com", **fields})
    return set_channel(engine, EVERYTHING, channel, None, None, OPERATOR)


def send_to(engine: Engine, channel: StoredChannel, causes: Sequence[str], lane: str | None = None) -> None:
    """Have the channel told of these."""
    content: dict[str, Any] = {"alerts": [trial_event(channel.channel, "0", NOON)]}
    if lane is not None:
        content["lane"] = f"{channel.id}:{lane}"
    new = [NewDelivery(channel.id, channel.channel.name, "alert", cause, content, lane=lane) for cause in causes]
    with writing(engine) as connection:
        add_deliveries(connection, new)


def stored(engine: Engine) -> list[StoredDelivery]:
    """All deliveries, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).mappings()
        return [stored_delivery(row) for row in rows]


def states(engine: Engine) -> Counter[str]:
    """How many deliveries are in each state."""
    return Counter(each.state for each in stored(engine))


def by_lane(deliveries: Sequence[StoredDelivery]) -> dict[tuple[int, str | None], list[str]]:
    """Message ids of each lane of each channel, in their order."""
    lanes: dict[tuple[int, str | None], list[str]] = defaultdict(list)
    for each in deliveries:
        lanes[each.channel_id, each.lane].append(each.message_id)
    return lanes
