"""Several reports of the same moment: one transaction for all of them, which is also quicker than one for each."""

from collections.abc import Iterator
from contextlib import contextmanager

from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import holding_open, keep_found
from rice_stream.store.snapshot import KEEPS_JOIN_ORDER, snapshot


@contextmanager
def one_moment(engine: Engine, scope: Scope, *, keeps_join_order: bool = False) -> Iterator[None]:
    """A stretch of code whose reports see the same commits: those that read of this engine within this scope.

    `keeps_join_order`: as of `snapshot`, for all of them.
    """
    with (
        snapshot(engine, scope, keeps_join_order=keeps_join_order) as connection,
        holding_open(engine, scope, connection),
    ):
        keep_found(connection, KEEPS_JOIN_ORDER, keeps_join_order)
        yield
