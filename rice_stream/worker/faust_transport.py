"""Faust transport that hands over whole fetched chunks: one message per partition and fetch, not one per record.

Faust costs some 70 microseconds a message (a hand-over between tasks), whatever its size; with chunks that is a cost per
thousands of records. Registered as `ricechunks://` through the entry point group `faust.transports`.

Chunks need their own bookkeeping of offsets. Faust treats a jump in offsets as a gap that needs no ack, and every chunk
is a jump: an un-acked chunk followed by an acked one would be committed, and its events lost at the next restart. So
`HandedOutChunks` remembers, per partition, the chunks handed out in order and which of them are acked; only an unbroken run of
acked chunks from the left may be committed.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import Message

from rice_stream.errors import ServiceUnavailableError
from rice_stream.worker.consumer_thread import BEGINNING, ChunkConsumerThread, Fetched
from rice_stream.worker.handed_out import HandedOutChunks, SetAside

_ASIDE_LOOK_S = 0.2
"""How often a worker whose partitions are all set aside looks whether one's time is over."""
_FULL_LOOK_S = 0.01
"""How often partitions of which enough chunks wait for the agent are asked for again."""


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
        self._from_the_start: set[TP] = set()
        """Partitions to read from their beginning."""
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

    def read_from_the_start(self, topic: str) -> None:
        """The topic was deleted and made again: what is known of its offsets is void, whatever position the new log has."""
        for tp in [tp for tp in self.assigned if tp.topic == topic]:
            self._start_again(tp)
            self._from_the_start.add(tp)
            self._aside.add(tp, 0.0)

    def is_aside(self, tp: TP) -> bool:
        """Whether the partition is set aside."""
        return tp in self._aside

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:
        """Faust leaves out partitions of which enough waits for the agent, as they are when it begins to wait: for `timeout` for
        what others bring, and a second where there are none. Until then their chunks are long worked off."""
        if not self._buffered_partitions:
            return await super()._wait_next_records(timeout)
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(_FULL_LOOK_S)
            return None, None
        return await super()._wait_next_records(min(timeout, _FULL_LOOK_S))

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
            positions |= dict.fromkeys(self._from_the_start.intersection(due), BEGINNING)
            sought = await cast(ChunkConsumerThread, self._thread).seek_back(positions)
            self._read_offset.update(sought)
            self._aside.settle(due)
            self._from_the_start.difference_update(sought)
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
            (last.timestamp or 0) / 1000.0,  # none: of the first Kafka versions, or of a batch that was left out
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

    def is_void(self, message: Message) -> bool:
        """Whether an ack of the chunk would be ignored: its records are read again, by whoever has the partition."""
        return self._handed_out.get(message.tp) is not cast(ChunkMessage, message).handed_out

    def ack(self, message: Message) -> bool:
        """Mark a chunk as stored. One from before a rebalance or a seek is ignored: it is read again, and counted once."""
        message.acked = True
        self._unacked_messages.discard(message)
        if self.is_void(message) or not cast(ChunkMessage, message).handed_out.ack(message.offset):
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
        self._from_the_start -= revoked
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


class Transport(driver.Transport):
    """`ricechunks://host:port`: Kafka through aiokafka, in chunks."""

    Consumer = ChunkConsumer
