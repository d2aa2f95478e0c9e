"""What a budget's scope consumed in a period, from the totals: few rows, however long the period and its past.

Whole days of UTC come from totals by the day; the rest at both ends (a time zone's midnight, a rolling window's edges)
from those by the minute or the quarter hour.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, func, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from rice_stream import schema
from rice_stream.budgets import Budget, Consumed, Period
from rice_stream.budgets.periods import in_utc
from rice_stream.schema_names import DAY_S, MINUTE_S, SLOT_S

_CONSUMED = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e", "facility_energy_uwh")


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
    start_s, end_s = (int(in_utc(moment).timestamp()) for moment in (period.start, period.end))
    buckets = _buckets_of(budget)
    pieces = [
        _scoped(budget, table).where(_start(table) >= low_s, _start(table) < high_s)
        for table, low_s, high_s in _pieces(buckets, start_s - start_s % buckets.fine_s, end_s)
    ]
    consumed = union_all(*pieces).subquery("consumed")
    row = connection.execute(select(*(func.coalesce(func.sum(consumed.c[name]), 0) for name in _CONSUMED))).one()
    return Consumed(*(int(value) for value in row))


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


def _scoped(budget: Budget, table: Table) -> Select[Any]:
    """What the rows of the budget's scope add up to."""
    tenant, attribution, factor, principal = schema.tenant, schema.attribution, schema.factor_use, schema.principal
    query = (
        select(*(func.sum(table.c[name]).label(name) for name in _CONSUMED))
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .where(tenant.c.tenant_id == budget.tenant_id)
    )
    if budget.team_id or budget.project_id:
        same = attribution.c.attribution_key == table.c.attribution_key
        query = query.join(attribution, (attribution.c.tenant_key == table.c.tenant_key) & same)
    if budget.model:
        query = query.join(factor, factor.c.factor_key == table.c.factor_key)
    if budget.user_id:
        same = principal.c.principal_key == table.c.user_key
        query = query.join(principal, (principal.c.tenant_key == table.c.tenant_key) & same)
    return query.where(*_scope(budget))


def _scope(budget: Budget) -> Iterable[ColumnElement[bool]]:
    attribution, factor, principal = schema.attribution, schema.factor_use, schema.principal
    if budget.team_id:
        yield attribution.c.team_id == budget.team_id
    if budget.project_id:
        yield attribution.c.project_id == budget.project_id
    if budget.user_id:
        yield (principal.c.kind == "user") & (principal.c.name == budget.user_id)
    if budget.model:
        # A budget on gpt-4o also holds its dated snapshots: whatever name the event or the tables use.
        yield (
            (factor.c.request_model == budget.model)
            | (factor.c.response_model == budget.model)
            | (factor.c.model_resolved == budget.model)
        )
