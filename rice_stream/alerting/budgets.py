"""Setting and removing budgets: what the command line, the HTTP API and the worker's file of budgets do alike."""

from collections.abc import Sequence

from rice_stream.budgets.definition import Budget
from rice_stream.store import budget_store
from rice_stream.store.engine import Engine, writing
from rice_stream.store.watching import watch_users_of


def set_budgets(engine: Engine, budgets: Sequence[Budget], now_us: int) -> None:
    """Make the budgets, or change those of the same tenant and name; all of them or, on an error, none.

    This also mends budgets that cannot be read (`budget_store.UnreadableBudget`).

    A budget on one user needs totals of that user: those are begun (from the records) before the budget is stored.
    `now_us` is epoch microseconds. StoreUnavailableError: the database did not do it.
    """
    watch_users_of(engine, budgets)
    with writing(engine) as connection:
        for budget in budgets:
            budget_store.save_budget(connection, budget, now_us)


def remove_budget(engine: Engine, tenant_id: str, name: str) -> None:
    """Remove the tenant's budget of this name and its state, readable or not; its alerts stay.

    Nothing happens where there is none. StoreUnavailableError: the database did not do it.
    """
    with writing(engine) as connection:
        budget_store.remove_budget(connection, tenant_id, name)
