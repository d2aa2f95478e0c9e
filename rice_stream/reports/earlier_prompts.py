"""Whether there is anything before a moment: one look into the totals, where a sum would read all of them."""

from collections.abc import Callable
from datetime import datetime

from rice_stream.instants import epoch_s, in_utc
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading
from rice_stream.store.totals_tables import DAYS, SLOTS


def any_before_later(engine: Engine, scope: Scope, moment: datetime) -> Callable[[], bool]:
    """Gives, once, whether a prompt of the scope ended before a moment on a quarter hour, as corrected by now: what was voided is
    none. Asked now, and waited for when it is called (`asked_ahead`)."""
    whose = f"{tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
    looks = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table.name} m WHERE {when} AND {whose} AND m.prompts > 0)"
        for table, when in (
            (DAYS, f"m.{DAYS.start} < :whole_s"),
            (SLOTS, f"m.{SLOTS.start} >= :whole_s AND m.{SLOTS.start} < :to_s"),
        )
    )
    to_s = epoch_s(in_utc(moment))
    parameters = {"whole_s": DAYS.floor_s(to_s), "to_s": to_s, **scope_parameters(scope)}
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, statement(f"SELECT CASE WHEN {looks} THEN 1 ELSE 0 END"), parameters)
    return lambda: bool(rows()[0][0])
