"""What runs beside the screen: threads whose failures come out where the demo is played."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_THREADS = 6


class Background:
    """Loops until the end of the block, and work that takes long. Leaving the block stops and awaits all of it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS, "rice-demo")
        self._loops: list[Future[Any]] = []

    def loop(self, run: Callable[[threading.Event], T]) -> Future[T]:
        """Start `run(stop)`, which returns soon after `stop` is set."""
        future = self._pool.submit(run, self._stop)
        self._loops.append(future)
        return future

    def work(self, do: Callable[[], T]) -> Future[T]:
        """Do something that ends by itself."""
        return self._pool.submit(do)

    def check(self) -> None:
        """Raise what a loop ended with, if one has failed."""
        for future in self._loops:
            if future.done():
                future.result()

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the loops and wait for everything."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
