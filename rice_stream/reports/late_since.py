"""Whether what was recorded since an instant is known without the records themselves, which retention may have dropped."""

from functools import partial

from rice_stream.instants import SECOND_US
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import found_once
from rice_stream.store.totals_tables import MINUTES


def came_late(connection: Connection, scope: Scope, low_us: int, high_us: int, as_of_us: int) -> bool:
    """Whether all prompts of the scope that ended in [low_us, high_us) and were recorded after an instant came into months that
    were closed by then. Of each of these an entry tells, with the amounts and the instant of the record."""
    question = "came late", scope, low_us, high_us, as_of_us
    return found_once(connection, question, partial(_came_late, connection, scope, low_us, high_us, as_of_us))


def _came_late(connection: Connection, scope: Scope, low_us: int, high_us: int, as_of_us: int) -> bool:
    at_us = f"m.{MINUTES.start} * {SECOND_US}"
    open_then = statement(
        f"SELECT 1 FROM {MINUTES.name} m WHERE {tenant_key_in(scope, 'm.tenant_key')}"
        f" AND m.{MINUTES.start} >= :low_s AND m.{MINUTES.start} < :high_s AND NOT EXISTS (SELECT 1 FROM period p"
        f" WHERE p.tenant_key = m.tenant_key AND p.marked_us <= :as_of_us AND {at_us} >= p.low_us AND {at_us} < p.high_us)"
        " LIMIT 1"
    )
    bounds = {"low_s": low_us // SECOND_US, "high_s": -(-high_us // SECOND_US), "as_of_us": as_of_us}
    return not rows_of(connection, open_then, {**bounds, **scope_parameters(scope)})
