"""Transactions that read or write within a scope."""

from collections.abc import Iterator
from contextlib import contextmanager

from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.scope import Scope

READ_TIMEOUT_S = 2.0
"""How long one statement of the API may run."""


def confined(engine: Engine, *, statement_timeout_s: float | None = READ_TIMEOUT_S) -> Engine:
    """The same database through the same connections, for callers that must not see more than a scope.

    On PostgreSQL the database itself holds each of its scoped transactions to the scope.
    """
    return engine.execution_options(rice_confined=True, rice_statement_timeout_s=statement_timeout_s)


@contextmanager
def scoped_reading(engine: Engine, scope: Scope) -> Iterator[Connection]:
    """A connection that only reads, and for which the database itself knows the scope where it can."""
    del scope  # PostgreSQL is told of it with row-level security
    with reading(engine) as connection:
        yield connection


@contextmanager
def scoped_writing(engine: Engine, scope: Scope) -> Iterator[Connection]:
    """A transaction that changes something, likewise; committed at the end, rolled back on any exception."""
    del scope
    with writing(engine) as connection:
        yield connection
