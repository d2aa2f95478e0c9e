"""Local calendars in SQL: the first instants of months, so that a view can say "month to date" in any time zone."""

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select, update

from rice_stream.instants import YEAR_MAX, YEAR_MIN, day_start, epoch_s, zone
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import writing
from rice_stream.store.statements import insert_ignoring


def month_starts(place: ZoneInfo) -> list[int]:
    """Epoch seconds of the first instant of every local month that an event may lie in."""
    months = (date(year, month, 1) for year in range(YEAR_MIN, YEAR_MAX + 1) for month in range(1, 13))
    return [epoch_s(day_start(first, place)) for first in months]


def ensure_months(connection: Connection, time_zone: str) -> None:
    """Keep the months of a time zone; nothing to do when they are there."""
    table = schema.month_start
    known = connection.scalar(select(func.count()).select_from(table).where(table.c.time_zone == time_zone))
    if known:
        return
    rows = [{"time_zone": time_zone, "month_start_s": start} for start in month_starts(zone(time_zone))]
    connection.execute(insert_ignoring(table, connection.dialect.name), rows)


def set_time_zone(engine: Engine, tenant_id: str, time_zone: str, by: Actor) -> None:
    """The time zone of a tenant's days and months; the tenant may be one without events so far. UsageError: no such zone."""
    zone(time_zone)
    tenant_key = Dimensions(engine).tenants([tenant_id])[tenant_id]
    table = schema.tenant
    with writing(engine) as connection:
        same = table.c.tenant_key == tenant_key
        before = connection.scalar(select(table.c.time_zone).where(same).with_for_update())
        connection.execute(update(table).where(same).values(time_zone=time_zone))
        ensure_months(connection, time_zone)
        if before != time_zone:
            zones = {"time_zone": before}, {"time_zone": time_zone}
            record(connection, by, [AuditedChange("tenant.set", "tenant", tenant_id, tenant_id, *zones)])
