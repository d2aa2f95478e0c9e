"""What a budget's scope consumed in a period, from the totals: few rows, however long the period and its past.

Whole days of UTC come from totals by the day; the rest at both ends (a time zone's midnight, a rolling window's edges)
from those by the minute or the quarter hour.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, bindparam, func, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed
from rice_stream.instants import DAY_S, MINUTE_S, SLOT_S, epoch_s
from rice_stream.store import schema

_CONSUMED = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e", "facility_energy_uwh")
_NARROWING = ("team_id", "project_id", "user_id", "model")
"""Fields of a budget that narrow its scope within the tenant, where set."""


class _Buckets(NamedTuple):
    """Totals of one kind of scope: the fine ones, and the same by the day where they are kept."""

    fine: Table
    fine_s: int
    days: Table | None = None


_TENANT = _Buckets(schema.minute_total, MINUTE_S, schema.tenant_day_total)
_NARROWER = _Buckets(schema.slot_total, SLOT_S, schema.day_total)
_USER = _Buckets(schema.user_slot_total, SLOT_S)


def consumed_in(connection: Connection, budget: Budget, period: Period) -> Consumed:
    """What the budget's scope consumed in the period, exactly, from the totals.

    Periods of the calendar begin and end on quarter hours in every time zone. A rolling window's start is floored to
    the minute for a whole tenant, to the quarter hour for a narrower scope: it is never shorter than it says.
    """
    start_s, end_s = (epoch_s(moment) for moment in (period.start, period.end))
    buckets = _buckets_of(budget)
    pieces = list(_pieces(buckets, start_s - start_s % buckets.fine_s, end_s))
    narrowed = tuple(name for name in _NARROWING if getattr(budget, name))
    parameters: dict[str, object] = {name: getattr(budget, name) for name in ("tenant_id", *narrowed)}
    for k, (_, low_s, high_s) in enumerate(pieces):
        parameters |= {f"low_s_{k}": low_s, f"high_s_{k}": high_s}
    row = connection.execute(_statement(narrowed, tuple(table for table, _, _ in pieces)), parameters).one()
    return Consumed(*(int(value) for value in row))


@lru_cache(maxsize=256)
def _statement(narrowed: tuple[str, ...], tables: tuple[Table, ...]) -> Select[Any]:
    """The sum of these tables' rows within the scope's bounds. Kept, because making it costs more than running it."""
    pieces = [
        _scoped(narrowed, table).where(
            _start(table) >= bindparam(f"low_s_{k}"), _start(table) < bindparam(f"high_s_{k}")
        )
        for k, table in enumerate(tables)
    ]
    consumed = union_all(*pieces).subquery("consumed")
    return select(*(func.coalesce(func.sum(consumed.c[name]), 0) for name in _CONSUMED))


def _buckets_of(budget: Budget) -> _Buckets:
    if budget.user_id:
        return _USER
    return _NARROWER if budget.team_id or budget.project_id or budget.model else _TENANT


def _pieces(buckets: _Buckets, start_s: int, end_s: int) -> Iterator[tuple[Table, int, int]]:
    """(table, from, up to) of buckets that cover the stretch, each instant once."""
    first_day_s, last_day_s = -(-start_s // DAY_S) * DAY_S, end_s // DAY_S * DAY_S
    if buckets.days is None or first_day_s >= last_day_s:
        yield buckets.fine, start_s, end_s
        return
    yield buckets.days, first_day_s, last_day_s
    if start_s < first_day_s:
        yield buckets.fine, start_s, first_day_s
    if last_day_s < end_s:
        yield buckets.fine, last_day_s, end_s


def _start(table: Table) -> ColumnElement[int]:
    return next(column for column in table.primary_key if column.name.endswith("_start_s"))


def _scoped(narrowed: tuple[str, ...], table: Table) -> Select[Any]:
    """What the rows of a scope add up to; the scope is bound by the names of the budget's fields."""
    tenant, attribution, factor, principal = schema.tenant, schema.attribution, schema.factor_use, schema.principal
    query = (
        select(*(func.sum(table.c[name]).label(name) for name in _CONSUMED))
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .where(tenant.c.tenant_id == bindparam("tenant_id"))
    )
    if "team_id" in narrowed or "project_id" in narrowed:
        same = attribution.c.attribution_key == table.c.attribution_key
        query = query.join(attribution, (attribution.c.tenant_key == table.c.tenant_key) & same)
    if "model" in narrowed:
        query = query.join(factor, factor.c.factor_key == table.c.factor_key)
    if "user_id" in narrowed:
        same = principal.c.principal_key == table.c.user_key
        query = query.join(principal, (principal.c.tenant_key == table.c.tenant_key) & same)
    return query.where(*(_condition(name) for name in narrowed))


def _condition(name: str) -> ColumnElement[bool]:
    attribution, factor, principal = schema.attribution, schema.factor_use, schema.principal
    wanted: ColumnElement[Any] = bindparam(name)
    if name == "model":
        # A budget on gpt-4o also holds its dated snapshots: whatever name the event or the tables use.
        return (
            (factor.c.request_model == wanted)
            | (factor.c.response_model == wanted)
            | (factor.c.model_resolved == wanted)
        )
    if name == "user_id":
        return (principal.c.kind == "user") & (principal.c.name == wanted)
    return attribution.c[name] == wanted
