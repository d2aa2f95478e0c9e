"""Deliveries sent: what a server does all the time, beside others that do the same.

Everything is stored before it is sent, and marked after. Between the two a crash repeats a delivery under the same message id,
when its lease has run out. Channels do not wait for each other, and on a channel lanes do not.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import uuid4

from rice_stream.alerting.tries import (
    DeliveryFigures,
    TakenDelivery,
    TriedDelivery,
    Unseal,
    figures,
    mark,
    secrets_of,
    take,
)
from rice_stream.channels.answers import ReceiverAnswer, Send
from rice_stream.channels.definition import ChannelType, Parcel
from rice_stream.channels.schedule import Schedule
from rice_stream.errors import RiceError, UsageError
from rice_stream.instants import SECOND_US
from rice_stream.store.delivery_store import StoredDelivery
from rice_stream.store.engine import Engine

log = logging.getLogger(__name__)


class Chore(NamedTuple):
    """Something to do every so often beside sending; `run` blocks."""

    name: str
    every_s: float
    run: Callable[[Engine], object]


@dataclass(frozen=True, slots=True)
class DeliveryTimes:
    """How often is looked, how long is waited, and how much goes on at a time."""

    poll_s: float = 0.2
    idle_s: float = 5.0
    """Between two looks where there is no channel, and between two measurements."""
    retry_s: float = 1.0
    """After the database did not answer."""
    send_s: float = 30.0
    """For a whole try; senders have shorter limits of their own."""
    lease_s: float = 60.0
    stop_s: float = 5.0
    """How long what is being sent may take when the server stops."""
    at_once: int = 128
    at_once_on_channel: int = 8


class DeliveryMetrics(Protocol):
    """Who counts."""

    def delivery_tried(self, channel_type: ChannelType, outcome: str) -> None:
        """A try: `done`, `failed` (tried again) or `dead`."""

    def delivery_ended(self, channel_type: ChannelType, seconds: float) -> None:
        """A delivery is done, or given up, so long after it was stored."""

    def deliveries_measured(self, stand: DeliveryFigures) -> None:
        """How deliveries stand."""


class Deliverer:
    """Sends what is due until it is stopped. Several may run, here or elsewhere; none needs to know of the others."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        open_send: Callable[[], Send],
        unseal: Unseal,
        metrics: DeliveryMetrics,
        *,
        times: DeliveryTimes | None = None,
        schedule: Schedule | None = None,
        chores: Sequence[Chore] = (),
        luck: Callable[[], float] = random.random,
    ) -> None:
        """`open_engine` and `open_send` block, and are asked again and again; the first may raise ServiceUnavailableError.

        `open_send` is not asked before there is something to send: what it loads takes a while.
        """
        self._open_engine = open_engine
        self._open_send = open_send
        self._unseal = unseal
        self._metrics = metrics
        self._times = times or DeliveryTimes()
        self._schedule = schedule or Schedule()
        self._chores = chores
        self._luck = luck
        self._server = uuid4().hex
        self._sending: dict[asyncio.Task[ReceiverAnswer], TakenDelivery] = {}
        self._tried: list[TriedDelivery] = []
        self._has_channels = True
        self._problem: str | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is being sent has ended, or has had its time."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Until it is stopped."""
        beside = [asyncio.create_task(self._every(each), name=each.name) for each in self._all_chores()]
        try:
            while not self._stopping:
                [failure] = await asyncio.gather(self._round(), return_exceptions=True)
                await self._wait(self._pause_s(failure))
            await self._wind_up()
        finally:
            for task in (*beside, *self._sending):
                task.cancel()
            await asyncio.gather(*beside, *self._sending, return_exceptions=True)

    async def _round(self) -> None:
        """Mark and take once."""
        await self._mark()
        if len(self._sending) >= self._times.at_once:
            return
        for taken in await asyncio.to_thread(self._take):
            task = asyncio.create_task(self._try(taken), name=f"delivery {taken.delivery.id}")
            self._sending[task] = taken
            task.add_done_callback(self._ended)

    def _pause_s(self, failure: BaseException | None) -> float:
        """How long to wait for something new after a round; what failed in one is tried again in the next."""
        if failure is None:
            self._say(None)
            return self._times.poll_s if self._has_channels or self._sending else self._times.idle_s
        if not isinstance(failure, Exception):
            raise failure
        if not isinstance(failure, RiceError):
            log.error("deliveries wait because of a mistake of ours", exc_info=failure)
        self._say(str(failure))
        return self._times.retry_s

    def _take(self) -> list[TakenDelivery]:
        busy = Counter(each.channel.id for each in self._sending.values())
        room = self._times.at_once - len(self._sending)

        def free(channel_id: int) -> int:
            return min(room, self._times.at_once_on_channel - busy[channel_id])

        return take(self._open_engine(), self._server, free, lease_s=self._times.lease_s)

    async def _try(self, taken: TakenDelivery) -> ReceiverAnswer:
        delivery = taken.delivery
        try:
            send = await asyncio.to_thread(self._open_send)
            secrets = secrets_of(self._unseal, taken.channel)
            parcel = Parcel(delivery.message_id, delivery.kind, delivery.content)
            async with asyncio.timeout(self._times.send_s):
                return await send(parcel, taken.channel.channel, secrets)
        except UsageError as error:
            return ReceiverAnswer(problem=str(error))
        except TimeoutError:
            return ReceiverAnswer(problem=f"it took longer than {self._times.send_s:g} s")

    def _ended(self, task: asyncio.Task[ReceiverAnswer]) -> None:
        taken = self._sending.pop(task)
        if task.cancelled():
            self._tried.append(TriedDelivery(taken, None))
        elif (error := task.exception()) is not None:
            # A mistake of ours in one kind of message must not keep the others from being sent.
            log.error("delivery %d cannot be made", taken.delivery.id, exc_info=error)
            problem = f"it cannot be made ({type(error).__name__}); the log of the server says more"
            self._tried.append(TriedDelivery(taken, ReceiverAnswer(problem=problem)))
        else:
            self._tried.append(TriedDelivery(taken, task.result()))
        self._wake.set()

    async def _mark(self) -> None:
        """Those that could not be marked, because the database is away, are marked later."""
        tried = self._tried[:]
        if not tried:
            return
        marked = await asyncio.to_thread(
            lambda: mark(self._open_engine(), self._server, tried, self._schedule, self._luck)
        )
        del self._tried[: len(tried)]
        self._count({each.taken.delivery.id: each for each in tried}, marked)

    def _count(self, tried: Mapping[int, TriedDelivery], marked: Sequence[StoredDelivery]) -> None:
        for each in marked:
            one = tried[each.id]
            if one.answer is None:
                continue
            channel = one.taken.channel.channel
            self._metrics.delivery_tried(channel.type, each.state)
            if each.ended_at_us is not None:
                self._metrics.delivery_ended(channel.type, (each.ended_at_us - each.created_at_us) / SECOND_US)
            if each.state == "dead":
                log.warning("channel %s: delivery %d is given up: %s", channel.name, each.id, each.problem)
        if len(marked) < len(tried):
            log.info("%d deliveries took so long that another server has them", len(tried) - len(marked))

    async def _wait(self, seconds: float) -> None:
        """Until something has been tried, or for so long."""
        try:
            async with asyncio.timeout(0 if self._stopping else seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def _wind_up(self) -> None:
        """What is being sent may end; the rest is given back, so that another server need not wait for the lease."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=self._times.stop_s)
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await asyncio.sleep(0)  # the callbacks of those that have ended
        try:
            await self._mark()
        except RiceError as error:
            log.warning("%d deliveries are not marked, and will be sent again: %s", len(self._tried), error)

    def _all_chores(self) -> Sequence[Chore]:
        return (Chore("measure deliveries", self._times.idle_s, self._measure), *self._chores)

    def _measure(self, engine: Engine) -> None:
        stand = figures(engine)
        self._has_channels = stand.channels > 0
        self._metrics.deliveries_measured(stand)

    async def _every(self, chore: Chore) -> None:
        while True:
            doing = asyncio.to_thread(lambda: chore.run(self._open_engine()))
            [found] = await asyncio.gather(doing, return_exceptions=True)
            if isinstance(found, RiceError):
                log.warning("%s: trying again in %g s: %s", chore.name, chore.every_s, found)
            elif isinstance(found, Exception):
                log.error("%s: a mistake of ours; trying again in %g s", chore.name, chore.every_s, exc_info=found)
            await asyncio.sleep(chore.every_s)

    def _say(self, problem: str | None) -> None:
        """Log what changed, not what every look finds again."""
        if problem != self._problem:
            log.warning("deliveries wait: %s", problem) if problem is not None else log.info("deliveries go on")
            self._problem = problem
