"""Runs one schedule on a loop of its own and words its failure."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.simulation.clock import VirtualLoop, VirtualTime
from tests.simulation.schedule import Outcome, Schedule
from tests.simulation.store import Store
from tests.simulation.worker import START_S

VIRTUAL_SECONDS_MAX = 3000.0
"""Far more than a schedule plays and drains for: whatever still runs then hangs."""


@contextmanager
def _quiet() -> Iterator[None]:
    """The workers' warnings are the point of the exercise, not news."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def run_schedule(seed: int, store: Store) -> Outcome:
    """Run one schedule on the store, emptied first. An AssertionError names the seed and how to run it again."""
    loop = VirtualLoop()
    time = VirtualTime(loop, int(START_S) * 1_000_000)
    schedule: list[Schedule] = []

    async def main() -> None:
        schedule.append(Schedule(seed, store))
        async with asyncio.timeout(VIRTUAL_SECONDS_MAX):
            await schedule[0].run()

    store.empty()
    try:
        with _quiet(), mock.patch("rice_stream.worker.batches.time", time):
            loop.run_until_complete(main())
    except Exception as error:
        happened = "\n  ".join(schedule[0].outcome.log) if schedule else ""
        again = f"python -m tests.simulation --seed {seed} --store {store.name}"
        raise AssertionError(f"schedule {seed} failed: {error!r}\nrun it again: {again}\n  {happened}") from error
    finally:
        _close(loop)
    return schedule[0].outcome


def _close(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.set_exception_handler(lambda *_: None)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
