"""Budgets, their states and their alerts in SQL; what they consumed is `consumption.py`'s."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.states import BudgetState
from rice_stream.errors import RiceError, UsageError
from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.statements import insert_ignoring


@dataclass(frozen=True, slots=True)
class UnreadableBudget:
    """A stored budget whose definition or state cannot be read, and why: nobody judges it until it is set again."""

    budget_id: int
    tenant_id: str
    name: str
    problem: str


class StoredBudgets(NamedTuple):
    """Budgets with their states, and those that cannot be read; both by tenant and name."""

    readable: list[tuple[Budget, BudgetState]]
    unreadable: list[UnreadableBudget]


def load_budgets(
    connection: Connection, *, tenant_id: str | None = None, tenant_keys: Collection[int] | None = None
) -> StoredBudgets:
    """All budgets, those of a tenant, or those of some tenants by their keys."""
    table, state = schema.budget, schema.budget_state
    query = (
        select(table, state.c.state)
        .outerjoin(state, state.c.budget_id == table.c.id)
        .order_by(table.c.tenant_id, table.c.name)
    )
    if tenant_id is not None:
        query = query.where(table.c.tenant_id == tenant_id)
    if tenant_keys is not None:
        # Chosen below: with thousands of keys in it, the statement would be compiled again each time.
        tenant = schema.tenant
        query = query.add_columns(tenant.c.tenant_key).join(tenant, tenant.c.tenant_id == table.c.tenant_id)
    stored = StoredBudgets([], [])
    for row in connection.execute(query).mappings():
        if tenant_keys is not None and row["tenant_key"] not in tenant_keys:
            continue
        try:
            stored.readable.append((_budget(row), _state(row["state"])))
        except RiceError as error:
            stored.unreadable.append(UnreadableBudget(row["id"], row["tenant_id"], row["name"], str(error)))
    return stored


def lock_budget(connection: Connection, budget_id: int) -> tuple[Budget, BudgetState] | None:
    """The budget and its state as they are now; nobody else judges or changes it until the transaction ends.

    None: it is gone, or cannot be read any more. The lock is on the budget's own row, so that it also holds before there
    is a state.
    """
    table, state = schema.budget, schema.budget_state
    row = connection.execute(select(table).where(table.c.id == budget_id).with_for_update()).mappings().one_or_none()
    if row is None:
        return None
    try:
        return _budget(row), _state(connection.scalar(select(state.c.state).where(state.c.budget_id == budget_id)))
    except RiceError:
        return None


def _state(text: str | None) -> BudgetState:
    if text is None:
        return BudgetState()
    try:
        mapping = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RiceError(
            f"its stored state is no JSON ({type(error).__name__}); set the budget again to start it afresh"
        ) from error
    return BudgetState.from_mapping(mapping)


def _budget(row: Any) -> Budget:
    try:
        return _defined(row)
    except (UsageError, TypeError, ValueError, RecursionError) as error:
        raise RiceError(
            f"its stored definition cannot be read ({error}); set the budget again, or remove it"
        ) from error


def _defined(row: Any) -> Budget:
    return Budget(
        budget_id=row["id"],
        name=row["name"],
        tenant_id=row["tenant_id"],
        team_id=row["team_id"],
        project_id=row["project_id"],
        user_id=row["user_id"],
        model=row["model"],
        limit=row["limit_amount"],
        unit=row["unit"],
        period=row["period"],
        time_zone=row["time_zone"],
        thresholds=tuple(json.loads(row["thresholds"])),
        estimate=row["estimate"],
        hysteresis=row["hysteresis"],
    )


def save_budget(connection: Connection, budget: Budget, now_us: int) -> None:
    """Make the budget, or change the one of the same tenant and name; its history of states goes on.

    A state that cannot be read is replaced: the budget is judged as a new one, and its sequence goes on after its last
    alert.
    """
    table = schema.budget
    values = {
        "team_id": budget.team_id,
        "project_id": budget.project_id,
        "user_id": budget.user_id,
        "model": budget.model,
        "limit_amount": budget.limit,
        "unit": budget.unit,
        "period": budget.period,
        "time_zone": budget.time_zone,
        "thresholds": json.dumps(list(budget.thresholds)),
        "estimate": budget.estimate,
        "hysteresis": budget.hysteresis,
        "updated_at_us": now_us,
    }
    budget_id = _lock_named(connection, budget.tenant_id, budget.name)
    if budget_id is None:
        connection.execute(insert(table).values(tenant_id=budget.tenant_id, name=budget.name, **values))
        return
    connection.execute(update(table).where(table.c.id == budget_id).values(values))
    _mend_state(connection, budget_id)


def _mend_state(connection: Connection, budget_id: int) -> None:
    state, alert = schema.budget_state, schema.alert
    try:
        _state(connection.scalar(select(state.c.state).where(state.c.budget_id == budget_id)))
    except RiceError:
        announced = connection.scalar(select(func.max(alert.c.sequence)).where(alert.c.budget_id == budget_id))
        save_state(connection, budget_id, BudgetState(sequence=announced or 0))


def remove_budget(connection: Connection, tenant_id: str, name: str) -> None:
    """Forget the budget and its state, also where they cannot be read; its alerts stay. Nothing where there is none."""
    # Locked first: whoever is judging it may be about to keep a state.
    budget_id = _lock_named(connection, tenant_id, name)
    if budget_id is not None:
        connection.execute(delete(schema.budget_state).where(schema.budget_state.c.budget_id == budget_id))
        connection.execute(delete(schema.budget).where(schema.budget.c.id == budget_id))


def _lock_named(connection: Connection, tenant_id: str, name: str) -> int | None:
    table = schema.budget
    same = (table.c.tenant_id == tenant_id) & (table.c.name == name)
    budget_id: int | None = connection.scalar(select(table.c.id).where(same).with_for_update())
    return budget_id


def save_state(connection: Connection, budget_id: int, state: BudgetState) -> None:
    """Keep the state of the budget of this id."""
    table = schema.budget_state
    text = json.dumps(state.to_mapping())
    changed = connection.execute(update(table).where(table.c.budget_id == budget_id).values(state=text))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(budget_id=budget_id, state=text))


def watermark_us(connection: Connection, tenant_id: str) -> int | None:
    """The start of the latest minute in which the tenant has records; None: it has none."""
    table = schema.minute_total
    query = (
        select(func.max(table.c.minute_start_s))
        .join(schema.tenant, schema.tenant.c.tenant_key == table.c.tenant_key)
        .where(schema.tenant.c.tenant_id == tenant_id)
    )
    latest: int | None = connection.scalar(query)
    return None if latest is None else latest * SECOND_US


def add_alerts(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put alerts into the outbox; one that is there stays."""
    if rows:
        connection.execute(insert_ignoring(schema.alert, connection.dialect.name), list(rows))


def undelivered_alerts(connection: Connection, limit: int = 500) -> list[dict[str, Any]]:
    """Alerts to send, oldest first; per budget in the order of their sequence."""
    table = schema.alert
    query = (
        select(table.c.id, table.c.tenant_id, table.c.event)
        .where(table.c.delivered_at_us.is_(None))
        .order_by(table.c.created_at_us, table.c.budget_id, table.c.sequence)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def mark_delivered(connection: Connection, ids: Sequence[str], now_us: int) -> None:
    """The broker has these alerts."""
    table = schema.alert
    connection.execute(update(table).where(table.c.id.in_(list(ids))).values(delivered_at_us=now_us))
