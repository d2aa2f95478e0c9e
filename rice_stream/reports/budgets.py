"""Budgets and what they have consumed, as of now."""

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, NamedTuple

from rice_stream.budgets.announcement import budget_status
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period, period_at
from rice_stream.budgets.rules import judge
from rice_stream.budgets.states import BudgetState, Consumed
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.reports.budget_outlook import Standing, outlooks
from rice_stream.reports.one_moment import one_moment
from rice_stream.reports.pages import PAGE_ROWS, not_a_position, page
from rice_stream.store.budget_store import StoredBudgets, load_budgets, load_budgets_later
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading

BudgetName = tuple[str, str]
"""Tenant and name: what identifies a budget."""

UNREADABLE = "unreadable"
"""The state of a budget that cannot be judged because what is stored of it cannot be read."""


def budget_statuses(
    engine: Engine,
    scope: Scope,
    now: datetime,
    *,
    tenant: str | None = None,
    only: Collection[BudgetName] | None = None,
    outlook: bool = False,
) -> list[dict[str, Any]]:
    """All budgets, or those of a tenant or of some names, by tenant and name.

    Each is `announcement.budget_status` of the period that `now` lies in, with that period's bounds (RFC 3339), judged
    on the totals of this moment, whether or not a worker has done so already; `outlook` adds what is to come of it
    (`budget_outlook.outlooks`).

    After them those that cannot be read: `state` is "unreadable", and `problem` says why and what to do. Who sees some teams
    only sees the budgets on them, not those on the whole tenant.
    """
    with scoped_reading(engine, scope) as connection:
        stored = load_budgets(connection, scope.within(tenant))
        return _statuses(connection, scope, now, stored, only, outlook=outlook)


def budget_statuses_later(
    engine: Engine, scope: Scope, now: datetime, *, tenant: str | None = None
) -> Callable[[], list[dict[str, Any]]]:
    """Gives all of them, once: which there are is asked now, and waited for when it is called (`asked_ahead`)."""
    with scoped_reading(engine, scope) as connection:
        stored = load_budgets_later(connection, scope.within(tenant))

    def told() -> list[dict[str, Any]]:
        with scoped_reading(engine, scope) as connection:
            return _statuses(connection, scope, now, stored(), None, outlook=False)

    return told


def _statuses(
    connection: Connection,
    scope: Scope,
    now: datetime,
    stored: StoredBudgets,
    only: Collection[BudgetName] | None,
    *,
    outlook: bool,
) -> list[dict[str, Any]]:
    standings, unreadable = _standings(connection, stored, now, only)
    ahead = outlooks(connection, scope, standings, now) if outlook else [{} for _ in standings]
    return [*({**described(each), **more} for each, more in zip(standings, ahead, strict=True)), *unreadable]


def budget_page(
    engine: Engine,
    scope: Scope,
    now: datetime,
    *,
    tenant: str | None = None,
    outlook: bool = False,
    after: bytes | None = None,
    limit: int = PAGE_ROWS,
) -> dict[str, Any]:
    """One page of `budget_statuses`: `{"rows", "next"}`; only its own budgets are added up.

    UsageError: a position of another list.
    """
    last = None if after is None else _place_at(after)
    with one_moment(engine, scope), scoped_reading(engine, scope) as connection:
        stored = load_budgets(connection, scope.within(tenant))
        following = _following(stored, last)[: limit + 1]
        only = {(place.tenant, place.name) for place in following[:limit]}
        statuses = budget_statuses(engine, scope, now, tenant=tenant, only=only, outlook=outlook)
    rows = {(row["tenant_id"], row["name"]): row for row in statuses}
    return page(
        following, limit, lambda place: json.dumps(place).encode(), lambda place: rows[place.tenant, place.name]
    )


def _following(stored: StoredBudgets, last: "_Place | None") -> "list[_Place]":
    places = [_Place(unreadable=False, tenant=each.tenant_id, name=each.name) for each, _ in stored.readable]
    places += [_Place(unreadable=True, tenant=each.tenant_id, name=each.name) for each in stored.unreadable]
    return [place for place in sorted(places) if last is None or place > last]


class _Place(NamedTuple):
    """Where a budget stands in the list."""

    unreadable: bool
    tenant: str
    name: str


def _place_at(position: bytes) -> _Place:
    try:
        unreadable, tenant, name = json.loads(position)
    except (ValueError, TypeError) as error:
        raise not_a_position() from error
    return _Place(bool(unreadable), str(tenant), str(name))


def named_budget_status(engine: Engine, scope: Scope, name: str, tenant: str | None, now: datetime) -> dict[str, Any]:
    """The status of the one budget of this name, of `tenant` where that is given. The errors of `budget_owner`."""
    with scoped_reading(engine, scope) as connection:
        stored = load_budgets(connection, scope.within(tenant))
        standings, unreadable = _standings(connection, stored, now, {(_owner(stored, name), name)})
    return [*map(described, standings), *unreadable][0]


def budget_names(engine: Engine, scope: Scope) -> list[str]:
    """What budgets are called, whosever they are, in the order of the alphabet."""
    with scoped_reading(engine, scope) as connection:
        stored = load_budgets(connection, scope)
    return sorted({budget.name for budget, _ in stored.readable} | {bad.name for bad in stored.unreadable})


def budget_owner(engine: Engine, scope: Scope, name: str, tenant: str | None) -> str:
    """The tenant whose the one budget of this name is; `tenant` where that is given.

    Raises:
        NotFoundError: there is none in the scope.
        UsageError: several tenants of the scope have one of this name.
    """
    with scoped_reading(engine, scope) as connection:
        return _owner(load_budgets(connection, scope.within(tenant)), name)


def _owner(stored: StoredBudgets, name: str) -> str:
    owners = [budget.tenant_id for budget, _ in stored.readable if budget.name == name]
    owners = sorted(owners + [bad.tenant_id for bad in stored.unreadable if bad.name == name])
    if not owners:
        raise NotFoundError(f"there is no budget {name!r}; see `rice-stream budget list`")
    if len(owners) > 1:
        raise UsageError(f"several tenants have a budget {name!r}: {', '.join(owners)}; say which with --tenant")
    return owners[0]


def _standings(
    connection: Connection, stored: StoredBudgets, now: datetime, only: Collection[BudgetName] | None
) -> tuple[list[Standing], list[dict[str, Any]]]:
    """Budgets as they stand, and what is said of those that cannot be read."""
    chosen = [
        (budget, state, period_at(budget, now))
        for budget, state in stored.readable
        if only is None or (budget.tenant_id, budget.name) in only
    ]
    consumed = consumed_in_each(connection, [(budget, period) for budget, _, period in chosen], with_ranges=True)
    unreadable = [
        {"name": bad.name, "tenant_id": bad.tenant_id, "state": UNREADABLE, "problem": bad.problem}
        for bad in stored.unreadable
        if only is None or (bad.tenant_id, bad.name) in only
    ]
    return [standing(*each, amounts, now) for each, amounts in zip(chosen, consumed, strict=True)], unreadable


def standing(budget: Budget, state: BudgetState, period: Period, consumed: Consumed, now: datetime) -> Standing:
    """The budget, judged on what it has consumed so far."""
    judged, _ = judge(budget, state, consumed, period, now)
    return Standing(budget, period, consumed, state, judged)


def described(each: Standing) -> dict[str, Any]:
    """A budget's status with the bounds of its period."""
    return {
        **budget_status(each.budget, each.judged, each.consumed),
        "period_start": rfc3339(epoch_us(each.period.start)),
        "period_end": rfc3339(epoch_us(each.period.end)),
    }
