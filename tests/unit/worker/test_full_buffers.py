"""Faust asks for no partition of which enough waits for the agent: how soon it does again."""

import asyncio
from typing import Any

from faust.types import TP
from mode import Service

from rice_stream.worker.consumer_thread import Fetched
from tests.simulation.clock import VirtualLoop
from tests.simulation.consumer import make_consumer

FULL, EMPTY = TP("events", 0), TP("events", 1)
EMPTIED_AT_S = 0.3


class OneBacklog(Service):
    """A broker that has more of one partition only."""

    def assignment(self) -> set[TP]:
        return {FULL, EMPTY}

    async def getmany(self, active: set[TP], timeout: float) -> Fetched:
        if FULL in active:
            return Fetched({FULL: ["a chunk"]})
        await asyncio.sleep(timeout)
        return Fetched({})


def asked_again_at_s(also_full: set[TP]) -> float:
    """When a partition is fetched again whose chunks are worked off at EMPTIED_AT_S; the other one has nothing new."""
    found = 0.0

    async def nothing(*_: Any) -> None:
        return None

    async def work() -> None:
        nonlocal found
        consumer: Any = make_consumer(OneBacklog, nothing, on_revoked=nothing, on_assigned=nothing)  # type: ignore[arg-type]
        consumer.flow_active = True
        for tp in {FULL} | also_full:
            consumer.on_buffer_full(tp)
        loop = asyncio.get_running_loop()
        loop.call_later(EMPTIED_AT_S, consumer.on_buffer_drop, FULL)
        while not (await consumer._wait_next_records(1.0))[0]:
            assert loop.time() < 5
        found = loop.time()

    loop = VirtualLoop()
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()
    return found


def test_a_backlog_of_one_partition_is_not_held_up_by_others_that_have_nothing() -> None:
    """Not for the whole second that the others are asked for."""
    assert EMPTIED_AT_S <= asked_again_at_s(set()) < EMPTIED_AT_S + 0.05


def test_nor_is_it_where_all_partitions_were_full() -> None:
    """Faust would sleep a second then."""
    assert EMPTIED_AT_S <= asked_again_at_s({EMPTY}) < EMPTIED_AT_S + 0.05
