"""In which closed month a prompt is, and whether it was there when that was closed."""

from datetime import datetime
from typing import Any

from rice_stream.instants import epoch_us, in_utc
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading

_MONTH = """SELECT p.month, p.state, p.root FROM period p
 WHERE {} AND p.low_us <= :ended_at_us AND p.high_us > :ended_at_us"""
_IS_LATE = """SELECT 1 FROM adjustment_entry e
 WHERE e.tenant_key = :tenant_key AND e.event_key = :event_key AND e.counted = 0 LIMIT 1"""


def record_month(
    engine: Engine, scope: Scope, event_id: str, tenant_id: str, ended_at: datetime
) -> dict[str, Any] | None:
    """`{"month", "state", "root", "late"}` of the closed month that a prompt ended in; None: it is open, or not for this scope.

    `late`: it came after the month was closed, and is no part of what was.
    """
    seen = scope.within(tenant_id)
    if seen.teams:
        return None
    with scoped_reading(engine, scope) as connection:
        asked = {"ended_at_us": epoch_us(in_utc(ended_at)), **scope_parameters(seen)}
        rows = rows_of(connection, statement(_MONTH.format(tenant_key_in(seen, "p.tenant_key"))), asked)
        if not rows:
            return None
        month, state, root = rows[0]
        from rice_stream.reports.record_keys import find_key  # numpy takes a tenth of the server's start

        key = find_key(engine, scope, event_id, tenant_id, ended_at).key
        of_it = {"tenant_key": key.tenant_key, "event_key": stored_key(connection.dialect.name, key.event_key)}
        is_late = bool(rows_of(connection, statement(_IS_LATE), of_it))
    return {"month": month, "state": state, "root": None if root is None else bytes(root).hex(), "late": is_late}
