"""Contracts for electricity as they are answered: their terms, and what they cover."""

from collections import defaultdict
from typing import Any

from sqlalchemy import func, select

from rice_stream.quantities import MICRO
from rice_stream.reference.sets.contracts import ContractTerms, contracts_in_force
from rice_stream.reference.sets.history import effective_sets
from rice_stream.store import schema
from rice_stream.store.engine import Engine
from rice_stream.store.factor_set_store import KnownSets
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

_UWH_PER_KWH = 1000 * MICRO


def contracts(engine: Engine, scope: Scope, *, now_us: int) -> list[dict[str, Any]]:
    """Those that are in force: `[{"contract", "instrument", "granularity", "kwh", "rci_gco2e_per_kwh", "tenant", "provider",
    "region", "scope", "vintage", "valid_from", "valid_to", "source", "months": [{"month", "tenant_id", "covered_kwh"}]}]`.

    Who sees some tenants only sees none: what is left of a contract tells of others.
    """
    if not scope.is_everything:
        return []
    covered, tenant = schema.contract_coverage.c, schema.tenant.c
    query = (
        select(covered.contract, covered.month, tenant.tenant_id, func.sum(covered.covered_uwh))
        .join(schema.tenant, tenant.tenant_key == covered.tenant_key)
        .group_by(covered.contract, covered.month, tenant.tenant_id)
        .order_by(covered.month, tenant.tenant_id)
    )
    months: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with scoped_reading(engine, scope) as connection:
        sets = effective_sets(KnownSets().look(connection))
        for name, month, tenant_id, energy in connection.execute(query):
            months[name].append({"month": month, "tenant_id": tenant_id, "covered_kwh": int(energy) / _UWH_PER_KWH})
    in_force = contracts_in_force(sets, now_us)
    return [{**each.told(), "months": months[each.contract]} for each in sorted(in_force, key=_order)]


def _order(terms: ContractTerms) -> tuple[str, int]:
    return terms.contract, terms.from_us
