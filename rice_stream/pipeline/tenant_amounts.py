"""What records add to the totals that budgets are judged by, by tenant."""

from collections.abc import Mapping
from typing import NamedTuple

from rice_stream.meter.amounts import roll_up
from rice_stream.quantities import MEASURES
from rice_stream.store.batch import Records


class TenantAmount(NamedTuple):
    """Of one tenant: micrograms CO2e, microwatt-hours."""

    carbon_mid_ugco2e: int
    facility_energy_uwh: int


TenantAmounts = Mapping[str, TenantAmount]
"""By tenant_id."""
_COLUMNS = [MEASURES.index(name) for name in TenantAmount._fields]


def amounts_by_tenant(records: Records, tenant_ids: Mapping[int, str]) -> TenantAmounts | None:
    """Exact sums; `tenant_ids` names the tenants of keys. None: one of them has no name, as names were forgotten meanwhile."""
    sums = roll_up([records.columns["tenant_key"]], records.measures[:, _COLUMNS])
    names = [tenant_ids.get(key) for key in sums.keys[:, 0].tolist()]
    amounts = (TenantAmount(*row) for row in sums.sums.tolist())
    found = {name: amount for name, amount in zip(names, amounts, strict=True) if name is not None}
    return found if len(found) == len(names) else None


def both(some: TenantAmounts, others: TenantAmounts) -> TenantAmounts:
    """Added up."""
    found = dict(some)
    for tenant_id, amount in others.items():
        before = found.get(tenant_id)
        if before is not None:
            amount = TenantAmount(*map(sum, zip(before, amount, strict=True)))
        found[tenant_id] = amount
    return found
