"""Old minutes of `minute_total` become quarter hours: a fifteenth of the rows, and as many as `slot_total` has at most.

Rolling windows alone need minutes, and the longest is 30 days. Everything else that is asked of old totals begins and
ends on quarter hours, as the periods of every calendar do, and is exact with either.
"""

from sqlalchemy import Connection, Engine, func, select, text

from rice_stream.instants import DAY_S, DAY_US, SECOND_US, SLOT_S, datetime_of
from rice_stream.quantities import MEASURES
from rice_stream.store import schema
from rice_stream.store.engine import reading, writing
from rice_stream.store.retention_plan import month_floor_us
from rice_stream.store.retention_state import changing_state, retention_state, save_state
from rice_stream.store.statements import add_totals_sql
from rice_stream.store.totals_tables import MINUTES

MINUTES_KEPT_US = 40 * DAY_US
"""The longest rolling window, the two days for which late events are waited for, and some days to spare."""
_STRETCH_S = 31 * DAY_S
"""What one transaction folds of a tenant: a month, 44,640 rows at most."""

_OLD = "tenant_key = :tenant AND minute_start_s >= :low AND minute_start_s < :high AND minute_start_s % :slot <> 0"
_SUMS = ", ".join(f"SUM({name})" for name in (*MEASURES, *MINUTES.corrected_columns))
_QUARTERS = f"SELECT tenant_key, minute_start_s - minute_start_s % :slot, {_SUMS} FROM {{}} GROUP BY 1, 2"
_POSTGRESQL = f"WITH gone AS (DELETE FROM minute_total WHERE {_OLD} RETURNING *) " + add_totals_sql(
    MINUTES, _QUARTERS.format("gone"), corrects=True
)
"""One statement: a late event's sum that comes in between is waited for, and taken over."""
_SQLITE = (
    add_totals_sql(MINUTES, _QUARTERS.format(f"minute_total WHERE {_OLD}"), corrects=True),
    f"DELETE FROM minute_total WHERE {_OLD}",
)


def fold_minutes(engine: Engine, now_us: int) -> bool:
    """Fold the minutes before the month in which the last 40 days begin; False: that was done before.

    `minutes_from_us` is moved first: from then on nobody takes an older row for a single minute.
    """
    before_us = month_floor_us(datetime_of(now_us - MINUTES_KEPT_US))
    minutes = schema.minute_total.c
    with reading(engine) as connection:
        if retention_state(connection).minutes_from_us >= before_us:
            return False
        first = select(minutes.tenant_key, func.min(minutes.minute_start_s)).group_by(minutes.tenant_key)
        tenants = connection.execute(first.order_by(minutes.tenant_key)).all()
    with changing_state(engine) as connection:
        save_state(connection, minutes_from_us=before_us)
    before_s = before_us // SECOND_US
    for tenant_key, first_s in tenants:
        for low_s in range(first_s - first_s % SLOT_S, before_s, _STRETCH_S):
            with writing(engine) as connection:
                fold_stretch(connection, tenant_key, low_s, min(low_s + _STRETCH_S, before_s))
    return True


def fold_stretch(connection: Connection, tenant_key: int, low_s: int, high_s: int) -> None:
    """Fold a tenant's minutes between two starts of quarter hours, in epoch seconds."""
    parameters = {"tenant": tenant_key, "low": low_s, "high": high_s, "slot": SLOT_S}
    for statement in (_POSTGRESQL,) if connection.dialect.name == "postgresql" else _SQLITE:
        connection.execute(text(statement), parameters)
