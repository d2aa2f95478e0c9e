"""Budgets, their states and their alerts in SQL; what they consumed is `consumption.py`'s."""

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, delete, func, select, text, update

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.states import BudgetState
from rice_stream.errors import RiceError, UsageError
from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.prepared import statement
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_id_in
from rice_stream.store.statements import insert_ignoring, insert_replacing

_DEFINING = (
    *("id", "limit_amount", "thresholds"),
    *("name", "tenant_id", "team_id", "project_id", "user_id", "model"),
    *("unit", "period", "time_zone", "estimate", "hysteresis", "early_warning", "cost_centre"),
)
_ASKED_FOR_MAX = 500
"""Tenants that a statement names; of more than these the budgets are chosen from all."""
_KEPT = 16_384
"""Definitions and states that are kept as read, by what is stored: a sweep finds nearly all of them unchanged."""


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
    connection: Connection,
    scope: Scope = EVERYTHING,
    *,
    tenant_keys: Collection[int] | None = None,
    budget_ids: Collection[int] | None = None,
) -> StoredBudgets:
    """The budgets of a scope (with teams, those that are on one of them), or of some tenants by their keys, or of some ids."""
    if tenant_keys is None and budget_ids is None:
        return load_budgets_later(connection, scope)()
    table, state = schema.budget, schema.budget_state
    query = (
        select(table, state.c.state)
        .outerjoin(state, state.c.budget_id == table.c.id)
        .where(text(f"{tenant_id_in(scope, 'budget.tenant_id')} AND {team_in(scope, 'budget.team_id')}"))
        .order_by(table.c.tenant_id, table.c.name)
    )
    if budget_ids is not None:
        query = query.where(table.c.id.in_(sorted(budget_ids)))
    if tenant_keys is not None:
        tenant = schema.tenant
        query = query.add_columns(tenant.c.tenant_key).join(tenant, tenant.c.tenant_id == table.c.tenant_id)
        if len(tenant_keys) <= _ASKED_FOR_MAX:
            query = query.where(tenant.c.tenant_key.in_(sorted(tenant_keys)))
    rows = connection.execute(query, scope_parameters(scope)).mappings()
    return _stored(row for row in rows if tenant_keys is None or row["tenant_key"] in tenant_keys)


def has_budgets(connection: Connection) -> bool:
    """Whether there is a budget, of any tenant."""
    return bool(connection.scalar(select(select(schema.budget.c.id).exists())))


def load_budgets_later(connection: Connection, scope: Scope) -> Callable[[], StoredBudgets]:
    """Gives those of a scope, once: asked now, and waited for when it is called (`asked_ahead`)."""
    asked = statement(
        f"SELECT {', '.join(f'b.{name}' for name in _DEFINING)}, s.state FROM budget b"
        " LEFT JOIN budget_state s ON s.budget_id = b.id"
        f" WHERE {tenant_id_in(scope, 'b.tenant_id')} AND {team_in(scope, 'b.team_id')} ORDER BY b.tenant_id, b.name"
    )
    rows = rows_later(connection, asked, scope_parameters(scope))
    # SQLite has no type of its own for what is true or not.
    is_true = _DEFINING.index("early_warning")

    def stored() -> StoredBudgets:
        read = ((*row[:is_true], bool(row[is_true]), *row[is_true + 1 :]) for row in rows())
        return _stored(dict(zip((*_DEFINING, "state"), row, strict=True)) for row in read)

    return stored


def _stored(rows: Iterable[Mapping[Any, Any]]) -> StoredBudgets:
    stored = StoredBudgets([], [])
    for row in rows:
        try:
            stored.readable.append((_budget(row), _state(row["state"])))
        except RiceError as error:
            stored.unreadable.append(UnreadableBudget(row["id"], row["tenant_id"], row["name"], str(error)))
    return stored


def lock_budgets(connection: Connection, budget_ids: Sequence[int]) -> list[tuple[Budget, BudgetState]]:
    """Budgets and their states as they are now; nobody else judges or changes them until the transaction ends.

    Those that are gone, or cannot be read any more, are left out. The locks are on the budgets' own rows, so that they
    also hold before there is a state, and are taken in the order of the ids: two who lock several never wait for each
    other.
    """
    table, state = schema.budget, schema.budget_state
    locked = connection.execute(
        select(table).where(table.c.id.in_(budget_ids)).order_by(table.c.id).with_for_update()
    ).mappings()
    rows = {row["id"]: row for row in locked}
    query = select(state.c.budget_id, state.c.state).where(state.c.budget_id.in_(list(rows)))
    states = {row.budget_id: row.state for row in connection.execute(query)}
    found = []
    for budget_id, row in rows.items():
        with contextlib.suppress(RiceError):
            found.append((_budget(row), _state(states.get(budget_id))))
    return found


