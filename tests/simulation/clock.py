"""An event loop on which time is a number: nothing sleeps, and the same seed gives the same order of everything."""

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class NothingLeftToDoError(AssertionError):
    """Every task waits for another: the simulated system hangs."""


class _VirtualSelector(selectors.SelectSelector):
    """Waits by moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftToDoError("every task waits and no timer is set")
        self.now_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio with `_VirtualSelector`'s clock."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


class VirtualExecutor(Executor):
    """A thread of the worker: each piece of work happens at once, a random time after it was handed in.

    `kill` is kill -9: what is in flight either never happened or happened without anybody hearing of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, seconds_max: float) -> None:
        self._loop = loop
        self._random = random
        self._seconds_max = seconds_max
        self._in_flight: dict[Future[Any], Callable[[], Any]] = {}
        self._dead = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        self._in_flight[future] = lambda: fn(*args, **kwargs)
        self._loop.call_later(self._random.uniform(0, self._seconds_max), self._run, future)
        return future

    def _run(self, future: Future[Any]) -> None:
        work = self._in_flight.pop(future, None)
        if work is None or self._dead:
            return
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  as a real executor: it is raised where the result is awaited
            future.set_exception(error)
        else:
            future.set_result(result)

    def kill(self, *, last_work_happens: bool) -> None:
        """Drop the work in flight, or let it happen unheard."""
        self._dead = True
        for work in self._in_flight.values():
            if last_work_happens:
                with contextlib.suppress(Exception):  # nobody is left to hear it
                    work()
        self._in_flight.clear()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing to wait for."""


class VirtualTime:
    """Stands for the module `time` in what is simulated."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_us: int) -> None:
        self._loop = loop
        self._start_us = start_us

    def monotonic(self) -> float:
        """Seconds of the loop."""
        return self._loop.time()

    def time_ns(self) -> int:
        """The wall clock: the start of the simulation and what has passed since."""
        return (self._start_us + int(self._loop.time() * 1e6)) * 1000


def raise_unexpected(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Exception handler of the loop: what nobody awaited must not be lost."""
    error = context.get("exception")
    if isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError):
        raise error
