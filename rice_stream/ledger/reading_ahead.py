"""Working out what comes next while something else is done: by a thread on PostgreSQL, which answers on a connection of its own."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rice_stream.store.engine import Engine

_T = TypeVar("_T")


@contextmanager
def one_ahead(engine: Engine, items: Iterator[_T]) -> Generator[Iterator[_T]]:
    """The items, each worked out while the one before it is used. On SQLite each is when it is needed: what is written there holds
    up who reads in the same process, and a database in memory is that of its thread."""
    if engine.dialect.name != "postgresql":
        yield items
        return
    with ThreadPoolExecutor(1, "ahead") as worker:
        yield _each(worker, items)


def _each(worker: ThreadPoolExecutor, items: Iterator[_T]) -> Iterator[_T]:
    following = worker.submit(next, items, None)
    while (item := following.result()) is not None:
        following = worker.submit(next, items, None)
        yield item
