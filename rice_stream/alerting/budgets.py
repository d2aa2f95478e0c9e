"""Setting and removing budgets: what the command line, the HTTP API and the worker's file of budgets do alike."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import budget_fields
from rice_stream.store import budget_store
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.budget_store import UnreadableBudget
from rice_stream.store.engine import Engine, writing
from rice_stream.store.watching import watch_users_of

OldBudget = Budget | UnreadableBudget | None
"""What was there before a change: a budget, one that cannot be read, or none."""


def set_budgets(
    engine: Engine,
    budgets: Sequence[Budget],
    now_us: int,
    by: Actor,
    *,
    check: Callable[[OldBudget], None] | None = None,
) -> None:
    """Make the budgets, or change those of the same tenant and name; all of them or, on an error, none.

    This also mends budgets that cannot be read (`budget_store.UnreadableBudget`).

    A budget on one user needs totals of that user: those are begun (from the records) before the budget is stored.
    `now_us` is epoch microseconds. `check` is shown what was there of each, and may raise: nothing is
    changed then. What differs from before is kept in the audit trail. StoreUnavailableError: the database
    did not do it.
    """
    watch_users_of(engine, budgets)
    with writing(engine) as connection:
        saved = [(budget_store.save_budget(connection, budget, now_us), budget) for budget in budgets]
        if check is not None:
            for old, _ in saved:
                check(old)
        changes = [_change("budget.set", new, before=old, after=new) for old, new in saved if not _same(old, new)]
        record(connection, by, changes)


def remove_budget(
    engine: Engine, tenant_id: str, name: str, by: Actor, *, check: Callable[[OldBudget], None] | None = None
) -> None:
    """Remove the tenant's budget of this name and its state, readable or not; its alerts stay.

    Nothing happens where there is none. `check` is shown what was there, and may raise: it stays then.
    StoreUnavailableError: the database did not do it.
    """
    with writing(engine) as connection:
        removed = budget_store.remove_budget(connection, tenant_id, name)
        if check is not None:
            check(removed)
        if removed is not None:
            record(connection, by, [_change("budget.remove", removed, before=removed, after=None)])


def _same(old: OldBudget, new: Budget) -> bool:
    return isinstance(old, Budget) and replace(old, budget_id=new.budget_id) == new


def _change(
    action: str,
    named: Budget | UnreadableBudget,
    *,
    before: OldBudget,
    after: Budget | None,
) -> AuditedChange:
    return AuditedChange(action, "budget", named.name, named.tenant_id, before=_fields(before), after=_fields(after))


def _fields(budget: OldBudget) -> dict[str, Any] | None:
    if isinstance(budget, UnreadableBudget):
        return {"name": budget.name, "tenant_id": budget.tenant_id, "unreadable": budget.problem}
    return None if budget is None else budget_fields(budget)
