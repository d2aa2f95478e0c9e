"""Between fetching and storing: bounded, in order, nothing lost at the end."""

import asyncio

import pytest

from rice_stream.pipeline.chunks import Chunk
from rice_stream.worker.intake import TOGETHER_S, FetchedChunk, Intake, fetched_chunk
from rice_stream.worker.sized_records import bytes_of
from tests.simulation.clock import VirtualLoop
from tests.support.fakes import event, records_of


def delivery(records: int, name: str = "events") -> FetchedChunk:
    chunk = Chunk(name, 0, records_of([event()] * records))
    return FetchedChunk(chunk, acknowledge=name, size_bytes=bytes_of(chunk.records))


def names(taken: list[FetchedChunk]) -> list[str]:
    return [one.chunk.topic for one in taken]


def on_virtual_time(work: object) -> None:
    """Run a coroutine on a clock that moves by itself."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work)  # type: ignore[arg-type]
    finally:
        loop.close()


def test_with_a_backlog_a_batch_is_taken_at_once_and_in_order() -> None:
    async def work() -> None:
        intake = Intake(events_max=10)
        for name in "abc":
            await intake.put(delivery(4, name))
        assert len(intake) == 12
        assert names(await intake.take(wait_s=100)) == ["a", "b"]
        assert asyncio.get_running_loop().time() == 0
        assert len(intake) == 4

    on_virtual_time(work())


def test_after_a_quiet_while_a_batch_takes_what_was_fetched_together_at_once() -> None:
    async def work() -> None:
        intake = Intake(events_max=10)
        loop = asyncio.get_running_loop()
        await intake.put(delivery(1, "a"))
        loop.call_later(TOGETHER_S / 2, lambda: asyncio.ensure_future(intake.put(delivery(1, "b"))))
        loop.call_later(9.0, lambda: asyncio.ensure_future(intake.put(delivery(1, "late"))))
        assert names(await intake.take(wait_s=0.5)) == ["a", "b"]
        assert loop.time() == pytest.approx(TOGETHER_S)

    on_virtual_time(work())


def test_without_a_backlog_batches_come_so_often_and_no_oftener() -> None:
    """A steady trickle is few transactions: each takes what came since the one before."""

    async def work() -> None:
        intake = Intake(events_max=1_000)
        loop = asyncio.get_running_loop()
        for number in range(100):
            loop.call_later(number / 100, lambda: asyncio.ensure_future(intake.put(delivery(1))))
        taken = []
        while loop.time() < 0.95:
            taken.append((len(await intake.take(wait_s=0.25)), round(loop.time(), 2)))
        assert [at for _, at in taken] == [0.02, 0.27, 0.52, 0.77, 1.02]
        assert sum(count for count, _ in taken) == 100

    on_virtual_time(work())


def test_a_full_batch_ends_the_wait() -> None:
    async def work() -> None:
        intake = Intake(events_max=2)
        loop = asyncio.get_running_loop()
        await intake.put(delivery(1, "before"))
        await intake.take(wait_s=50)
        began = loop.time()
        await intake.put(delivery(1, "a"))
        loop.call_later(0.1, lambda: asyncio.ensure_future(intake.put(delivery(1, "b"))))
        assert names(await intake.take(wait_s=50)) == ["a", "b"]
        assert loop.time() == pytest.approx(began + 0.1)

    on_virtual_time(work())


def test_the_end_of_a_backlog_is_not_waited_for() -> None:
    """What is left of it, less than a batch, goes as soon as what was fetched with it is there, also in pieces; what comes later is
    live traffic. A batch is full by its number of records, or by their bytes."""

    async def work(intake: Intake) -> None:
        loop = asyncio.get_running_loop()

        async def taken_after(count: int) -> float:
            began_s = loop.time()
            await intake.put(delivery(count))
            await intake.take(wait_s=1.0)
            return loop.time() - began_s

        assert await taken_after(10) == 0
        assert [await taken_after(count) for count in (3, 2, 1)] == pytest.approx([TOGETHER_S] * 3)
        await asyncio.sleep(1.5)
        assert [await taken_after(1) for _ in range(2)] == pytest.approx([TOGETHER_S, 1.0])

    on_virtual_time(work(Intake(events_max=10)))
    on_virtual_time(work(Intake(events_max=1_000, bytes_max=delivery(10).size_bytes)))


def test_a_chunk_larger_than_a_batch_is_a_batch_by_itself() -> None:
    async def work() -> None:
        intake = Intake(events_max=5)
        await intake.put(delivery(50, "large"))
        assert names(await intake.take(wait_s=1)) == ["large"]

    on_virtual_time(work())


def test_putting_waits_while_a_batch_is_waiting() -> None:
    """A slow store stops the fetching, not the memory."""

    async def work() -> None:
        intake = Intake(events_max=3)
        await intake.put(delivery(3, "a"))
        putting = asyncio.ensure_future(intake.put(delivery(3, "b")))
        await asyncio.sleep(10)
        assert not putting.done()
        assert names(await intake.take(wait_s=1)) == ["a"]
        await asyncio.wait_for(putting, 1)
        assert names(await intake.take(wait_s=1)) == ["b"]

    on_virtual_time(work())


def test_once_closed_it_gives_out_what_is_left_and_then_nothing() -> None:
    async def work() -> None:
        intake = Intake(events_max=3)
        for name in "ab":
            await intake.put(delivery(2, name))
        await intake.close()
        assert names(await intake.take(wait_s=100)) == ["a"]
        assert names(await intake.take(wait_s=100)) == ["b"]
        assert await intake.take(wait_s=100) == []
        assert asyncio.get_running_loop().time() == 0

    on_virtual_time(work())


def test_a_chunk_that_comes_after_the_close_is_left_for_the_next_worker() -> None:
    async def work() -> None:
        intake = Intake(events_max=3)
        await intake.put(delivery(3, "a"))
        putting = asyncio.ensure_future(intake.put(delivery(3, "b")))
        await asyncio.sleep(1)
        await intake.close()
        await asyncio.wait_for(putting, 1)
        assert names(await intake.take(wait_s=1)) == ["a"]
        assert await intake.take(wait_s=1) == []

    on_virtual_time(work())


def test_closing_wakes_a_worker_that_waits_for_work() -> None:
    async def work() -> None:
        intake = Intake(events_max=3)
        taking = asyncio.ensure_future(intake.take(wait_s=1))
        await asyncio.sleep(5)
        assert not taking.done()
        await intake.close()
        assert await asyncio.wait_for(taking, 1) == []

    on_virtual_time(work())


def large(bytes_: int, name: str) -> FetchedChunk:
    """A chunk of one record of about so many bytes."""
    return fetched_chunk(Chunk(name, 0, records_of([b"x" * bytes_])), acknowledge=name)


def test_it_is_bounded_by_bytes_and_a_larger_chunk_passes_alone() -> None:
    """A backlog of large records fills neither the memory nor one batch."""

    async def work() -> None:
        intake = Intake(events_max=1_000, bytes_max=10_000)
        for name in "ab":
            await intake.put(large(6_000, name))
        putting = asyncio.ensure_future(intake.put(large(50_000, "larger")))
        await asyncio.sleep(10)
        assert not putting.done()
        assert 12_000 <= intake.size_bytes <= 13_000
        first = await intake.take(wait_s=1)
        assert names(first) == ["a"]
        await asyncio.wait_for(putting, 1)
        assert names(await intake.take(wait_s=1)) == ["b"]
        assert names(await intake.take(wait_s=1)) == ["larger"]
        assert intake.size_bytes > 62_000, "what was taken is in memory until it is stored"
        intake.give_back(first[0])
        assert 56_000 <= intake.size_bytes <= 57_000

    on_virtual_time(work())


def test_headers_and_keys_count_as_well() -> None:
    (record,) = records_of([b"x"])
    heavy = record._replace(headers=(("h" * 1_000, b"v" * 5_000),), key=b"k" * 2_000)
    assert 8_000 <= bytes_of([heavy]) <= 8_500
