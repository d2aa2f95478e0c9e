"""Several reports of the same moment: one transaction for all of them, which is also quicker than one for each."""

from collections.abc import Iterator
from contextlib import contextmanager

from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import holding_open
from rice_stream.store.snapshot import snapshot


@contextmanager
def one_moment(engine: Engine, scope: Scope) -> Iterator[None]:
    """A stretch of code whose reports see the same commits: those that read of this engine within this scope."""
    with snapshot(engine, scope) as connection, holding_open(engine, scope, connection):
        yield
