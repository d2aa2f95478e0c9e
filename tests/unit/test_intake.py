"""The intake: bounded, in order, nothing kept once it is closed."""

import asyncio

from rice_stream.ingest import RawRecord
from rice_stream.pipeline import Chunk
from rice_stream.worker.intake import Delivery, Intake


def _delivery(first: int, count: int) -> Delivery:
    records = [RawRecord("t", 0, first + i, b"{}") for i in range(count)]
    return Delivery(Chunk("t", 0, records), lambda: None)


def test_chunks_come_out_in_order_and_batches_stay_within_the_limit() -> None:
    async def run() -> None:
        intake = Intake(events_max=10)
        for first in (0, 4, 8):
            await intake.put(_delivery(first, 4))
        batch = await intake.take(wait_s=0.01)
        assert [delivery.chunk.records[0].offset for delivery in batch] == [0, 4]
        assert [delivery.chunk.records[0].offset for delivery in await intake.take(wait_s=0.01)] == [8]

    asyncio.run(run())


def test_a_full_intake_makes_the_producer_wait_until_a_batch_is_taken() -> None:
    """A slow store stops the fetching; memory stays bounded."""

    async def run() -> None:
        intake = Intake(events_max=4)
        await intake.put(_delivery(0, 4))
        waiting = asyncio.create_task(intake.put(_delivery(4, 4)))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        await intake.take(wait_s=0.01)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_a_chunk_larger_than_a_batch_is_still_processed() -> None:
    async def run() -> None:
        intake = Intake(events_max=3)
        await intake.put(_delivery(0, 10))
        assert len(await intake.take(wait_s=0.01)) == 1

    asyncio.run(run())


def test_once_closed_what_was_there_comes_out_and_nothing_more_goes_in() -> None:
    """What arrives later stays un-acked and is read again by the next worker."""

    async def run() -> None:
        intake = Intake(events_max=10)
        await intake.put(_delivery(0, 2))
        await intake.close()
        await intake.put(_delivery(2, 2))
        assert len(await intake.take(wait_s=1)) == 1
        assert await intake.take(wait_s=1) == []

    asyncio.run(run())
