"""What a budget's scope consumed in a period, from the totals: few rows, however long the period and its past.

Whole days of UTC come from totals by the day; the rest at both ends (a time zone's midnight, a rolling window's edges)
from those by the minute or the quarter hour.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, func, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed
from rice_stream.instants import epoch_s
from rice_stream.store import schema
from rice_stream.store.totals_tables import MINUTES, SLOTS, USER_SLOTS, TotalsTable, coarser

_CONSUMED = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e", "facility_energy_uwh")
_NARROWING = ("team_id", "project_id", "user_id", "model")
"""Fields of a budget that narrow its scope within the tenant, where set."""


def consumed_in(connection: Connection, budget: Budget, period: Period) -> Consumed:
    """What the budget's scope consumed in the period, exactly, from the totals.

    Periods of the calendar begin and end on quarter hours in every time zone. A rolling window's start is floored to
    the minute for a whole tenant, to the quarter hour for a narrower scope: it is never shorter than it says.
    """
    start_s, end_s = (epoch_s(moment) for moment in (period.start, period.end))
    finest = _finest(budget)
    pieces = list(_pieces(finest, start_s - start_s % finest.bucket_s, end_s))
    narrowed = tuple(name for name in _NARROWING if getattr(budget, name))
    parameters: dict[str, object] = {name: getattr(budget, name) for name in ("tenant_id", *narrowed)}
    for k, (_, low_s, high_s) in enumerate(pieces):
        parameters |= {f"low_s_{k}": low_s, f"high_s_{k}": high_s}
    row = connection.execute(_statement(narrowed, tuple(table for table, _, _ in pieces)), parameters).one()
    return Consumed(*(int(value) for value in row))


@lru_cache(maxsize=256)
def _statement(narrowed: tuple[str, ...], tables: tuple[TotalsTable, ...]) -> Select[Any]:
    """The sum of these tables' rows within the scope's bounds. Kept, because making it costs more than running it."""
    pieces = [_scoped(narrowed, schema.metadata.tables[table.name], table.start, k) for k, table in enumerate(tables)]
    consumed = union_all(*pieces).subquery("consumed")
    return select(*(func.coalesce(func.sum(consumed.c[name]), 0) for name in _CONSUMED))


def _finest(budget: Budget) -> TotalsTable:
    """The totals with the shortest buckets that know the budget's scope."""
    if budget.user_id:
        return USER_SLOTS
    return SLOTS if budget.team_id or budget.project_id or budget.model else MINUTES


def _pieces(finest: TotalsTable, start_s: int, end_s: int) -> Iterator[tuple[TotalsTable, int, int]]:
    """(table, from, up to) of buckets that cover the stretch, each instant once."""
    days = coarser(finest)
    if days is None:
        yield finest, start_s, end_s
        return
    first_day_s, last_day_s = -(-start_s // days.bucket_s) * days.bucket_s, end_s // days.bucket_s * days.bucket_s
    if first_day_s >= last_day_s:
        yield finest, start_s, end_s
        return
    yield days, first_day_s, last_day_s
    if start_s < first_day_s:
        yield finest, start_s, first_day_s
    if last_day_s < end_s:
        yield finest, last_day_s, end_s


def _scoped(narrowed: tuple[str, ...], table: Table, start: str, piece: int) -> Select[Any]:
    """What a table's rows within the scope and the bounds of a piece add up to.

    The scope is bound by the names of the budget's fields, the bounds by the number of the piece.
    """
    tenant, attribution, factor, principal = schema.tenant, schema.attribution, schema.factor_use, schema.principal
    query = (
        select(*(func.sum(table.c[name]).label(name) for name in _CONSUMED))
        .join(tenant, tenant.c.tenant_key == table.c.tenant_key)
        .where(
            tenant.c.tenant_id == bindparam("tenant_id"),
            table.c[start] >= bindparam(f"low_s_{piece}"),
            table.c[start] < bindparam(f"high_s_{piece}"),
        )
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