def _state(text: str | None) -> BudgetState:
    if text is None:
        return BudgetState()
    try:
        return _state_of(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise RiceError(
            f"its stored state is no JSON ({type(error).__name__}); set the budget again to start it afresh"
        ) from error


def _budget(row: Any) -> Budget:
    try:
        return _defined(*(row[name] for name in _DEFINING))
    except (UsageError, TypeError, ValueError, RecursionError) as error:
        raise RiceError(
            f"its stored definition cannot be read ({error}); set the budget again, or remove it"
        ) from error


@lru_cache(maxsize=_KEPT)
def _state_of(text: str) -> BudgetState:
    return BudgetState.from_mapping(json.loads(text))


@lru_cache(maxsize=_KEPT)
def _defined(budget_id: int, limit: int, thresholds: str, *others: Any) -> Budget:
    values = dict(zip(_DEFINING[3:], others, strict=True))
    return Budget(budget_id=budget_id, limit=limit, thresholds=tuple(json.loads(thresholds)), **values)


def save_budget(connection: Connection, budget: Budget, now_us: int) -> Budget | UnreadableBudget | None:
    """Make the budget, or change the one of the same tenant and name; its history of states goes on. Returns what was there.

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
        "early_warning": budget.early_warning,
        "cost_centre": budget.cost_centre,
        "updated_at_us": now_us,
    }
    named = {"tenant_id": budget.tenant_id, "name": budget.name}
    making = insert_ignoring(table, connection.dialect.name).values(**named, **values).returning(table.c.id)
    while (before := _lock_named(connection, budget.tenant_id, budget.name)) is None:
        if connection.scalar(making) is not None:
            return None
        # Workers that start together set the budgets of one file: another one was first, and has committed by now.
    connection.execute(update(table).where(table.c.id == before["id"]).values(values))
    _mend_state(connection, before["id"])
    return _budget_or_problem(before)


def _mend_state(connection: Connection, budget_id: int) -> None:
    state, alert = schema.budget_state, schema.alert
    try:
        _state(connection.scalar(select(state.c.state).where(state.c.budget_id == budget_id)))
    except RiceError:
        announced = connection.scalar(select(func.max(alert.c.sequence)).where(alert.c.budget_id == budget_id))
        save_states(connection, {budget_id: BudgetState(sequence=announced or 0)})


def remove_budget(connection: Connection, tenant_id: str, name: str) -> Budget | UnreadableBudget | None:
    """Forget the budget and its state, also where they cannot be read; its alerts stay. Returns what was there, if anything."""
    # Locked first: whoever is judging it may be about to keep a state.
    before = _lock_named(connection, tenant_id, name)
    if before is None:
        return None
    connection.execute(delete(schema.budget_state).where(schema.budget_state.c.budget_id == before["id"]))
    connection.execute(delete(schema.budget).where(schema.budget.c.id == before["id"]))
    return _budget_or_problem(before)


def _lock_named(connection: Connection, tenant_id: str, name: str) -> RowMapping | None:
    table = schema.budget
    same = (table.c.tenant_id == tenant_id) & (table.c.name == name)
    return connection.execute(select(table).where(same).with_for_update()).mappings().one_or_none()


def _budget_or_problem(row: RowMapping) -> Budget | UnreadableBudget:
    try:
        return _budget(row)
    except RiceError as error:
        return UnreadableBudget(row["id"], row["tenant_id"], row["name"], str(error))


def save_states(connection: Connection, states: Mapping[int, BudgetState]) -> None:
    """Keep the states of the budgets of these ids."""
    if states:
        rows = [{"budget_id": number, "state": json.dumps(state.to_mapping())} for number, state in states.items()]
        connection.execute(insert_replacing(schema.budget_state, connection.dialect.name), rows)


def watermarks_us(connection: Connection, tenant_ids: Collection[str]) -> dict[str, int]:
    """The start of the latest minute in which each tenant has records; a tenant without any is left out."""
    if not tenant_ids:
        return {}
    table, tenant = schema.minute_total, schema.tenant
    query = (
        select(tenant.c.tenant_id, func.max(table.c.minute_start_s))
        .join(table, tenant.c.tenant_key == table.c.tenant_key)
        .where(tenant.c.tenant_id.in_(sorted(tenant_ids)))
        .group_by(tenant.c.tenant_id)
    )
    return {tenant_id: latest_s * SECOND_US for tenant_id, latest_s in connection.execute(query)}


def add_alerts(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put alerts into the outbox; one that is there stays."""
    if rows:
        connection.execute(insert_ignoring(schema.alert, connection.dialect.name), list(rows))


def undelivered_alerts(connection: Connection, limit: int = 500) -> list[dict[str, Any]]:
    """Alerts to send, oldest first; per budget in the order of their sequence."""
    table = schema.alert
    query = (
        select(table.c.id, table.c.tenant_id, table.c.event, table.c.created_at_us)
        .where(table.c.delivered_at_us.is_(None))
        .order_by(table.c.created_at_us, table.c.budget_id, table.c.sequence)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def mark_delivered(connection: Connection, ids: Sequence[str], now_us: int) -> None:
    """The broker has these alerts."""
    table = schema.alert
    connection.execute(update(table).where(table.c.id.in_(list(ids))).values(delivered_at_us=now_us))
