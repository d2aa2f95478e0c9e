"""What of the ledger totals of a stretch depend on, at a glance: while it is the same, they would be told the same."""

from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import rows_of, statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, tenant_key_in
from rice_stream.store.scoped import scoped_reading


def prompts_so_far(engine: Engine, scope: Scope, from_us: int, to_us: int) -> tuple[int, int] | None:
    """How many prompts are counted on the days of UTC that a stretch touches, to which every prompt that arrives for it adds; and
    the latest correction of a tenant of the scope, which may change amounts and no number of prompts.

    None: who sees some teams only is told from what knows them, for which there is no short way.
    """
    if scope.teams:
        return None
    days = {"low": from_us // SECOND_US // DAY_S * DAY_S, "high": -(-to_us // SECOND_US)}
    query = (
        "SELECT COALESCE(SUM(d.prompts), 0), (SELECT COALESCE(MAX(a.adjustment_key), 0) FROM adjustment a"
        f" WHERE {tenant_key_in(scope, 'a.tenant_key')}) FROM tenant_day_total d"
        f" WHERE d.day_start_s >= :low AND d.day_start_s < :high AND {tenant_key_in(scope, 'd.tenant_key')}"
    )
    with scoped_reading(engine, scope) as connection:
        ((prompts, correction),) = rows_of(connection, statement(query), {**scope_parameters(scope), **days})
    return int(prompts), int(correction)
