"""Budgets, their states and their alerts in SQL; what they consumed is `consumption.py`'s."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.states import BudgetState
from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.statements import insert_ignoring


def load_budgets(connection: Connection, *, tenant_id: str | None = None) -> list[Budget]:
    """All budgets, or those of a tenant, by tenant and name."""
    table = schema.budget
    query = select(table).order_by(table.c.tenant_id, table.c.name)
    if tenant_id is not None:
        query = query.where(table.c.tenant_id == tenant_id)
    return [_budget(row) for row in connection.execute(query).mappings()]


def budgets_with_states(
    connection: Connection, tenant_keys: Collection[int] | None = None
) -> list[tuple[Budget, BudgetState]]:
    """All budgets, or those of some tenants, each with its state, by tenant and name."""
    table, state = schema.budget, schema.budget_state
    query = (
        select(table, state.c.state)
        .outerjoin(state, state.c.budget_id == table.c.id)
        .order_by(table.c.tenant_id, table.c.name)
    )
    if tenant_keys is not None:
        # Chosen below: with thousands of keys in it, the statement would be compiled again each time.
        tenant = schema.tenant
        query = query.add_columns(tenant.c.tenant_key).join(tenant, tenant.c.tenant_id == table.c.tenant_id)
    rows = connection.execute(query).mappings()
    return [
        (_budget(row), _state(row["state"])) for row in rows if tenant_keys is None or row["tenant_key"] in tenant_keys
    ]


def _state(text: str | None) -> BudgetState:
    return BudgetState() if text is None else BudgetState.from_mapping(json.loads(text))


def _budget(row: Any) -> Budget:
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
    """Make the budget, or change the one of the same tenant and name; its history of states goes on."""
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
    same = (table.c.tenant_id == budget.tenant_id) & (table.c.name == budget.name)
    if connection.execute(update(table).where(same).values(values)).rowcount == 0:
        connection.execute(insert(table).values(tenant_id=budget.tenant_id, name=budget.name, **values))


def remove_budget(connection: Connection, budget: Budget) -> None:
    """Forget the budget and its state; its alerts stay."""
    connection.execute(delete(schema.budget_state).where(schema.budget_state.c.budget_id == budget.budget_id))
    connection.execute(delete(schema.budget).where(schema.budget.c.id == budget.budget_id))


def load_state(connection: Connection, budget: Budget, *, lock: bool = False) -> BudgetState:
    """The budget's state; with `lock`, nobody else judges this budget until the transaction ends.

    The lock is on the budget's own row, so that it also holds before there is a state.
    """
    if lock:
        connection.execute(select(schema.budget.c.id).where(schema.budget.c.id == budget.budget_id).with_for_update())
    table = schema.budget_state
    text = connection.scalar(select(table.c.state).where(table.c.budget_id == budget.budget_id))
    return _state(text)


def save_state(connection: Connection, budget: Budget, state: BudgetState) -> None:
    """Keep the state."""
    table = schema.budget_state
    text = json.dumps(state.to_mapping())
    changed = connection.execute(update(table).where(table.c.budget_id == budget.budget_id).values(state=text))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(budget_id=budget.budget_id, state=text))


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
