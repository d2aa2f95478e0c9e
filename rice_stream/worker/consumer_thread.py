"""The thread that talks to Kafka: fetching, bounded, and seeking, for `faust_transport`."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from rice_stream.worker import broker_answers, fetched_records, inner_names

BEGINNING = -2
"""As a position: the earliest record that there is."""
FETCH_MAX_WAIT_MS = 500
"""How long the broker may sit on a fetch that has nothing to give, and a seek may have to wait for it; Faust fixes it at 1.5 s."""


BUFFER_BYTES_MAX = 16 * 1024 * 1024
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

    async def on_thread_stop(self) -> None:
        """The thread ends. aiokafka cancels a fetch that waits for a broker which is gone, and lets that out: no error of ours."""
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

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
        """Read on from these positions; None is what the group has committed, as above. BEGINNING is the earliest record,
        where the group is put as well."""
        sought: dict[TP, Any] = await self.call_thread(self._seek_back, self._ensure_consumer(), positions)
        return sought

    async def _seek_back(self, consumer: Any, positions: Mapping[Any, int | None] | None) -> dict[TP, Any]:
        sought: dict[TP, Any] = {}
        known = {} if positions is None else positions
        for tp in sorted(consumer.assignment()):
            if positions is not None and tp not in positions:
                continue
            offset = known.get(tp)
            if offset == BEGINNING:
                if not await consumer.seek_to_beginning(tp):
                    return sought
                # Whoever has the partition next must not go on where the group stood in the log before.
                await consumer.commit({tp: await consumer.position(tp)})
                sought[TP(*tp)] = None
                continue
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
        broker_answers.install()
        fetched_records.install()
        consumer = super()._create_worker_consumer(transport)
        inner_names.read_committed(consumer, fetch_max_wait_ms=FETCH_MAX_WAIT_MS)
        inner_names.bound_fetches(consumer, bytes_max=BUFFER_BYTES_MAX // 2)
        return consumer
