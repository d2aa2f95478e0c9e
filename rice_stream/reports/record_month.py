"""In which closed month a prompt is, and whether it was there when that was closed."""

from collections.abc import Callable
from typing import Any

from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.event_key_columns import RecordKey, stored_key
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading

_MONTH = """SELECT p.month, p.state, p.root, CASE WHEN EXISTS (SELECT 1 FROM adjustment_entry e
  WHERE e.tenant_key = p.tenant_key AND e.event_key = :event_key AND e.counted = 0) THEN 1 ELSE 0 END
FROM period p WHERE p.tenant_key = :tenant_key AND {} AND p.low_us <= :ended_at_us AND p.high_us > :ended_at_us"""


def record_month_later(
    engine: Engine, scope: Scope, key: RecordKey, ended_at_us: int
) -> Callable[[], dict[str, Any] | None]:
    """Gives, once, `{"month", "state", "root", "late"}` of the closed month that a prompt ended in; None: it is open, or not for
    this scope. Asked now, and waited for when it is called (`asked_ahead`).

    `late`: it came after the month was closed, and is no part of what was.
    """
    if scope.teams:
        return lambda: None
    with scoped_reading(engine, scope) as connection:
        of_it = {"tenant_key": key.tenant_key, "event_key": stored_key(connection.dialect.name, key.event_key)}
        asked = {**of_it, "ended_at_us": ended_at_us, **scope_parameters(scope)}
        rows = rows_later(connection, statement(_MONTH.format(tenant_key_in(scope, "p.tenant_key"))), asked)

    def told() -> dict[str, Any] | None:
        for month, state, root, is_late in rows():
            return {
                "month": month,
                "state": state,
                "root": None if root is None else bytes(root).hex(),
                "late": bool(is_late),
            }
        return None

    return told
