"""Months of tenants that contracts are applied to."""

from rice_stream.errors import NotFoundError
from rice_stream.runtime.month_closing import month_of_tenant
from rice_stream.store.contract_store import TenantMonth
from rice_stream.store.engine import Engine, reading
from rice_stream.store.period_store import calendar_bounds
from rice_stream.store.stored_records import tenant_keys


def month_to_cover(engine: Engine, tenant_id: str, month: str) -> TenantMonth:
    """The month in the tenant's time zone, or as it was closed. UsageError: it is none; NotFoundError: there is no such tenant."""
    which = month_of_tenant(engine, tenant_id, month)
    with reading(engine) as connection:
        tenant_key = tenant_keys(connection).get(tenant_id)
        if tenant_key is None:
            raise NotFoundError(f"tenant {tenant_id!r}: there is none; `rice-stream tenant list` shows all")
        return TenantMonth(tenant_key, which.name, *calendar_bounds(connection, tenant_key, which))
