"""How many prompts count as much as one prompt can cost, because their estimate was above it: as corrected by now."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, text

from rice_stream.basis import Basis
from rice_stream.instants import SECOND_US
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.event_key_columns import key_bound
from rice_stream.store.horizon import records_from_us
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in


def capped_prompts_later(connection: Connection, scope: Scope, from_s: int) -> Callable[[], int]:
    """Gives, once, those that ended at or after an instant (epoch seconds) and whose records are kept; no look at records without
    any. Asked now, and waited for when it is called (`asked_ahead`)."""
    known = rows_later(connection, statement("SELECT basis_flags FROM basis"), {})
    return lambda: _counted(connection, scope, from_s, known())


def _counted(connection: Connection, scope: Scope, from_s: int, known: Sequence[Sequence[Any]]) -> int:
    flags = [value for (value,) in known if value & Basis.AMOUNT_CAPPED]
    if not flags:
        return 0
    conditions = (
        "r.event_key >= :low AND r.basis_flags IN :flags"
        f" AND {tenant_key_in(scope, 'r.tenant_key')} AND {attribution_in(scope, 'r')}"
    )
    # What was voided, or is estimated otherwise by now, entries take away again.
    query = text(
        f"SELECT (SELECT COUNT(*) FROM prompt_record r WHERE {conditions})"
        f" + (SELECT COALESCE(SUM(r.prompts), 0) FROM adjustment_entry r WHERE {conditions} AND r.counted = 1)"
    )
    # What corrects a record that has been dropped tells of nothing that is counted here.
    low = key_bound(connection.dialect.name, max(from_s * SECOND_US, records_from_us(connection)) // 1000)
    return int(
        connection.execute(
            query.bindparams(bindparam("flags", expanding=True)),
            {"low": low, "flags": flags, **scope_parameters(scope)},
        ).scalar_one()
    )
