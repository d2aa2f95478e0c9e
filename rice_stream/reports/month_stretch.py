"""From when to when a month of a tenant lasts, and what it is closed with."""

from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.channels.months import Month
from rice_stream.errors import NotFoundError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.store.engine import Connection
from rice_stream.store.period_store import StoredPeriod, calendar_bounds, find_period
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import has_any_of, scope_parameters


class MonthStretch(NamedTuple):
    """`low_us <= t < high_us` are the tenant's; `period` is what is kept of a month that is closed or being closed."""

    tenant_id: str
    tenant_key: int
    month: Month
    low_us: int
    high_us: int
    period: StoredPeriod | None

    @property
    def window(self) -> dict[str, Any]:
        """As it is told: from, to (not included), and whose calendar it is."""
        return {"from": rfc3339(self.low_us), "to": rfc3339(self.high_us), "time_zone": self.month.time_zone}

    @property
    def told(self) -> dict[str, Any]:
        """How it stands: `{"state", "root", "checkpoint"}`; of an open month nothing is signed."""
        period = self.period
        return {
            "state": "open" if period is None else period.state,
            "root": None if period is None or period.root is None else period.root.hex(),
            "checkpoint": None if period is None else period.note,
        }


def month_stretch(connection: Connection, scope: Scope, tenant: str, month: str) -> MonthStretch:
    """That of `2026-10`. A month that is closed lasts as it did when it was closed, whatever the tenant's time zone is now.

    Who sees some teams only is told by the calendar alone: a closed month is the whole tenant's.

    NotFoundError: there is no such tenant in the scope. UsageError: it is no month.
    """
    seen = scope.within(tenant)
    query = text(f"SELECT t.tenant_key, t.time_zone FROM tenant t WHERE t.tenant_id = :asked AND {has_any_of(seen)}")
    row = connection.execute(query, {"asked": tenant, **scope_parameters(seen)}).first()
    if row is None:
        raise NotFoundError(f"tenant: there is no {tenant!r} that you may see; see `rice-stream tenant list`")
    tenant_key, time_zone = row
    wanted = Month.of(month, time_zone)
    if scope.teams:
        return MonthStretch(tenant, tenant_key, wanted, epoch_us(wanted.start), epoch_us(wanted.end), None)
    period = find_period(connection, tenant_key, wanted.name)
    low_us, high_us = (
        calendar_bounds(connection, tenant_key, wanted) if period is None else (period.low_us, period.high_us)
    )
    return MonthStretch(tenant, tenant_key, wanted, low_us, high_us, period)
