"""Faust transport that hands over whole fetched chunks: one message per partition and fetch, not one per record.

Faust costs some 70 microseconds a message (a hand-over between tasks), whatever its size; with chunks that is a cost per
thousands of records. Registered as `ricechunks://` through the entry point group `faust.transports`.

Chunks need their own bookkeeping of offsets. Faust treats a jump in offsets as a gap that needs no ack, and every chunk
is a jump: an un-acked chunk followed by an acked one would be committed, and its events lost at the next restart. So
`HandedOutChunks` remembers, per partition, the chunks handed out in order and which of them are acked; only an unbroken run of
acked chunks from the left may be committed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import Message

from rice_stream.errors import ServiceUnavailableError
from rice_stream.worker import fetched_records, inner_names
from rice_stream.worker.handed_out import HandedOutChunks, SetAside


class ChunkMessage(ConsumerMessage):
    """A chunk and the chunks that it was handed out with: an ack counts there or nowhere."""

    handed_out: HandedOutChunks


class ChunkConsumer(driver.Consumer):
    """aiokafka consumer whose messages are chunks: `value` is the list of records, `offset` that of the last one.

    One fetch is under way at a time, and none while the positions are moved: whatever is fetched and not handed out (flow
    stops amid a rebalance) must be read again, and a position may be passed over only if everything before it was handed
    out. So Faust's seek to the committed offsets is put off until the next fetch begins; until then fetched records are
    discarded as stale.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed_out: dict[TP, HandedOutChunks] = {}
        self._seek_is_due = True
        self._aside = SetAside()
        self.assigned: frozenset[TP] = frozenset()
        """The partitions that are this worker's now."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust would log partitions that make no progress, which /healthz tells, and asks aiokafka for positions
        that are not known yet when a rebalance has just ended, which would end the worker."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """One message per partition that the fetch brought records of."""
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        if self._seek_is_due and not await self._go_back():
            return
        if not await self._read_again():
            return
        records, active = await self._wait_next_records(timeout)
        if not isinstance(records, Fetched) or self.should_stop:
            return
        for tp, chunk in records.items():
            paused = active is not None and tp not in active and tp not in self._buffered_partitions
            if not self._continues_what_was_handed_out() or paused:
                self._seek_is_due = True
                return
            if chunk and tp not in self._aside:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, self._hand_out(tp, chunk, records.positions.get(tp, 0))
        if self._continues_what_was_handed_out():
            self._pass_over(records)

    def _continues_what_was_handed_out(self) -> bool:
        """Whether what was fetched follows on what was handed out before; if not, it is stale."""
        self._seek_is_due = self._seek_is_due or not self.flow_active
        return not self._seek_is_due

    async def perform_seek(self) -> None:
        """Go back to the committed offsets before anything else is fetched."""
        self._seek_is_due = True

    async def _go_back(self) -> bool:
        """Go back now. False: a rebalance came in between, and it is still due."""
        self._seek_is_due = False  # may become due again while it is done
        self._handed_out.clear()
        sought = await cast(ChunkConsumerThread, self._thread).seek_to_committed()
        for tp, offset in sought.items():
            self._committed_offset[tp] = self._read_offset[tp] = offset
        self._seek_is_due = self._seek_is_due or set(sought) != self.assignment()
        return self._continues_what_was_handed_out()

    def set_aside(self, tp: TP, seconds: float) -> None:
        """Read a partition no more for so long; then from its first record that is not acked. What was handed out of it
        and is not acked is void: an ack of it is ignored."""
        self._aside.add(tp, asyncio.get_running_loop().time() + seconds)
        self._handed_out[tp] = self._handed_out.get(tp, HandedOutChunks()).without_unacked()

    def is_aside(self, tp: TP) -> bool:
        """Whether the partition is set aside."""
        return tp in self._aside

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Without the partitions that are set aside. No partition at all would mean all of them."""
        read = {tp for tp in active_partitions or () if tp not in self._aside}
        if active_partitions and not read:
            await self.sleep(min(timeout, _ASIDE_LOOK_S))
            return Fetched({})
        return await super()._getmany(read, timeout)

    async def _read_again(self) -> bool:
        """Take up the partitions whose time aside is over. False: a rebalance came in between."""
        due = self._aside.due(asyncio.get_running_loop().time())
        if due:
            lasts = {tp: self._handed_out[tp].last if tp in self._handed_out else None for tp in due}
            positions = {tp: None if last is None else last + 1 for tp, last in lasts.items()}
            sought = await cast(ChunkConsumerThread, self._thread).seek_back(positions)
            self._read_offset.update(sought)
            self._aside.settle(due)
        return self._continues_what_was_handed_out()

    def _hand_out(self, tp: TP, chunk: list[Any], position: int) -> "ChunkMessage":
        handed_out = self._handed_out.setdefault(tp, HandedOutChunks())
        known = self._committed_offset[tp] if handed_out.last is None else handed_out.last + 1
        if known is not None and chunk[0].offset < known:
            handed_out = self._start_again(tp)
        handed_out.hand_out(chunk[-1].offset)
        handed_out.pass_over(position)
        return self._chunk_message(tp, chunk, handed_out)

    def _pass_over(self, fetched: "Fetched") -> None:
        """Partitions that brought no record but moved on, over markers and leftovers of transactions: without a commit
        they would show a lag that never ends."""
        for tp, position in fetched.positions.items():
            if tp not in fetched and tp not in self._aside and position > (self._committed_offset[tp] or 0):
                self._handed_out.setdefault(tp, HandedOutChunks()).pass_over(position)
                # Faust looks for commits only at partitions that are listed here.
                self._acked.setdefault(tp, [])

    def _start_again(self, tp: TP) -> HandedOutChunks:
        """The offsets went back: the topic was deleted and created again, or its log was cut. What was known of them is void."""
        self.log.warning("offsets of %s went back; reading on from there", tp)
        self._committed_offset[tp] = None
        self._read_offset[tp] = None
        handed_out = self._handed_out[tp] = HandedOutChunks()
        return handed_out

    def _chunk_message(self, tp: TP, chunk: list[Any], handed_out: HandedOutChunks) -> ChunkMessage:
        last = chunk[-1]
        message = ChunkMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            cast(Any, chunk),
            None,
            0,
            len(chunk),
            tp,
            generation_id=self.app.consumer_generation_id,
        )
        message.handed_out = handed_out
        return message

    def ack(self, message: Message) -> bool:
        """Mark a chunk as stored. One from before a rebalance or a seek is ignored: it is read again, and counted once."""
        message.acked = True
        self._unacked_messages.discard(message)
        handed_out = cast(ChunkMessage, message).handed_out
        if self._handed_out.get(message.tp) is not handed_out or not handed_out.ack(message.offset):
            return False
        # Faust looks for commits only at partitions that are listed here.
        self._acked[message.tp].append(message.offset)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        handed_out = self._handed_out.get(tp)
        return None if handed_out is None else handed_out.committable()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a jump between chunks is no gap. `HandedOutChunks` knows what may be committed."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the chunks of partitions that are taken away."""
        self.assigned -= revoked
        self._aside.drop(revoked)
        self._seek_is_due = True
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._handed_out.pop(tp, None)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget every chunk: reading goes on from the committed offsets."""
        self._handed_out.clear()
        self._seek_is_due = True
        for tp in assigned:
            self._acked[tp].clear()
        await super().on_partitions_assigned(assigned, generation_id)
        self.assigned = frozenset(assigned)

    async def check_errors(self) -> None:
        """ServiceUnavailableError: Kafka has ended this worker's membership in its group. A worker without partitions
        fetches nothing, so nobody else would ask."""
        try:
            await cast(ChunkConsumerThread, self._thread).check_errors()
        except KafkaError as error:
            raise ServiceUnavailableError(
                f"Kafka refused this worker in the group {self.app.conf.id}: {error}"
            ) from error

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)


_ASIDE_LOOK_S = 0.2
"""How often a worker whose partitions are all set aside looks whether one's time is over."""
FETCH_MAX_WAIT_MS = 100
"""How long the broker may sit on a fetch that has nothing to give; Faust fixes it at 1.5 s."""


