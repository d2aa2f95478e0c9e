"""What a page asks of every moment that it begins, asked at once."""

from collections.abc import Callable
from datetime import datetime

from rice_stream.reports.progress import marker_later
from rice_stream.reports.signs import Signs, signs_later
from rice_stream.reports.totals_ground import ground_later
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def begin_moment(
    engine: Engine, scope: Scope, now: datetime, *, signs: bool, adds_up: bool
) -> Callable[[], Signs] | None:
    """Asks for its marker first; gives its `signs`, once, where they are wanted. `adds_up`: totals will be asked for; the scope is
    then of one tenant at most."""
    if adds_up:
        with scoped_reading(engine, scope) as connection:
            ground_later(connection, scope)
    else:
        marker_later(engine, scope)
    return signs_later(engine, scope, now) if signs else None
