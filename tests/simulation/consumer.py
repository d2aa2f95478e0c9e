"""The real ChunkConsumer (and through it Faust's own consumer) on the simulated broker.

Real: fetching by `_drain_messages` and `getmany`, acks, what is committed, seeks, revocation, assignment. Simulated: the
thread that talks to Kafka, and the few calls that Faust's app makes around a rebalance.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from faust.types.tuples import Message
from faust.utils.tracing import noop_span
from mode import Service

from rice_stream.worker.consumer_thread import Fetched
from rice_stream.worker.faust_transport import ChunkConsumer
from tests.simulation.broker import Broker, LogRecord, Member


class BrokerThread(Service):
    """Stands for the thread that talks to Kafka: fetch positions, the assignment as the client knows it."""

    def __init__(
        self,
        broker: Broker,
        member: Member,
        random: Random,
        chunk_records_max: int,
        hop_s_max: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assigned: frozenset[TP] = frozenset()
        self._broker = broker
        self._member = member
        self._random = random
        self._chunk_records_max = chunk_records_max
        self._hop_s_max = hop_s_max
        self._generation = 0
        self._positions: dict[TP, int] = {}
        self._answered_at_s = 0.0
        """When the broker's first answer is there, after a seek."""

    def _ask_anew(self, positions: dict[TP, int]) -> None:
        self._positions = positions
        loop = asyncio.get_running_loop()
        self._answered_at_s = loop.time() + self._random.uniform(0, 0.1)
        self._broker.wake()

    def take(self, partitions: frozenset[TP], generation: int) -> None:
        """A new assignment; reading begins at the committed offsets, or at the earliest record."""
        self.assigned = partitions
        self._generation = generation
        self._ask_anew({tp: self._broker.committed.get(tp, 0) for tp in partitions})

    def reset_positions(self) -> None:
        """What the client does when its offsets no longer exist."""
        self._ask_anew(dict.fromkeys(self._positions, 0))

    async def getmany(self, active_partitions: set[TP], timeout: float) -> Fetched:
        """What a fetch brings: some partitions, some records of each; nothing when nothing comes within `timeout`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        await asyncio.sleep(self._random.uniform(0.001, 0.1))
        while not (found := self._fetched(active_partitions)) and loop.time() < deadline:
            early = loop.time() < self._answered_at_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(deadline, self._answered_at_s) if early else deadline):
                    await self._broker.more.wait()
        fetched = Fetched(found)
        fetched.positions = dict(self._positions) if self._member.reachable else {}
        await self._to_the_main_thread()
        return fetched

    async def _to_the_main_thread(self) -> None:
        """An answer is there a moment after it was given, and answers may overtake each other on the way."""
        await asyncio.sleep(self._random.uniform(0, self._hop_s_max))

    def _fetched(self, active_partitions: set[TP]) -> dict[TP, list[LogRecord]]:
        if not self._member.reachable or asyncio.get_running_loop().time() < self._answered_at_s:
            return {}
        found: dict[TP, list[LogRecord]] = {}
        # As in aiokafka, no active partition at all (all are paused amid a rebalance) means no restriction.
        for tp in sorted((active_partitions or self.assigned) & self.assigned):
            count = self._random.randint(1, self._chunk_records_max)
            records = self._broker.logs[tp].read(self._positions[tp], count)
            if records and (not found or self._random.random() < 0.7):
                found[tp] = records
                self._positions[tp] = records[-1].offset + 1
            if not self._broker.logs[tp].read(self._positions[tp], 1):
                self._positions[tp] = self._broker.logs[tp].end  # past the markers at the end
        return found

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit with the generation that this client last joined."""
        await asyncio.sleep(self._random.uniform(0, 0.05))
        return self._broker.commit(
            self._member, self._generation, {tp: offset for tp, offset in offsets.items() if tp in self.assigned}
        )

    async def seek_to_committed(self) -> dict[TP, int | None]:
        """Go back to what the group has committed."""
        await asyncio.sleep(self._random.uniform(0, 0.02))
        committed = {tp: self._broker.committed.get(tp) for tp in sorted(self.assigned)}
        self._ask_anew({tp: offset or 0 for tp, offset in committed.items()})
        await self._to_the_main_thread()
        return dict(committed)

    async def seek_back(self, positions: Mapping[TP, int | None]) -> dict[TP, int | None]:
        """Go back to these positions; None is what the group has committed."""
        await asyncio.sleep(self._random.uniform(0, 0.02))
        sought = {
            tp: self._broker.committed.get(tp) if position is None else position
            for tp, position in positions.items()
            if tp in self.assigned
        }
        self._ask_anew({**self._positions, **{tp: offset or 0 for tp, offset in sought.items()}})
        await self._to_the_main_thread()
        return sought

    def assignment(self) -> set[TP]:
        """The partitions of this client."""
        return set(self.assigned)

    def highwater(self, tp: TP) -> int:
        """The end of a log."""
        return self._broker.logs[tp].end


class SimulatedConsumer(ChunkConsumer):
    """Made by `make_consumer`; only its thread is not the real one."""

    new_thread: Callable[..., BrokerThread]

    def _new_consumer_thread(self) -> Any:
        return self.new_thread(beacon=self.beacon)


def make_consumer(
    new_thread: Callable[..., BrokerThread],
    enqueue: Callable[[Message], Awaitable[None]],
    *,
    on_revoked: Callable[[set[TP]], Awaitable[None]],
    on_assigned: Callable[[set[TP], int], Awaitable[None]],
) -> SimulatedConsumer:
    """A consumer in an app of its own, because the generation is the app's."""

    class Consumer(SimulatedConsumer):
        pass

    Consumer.new_thread = staticmethod(new_thread)
    app = _app()
    transport = SimpleNamespace(app=app, create_transaction_manager=lambda **_: None)
    consumer = Consumer(transport, enqueue, on_revoked, on_assigned)
    app.consumer = consumer
    return consumer


async def _nothing(*_args: Any, **_kwargs: Any) -> list[Any]:
    return []


def _app() -> Any:
    """As much of faust.App as the consumer asks for."""
    ignore = SimpleNamespace(
        on_message_in=lambda *_: None, on_commit_initiated=lambda *_: None, on_commit_completed=lambda *_: None
    )
    return SimpleNamespace(
        in_transaction=False,
        client_only=False,
        in_recovery=False,
        should_stop=False,
        consumer_generation_id=0,
        conf=SimpleNamespace(
            broker_commit_every=None,
            ConsumerScheduler=lambda: None,
            broker_commit_interval=1.0,
            broker_commit_livelock_soft_timeout=300.0,
        ),
        sensors=ignore,
        producer=SimpleNamespace(flush=_nothing),
        tables=SimpleNamespace(on_commit=lambda _: None, changelog_topics=frozenset()),
        monitor=SimpleNamespace(track_tp_end_offset=lambda *_: None, on_tp_commit=lambda _: None),
        topics=SimpleNamespace(acks_enabled_for=lambda _: True),
        _attachments=SimpleNamespace(publish_for_tp_offset=_nothing),
        _start_span_from_rebalancing=lambda _: noop_span(),
        on_rebalance_return=lambda: None,
    )