BUFFER_BYTES_MAX = 32 * 1024 * 1024
"""Bytes, compressed as the broker keeps them, of all partitions together that aiokafka reads ahead."""


class Fetched(dict[TP, list[Any]]):
    """Records by partition, as aiokafka gives them, and where reading stands behind them: past markers too."""

    def __init__(self, records: Mapping[TP, list[Any]]) -> None:
        super().__init__(records)
        self.positions: dict[TP, int] = {}


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to Kafka. What aiokafka can do and Faust does not pass on is set here."""

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> "Fetched":
        inner_names.bound_partitions(
            consumer, partition_bytes_max=self.app.conf.consumer_max_fetch_size, bytes_max=BUFFER_BYTES_MAX
        )
        fetched_records.ROOM.renew()
        fetched = Fetched(await super()._fetch_records(consumer, *args, **kwargs))
        # Nothing ran in between, so these are the positions right behind these records.
        fetched.positions = {TP(*tp): position for tp, position in inner_names.positions(consumer).items()}
        return fetched

    async def check_errors(self) -> None:
        """See `ChunkConsumer.check_errors`."""
        if self._consumer is not None:
            await self.call_thread(self._check_errors)

    async def _check_errors(self) -> None:
        inner_names.check_coordination(self._ensure_consumer())

    async def seek_to_committed(self) -> dict[TP, Any]:
        """Read on from what the group has committed; where that is nothing, from the earliest record. aiokafka leaves such
        a partition where it stands, with what was fetched and dropped behind it. Partitions of the assignment that are
        missing in the answer were taken away meanwhile."""
        sought: dict[TP, Any] = await self.call_thread(self._seek_back, self._ensure_consumer(), None)
        return sought

    async def seek_back(self, positions: Mapping[TP, int | None]) -> dict[TP, Any]:
        """Read on from these positions; None is what the group has committed, as above."""
        sought: dict[TP, Any] = await self.call_thread(self._seek_back, self._ensure_consumer(), positions)
        return sought

    async def _seek_back(self, consumer: Any, positions: Mapping[Any, int | None] | None) -> dict[TP, Any]:
        sought: dict[TP, Any] = {}
        known = {} if positions is None else positions
        for tp in sorted(consumer.assignment()):
            if positions is not None and tp not in positions:
                continue
            offset = known.get(tp)
            offset = await consumer.committed(tp) if offset is None else offset
            if not self.consumer.flow_active or tp not in consumer.assignment():
                return sought
            if offset is not None:
                consumer.seek(tp, offset)
            elif not await consumer.seek_to_beginning(tp):
                return sought
            sought[TP(*tp)] = offset
        return sought

    def _create_worker_consumer(self, transport: Any) -> Any:
        fetched_records.install()
        consumer = super()._create_worker_consumer(transport)
        inner_names.read_committed(consumer, fetch_max_wait_ms=FETCH_MAX_WAIT_MS)
        inner_names.bound_fetches(consumer, bytes_max=BUFFER_BYTES_MAX // 2)
        return consumer


class Transport(driver.Transport):
    """`ricechunks://host:port`: Kafka through aiokafka, in chunks."""

    Consumer = ChunkConsumer
