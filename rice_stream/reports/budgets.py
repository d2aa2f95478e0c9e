"""Budgets and what they have consumed, as of now."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from rice_stream.budgets.announcement import budget_status
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.rules import judge
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.store.budget_store import load_budgets, load_state
from rice_stream.store.consumption import consumed_in
from rice_stream.store.engine import Connection, Engine, reading

BudgetName = tuple[str, str]
"""Tenant and name: what identifies a budget."""


def budget_statuses(
    engine: Engine, now: datetime, *, tenant: str | None = None, only: Collection[BudgetName] | None = None
) -> list[dict[str, Any]]:
    """All budgets, or those of a tenant or of some names, by tenant and name: each as `status_at` describes it."""
    with reading(engine) as connection:
        budgets = load_budgets(connection, tenant_id=tenant)
        return [status_at(connection, b, now) for b in budgets if only is None or (b.tenant_id, b.name) in only]


def named_budget_status(engine: Engine, name: str, tenant: str | None, now: datetime) -> dict[str, Any]:
    """The one budget of this name, of `tenant` where that is given.

    Raises:
        UsageError: there is none, or several tenants have one of this name.
    """
    with reading(engine) as connection:
        found = [budget for budget in load_budgets(connection, tenant_id=tenant) if budget.name == name]
        if not found:
            raise UsageError(f"there is no budget {name!r}; see `rice-stream budget list`")
        if len(found) > 1:
            owners = ", ".join(budget.tenant_id for budget in found)
            raise UsageError(f"several tenants have a budget {name!r}: {owners}; say which with --tenant")
        return status_at(connection, found[0], now)


def status_at(connection: Connection, budget: Budget, now: datetime) -> dict[str, Any]:
    """`announcement.budget_status` of the period that `now` lies in, with that period's bounds (RFC 3339).

    Judged on the totals of this moment, whether or not a worker has done so already.
    """
    period = period_at(budget, now)
    consumed = consumed_in(connection, budget, period)
    state, _ = judge(budget, load_state(connection, budget), consumed, period, now)
    return {
        **budget_status(budget, state, consumed),
        "period_start": rfc3339(epoch_us(period.start)),
        "period_end": rfc3339(epoch_us(period.end)),
    }
