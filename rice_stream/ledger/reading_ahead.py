"""Reading what comes next while something else is done: by a thread on PostgreSQL, which answers it on a connection of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from rice_stream.store.engine import Engine

Begin = Callable[..., Callable[[], Any]]
"""Is given a function and its arguments; what it gives waits for the answer, when that is needed."""


@contextmanager
def reading_ahead(engine: Engine) -> Iterator[Begin]:
    """Reads begin at once, one after another. On SQLite each is done when its answer is needed: what is written there holds up
    who reads in the same process, and a database in memory is that of its thread."""
    if engine.dialect.name != "postgresql":
        yield partial
        return
    with ThreadPoolExecutor(1, "reading-ahead") as reader:
        yield lambda read, *arguments: reader.submit(read, *arguments).result
