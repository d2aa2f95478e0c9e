"""What budgets consumed in periods, from the totals: few rows, however long the period and its past.

Whole days of UTC come from totals by the day; the rest at both ends (a time zone's midnight, a rolling window's edges)
from those by the minute or the quarter hour. Any number of budgets is answered by two statements for each kind of scope:
ten thousand questions one by one would take longer than budgets may wait to be judged.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import add
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    Connection,
    FromClause,
    Integer,
    Select,
    String,
    bindparam,
    column,
    func,
    literal_column,
    select,
    true,
    type_coerce,
    union,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.budgets.states import Consumed
from rice_stream.instants import epoch_s
from rice_stream.meter.shared_ranges import total_range
from rice_stream.store import schema
from rice_stream.store.factor_spreads import ENDS, factor_spreads, kinds_of
from rice_stream.store.totals_tables import MINUTES, SLOTS, TOTALS_TABLES, USER_SLOTS, TotalsTable, coarser

_CONSUMED = ("carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e", "facility_energy_uwh")
_ATTRIBUTED = ("team_id", "project_id", "cost_centre")
_NARROWING = (*_ATTRIBUTED, "user_id", "model")
"""Fields of a budget that narrow its scope within the tenant, where set."""

Asked = Sequence[tuple[Budget, Period]]
_Kind = tuple[tuple[str, ...], str]
"""The fields that narrow a scope, and the name of the totals that are asked for it: one statement."""
_TABLES = {table.name: table for table in TOTALS_TABLES}


def consumed_in(connection: Connection, budget: Budget, period: Period) -> Consumed:
    """What the budget's scope consumed in the period, from the totals, with its range."""
    return consumed_in_each(connection, [(budget, period)], with_ranges=True)[0]


def consumed_in_each(connection: Connection, asked: Asked, *, with_ranges: bool) -> list[Consumed]:
    """What each budget's scope consumed in the period beside it, from the totals; in the order asked.

    Middle and energy are exact. Low and high are those of the 80 % range (`meter.shared_ranges`) where a budget is judged by
    one of them, and `with_ranges` everywhere; elsewhere they are the sums of all low and of all high ends, which cost less.

    Periods of the calendar begin and end on quarter hours in every time zone. A rolling window's start is floored to
    the minute for a whole tenant, to the quarter hour for a narrower scope: it is never shorter than it says. The range takes the
    shares of what was consumed from whole quarter hours.
    """
    questions: dict[_Kind, _Questions] = {}
    for number, (budget, period) in enumerate(asked):
        _ask(questions, number, budget, _pieces_of(budget, period))
    sums: list[list[int]] = [[0] * len(_CONSUMED) for _ in asked]
    for (narrowed, table_name), of_kind in questions.items():
        statement = _statement(narrowed, table_name, connection.dialect.name, _CONSUMED)
        for number, *amounts in connection.execute(statement, of_kind.parameters(narrowed)):
            for position in of_kind.positions[number]:
                sums[position] = list(map(add, sums[position], map(int, amounts)))
    consumed = [Consumed(*amounts) for amounts in sums]
    ranged = [number for number, (budget, _) in enumerate(asked) if with_ranges or budget.judged_by_range]
    if ranged:
        _put_ranges(connection, asked, ranged, consumed)
    return consumed


def _put_ranges(connection: Connection, asked: Asked, ranged: Sequence[int], consumed: list[Consumed]) -> None:
    """In the place of the sums of ends, for the questions of these numbers; equal questions are answered once."""
    same: dict[tuple[Any, ...], list[int]] = {}
    for number in ranged:
        budget, period = asked[number]
        scope = (budget.tenant_id, *(getattr(budget, name) for name in _NARROWING))
        same.setdefault((scope, period.start, period.end), []).append(number)
    questions: dict[_Kind, _Questions] = {}
    for place, (first, *_) in enumerate(same.values()):
        _ask(questions, place, asked[first][0], _quarters_of(*asked[first]))
    parts: list[dict[int, list[int]]] = [{} for _ in same]
    for (narrowed, table_name), of_kind in questions.items():
        statement = _statement(narrowed, table_name, connection.dialect.name, ENDS, by_factor=True)
        for number, factor_key, *amounts in connection.execute(statement, of_kind.parameters(narrowed)):
            for place in of_kind.positions[number]:
                before = parts[place].setdefault(factor_key, [0] * len(ENDS))
                parts[place][factor_key] = list(map(add, before, map(int, amounts)))
    spreads = factor_spreads(connection, {key for each in parts for key in each})
    for numbers, each in zip(same.values(), parts, strict=True):
        carbon = total_range(kinds_of(each, spreads), consumed[numbers[0]].carbon_mid_ugco2e)
        for number in numbers:
            consumed[number] = replace(consumed[number], carbon_low_ugco2e=carbon.low, carbon_high_ugco2e=carbon.high)


def _ask(
    questions: dict[_Kind, "_Questions"], number: int, budget: Budget, pieces: Iterable[tuple[TotalsTable, int, int]]
) -> None:
    narrowed = tuple(name for name in _NARROWING if getattr(budget, name))
    scope = tuple(getattr(budget, name) for name in narrowed)
    for table, low_s, high_s in pieces:
        kind = questions.setdefault((narrowed, table.name), _Questions())
        kind.add(number, (budget.tenant_id, low_s, high_s), scope)


class _Questions:
    """What one statement is asked: stretches of time of a tenant, and scopes within a stretch. Equal ones once."""

    def __init__(self) -> None:
        self._stretches: dict[tuple[str, int, int], int] = {}
        self._scopes: dict[tuple[Any, ...], int] = {}
        self.positions: list[list[int]] = []
        """For each scope within a stretch, whose answers it is a part of."""

    def add(self, position: int, stretch: tuple[str, int, int], scope: tuple[str, ...]) -> None:
        stretch_number = self._stretches.setdefault(stretch, len(self._stretches))
        number = self._scopes.setdefault((stretch_number, *scope), len(self._scopes))
        if number == len(self.positions):
            self.positions.append([])
        self.positions[number].append(position)

    def parameters(self, narrowed: tuple[str, ...]) -> dict[str, str]:
        """As JSON: one parameter however many there are, so that the statement stays the same."""
        stretches = [
            {"stretch": number, "tenant_id": tenant_id, "low_s": low_s, "high_s": high_s}
            for (tenant_id, low_s, high_s), number in self._stretches.items()
        ]
        scopes = [
            {"scope": number, "within": stretch, **dict(zip(narrowed, names, strict=True))}
            for (stretch, *names), number in self._scopes.items()
        ]
        return {"stretches": json.dumps(stretches), "scopes": json.dumps(scopes)}


def _pieces_of(budget: Budget, period: Period) -> Iterable[tuple[TotalsTable, int, int]]:
    return _buckets_of(_finest(budget), period)


def _quarters_of(budget: Budget, period: Period) -> Iterable[tuple[TotalsTable, int, int]]:
    """The same in totals that know the factors: whole quarter hours, all that the period touches."""
    finest = _finest(budget)
    return _buckets_of(SLOTS if finest is MINUTES else finest, period)


@lru_cache(maxsize=4096)
def _buckets_of(finest: TotalsTable, period: Period) -> tuple[tuple[TotalsTable, int, int], ...]:
    """Kept for a while: when thousands of budgets are judged at one instant, they ask for few different stretches."""
    start_s, end_s = epoch_s(period.start), epoch_s(period.end)
    return tuple(_pieces(finest, start_s - start_s % finest.bucket_s, end_s))


def _finest(budget: Budget) -> TotalsTable:
    """The totals with the shortest buckets that know the budget's scope."""
    if budget.user_id:
        return USER_SLOTS
    return SLOTS if budget.model or any(getattr(budget, name) for name in _ATTRIBUTED) else MINUTES


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


# --- the statement of a kind -------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _statement(
    narrowed: tuple[str, ...], table_name: str, dialect: str, measures: tuple[str, ...], *, by_factor: bool = False
) -> Select[Any]:
    """(number of the scope, `by_factor` the key of the use of factors, the sums) of the stretches and scopes of the parameters.

    Kept: making it costs more than running it for a few budgets.
    """
    scopes = _given("scopes", {"scope": Integer(), "within": Integer(), **dict.fromkeys(narrowed, String())}, dialect)
    factor = ("factor_key",) if by_factor else ()
    sums = _sums_by_name(narrowed, _TABLES[table_name], scopes, dialect, (*factor, *measures))
    same = sums.c.stretch == scopes.c.within
    for name in narrowed:
        same &= sums.c[name] == scopes.c[name]
    groups = [scopes.c.scope, *(sums.c[name] for name in factor)]
    return (
        select(*groups, *(func.sum(sums.c[name]) for name in measures)).join_from(scopes, sums, same).group_by(*groups)
    )


def _sums_by_name(
    narrowed: tuple[str, ...], totals: TotalsTable, scopes: CTE, dialect: str, columns: tuple[str, ...]
) -> CTE:
    """The sums of each stretch by the names that narrow a scope: the tenant's rows are read once for all its budgets."""
    types: dict[str, TypeEngine[Any]] = {
        "stretch": Integer(),
        "tenant_id": String(),
        "low_s": BigInteger(),
        "high_s": BigInteger(),
    }
    stretches = _given("stretches", types, dialect)
    tenant = schema.tenant
    query = select(stretches.c.stretch).join_from(stretches, tenant, tenant.c.tenant_id == stretches.c.tenant_id)
    table: FromClause = schema.metadata.tables[totals.name]
    start = table.c[totals.start]
    own = (table.c.tenant_key == tenant.c.tenant_key) & (start >= stretches.c.low_s) & (start < stretches.c.high_s)
    if dialect == "postgresql":
        # Stretch by stretch (without an OFFSET it is an ordinary join): else PostgreSQL reads all that there is of a tenant.
        fenced = select(table).where(own).correlate(stretches, tenant).offset(literal_column("0"))
        table = fenced.lateral("of_stretch")
        query = query.join(table, true())
    else:
        query = query.join(table, own)
    names: list[ColumnElement[Any]] = []
    if attributed := [name for name in _ATTRIBUTED if name in narrowed]:
        attribution = schema.attribution
        same = attribution.c.attribution_key == table.c.attribution_key
        query = query.join(attribution, (attribution.c.tenant_key == table.c.tenant_key) & same)
        names += [attribution.c[name] for name in attributed]
    if "user_id" in narrowed:
        principal = schema.principal
        same = (principal.c.principal_key == table.c.user_key) & (principal.c.kind == "user")
        query = query.join(principal, (principal.c.tenant_key == table.c.tenant_key) & same)
        names.append(principal.c.name.label("user_id"))
    if "model" in narrowed:
        models = _model_names(scopes)
        query = query.join(models, models.c.factor_key == table.c.factor_key)
        names.append(models.c.model)
    names += [table.c[name] for name in columns if name == "factor_key"]
    sums = [func.sum(table.c[name]).label(name) for name in columns if name != "factor_key"]
    return query.add_columns(*names, *sums).group_by(stretches.c.stretch, *names).cte("sums")


def _model_names(scopes: CTE) -> CTE:
    """Each use of factors under each of its names: a budget on gpt-4o also holds its dated snapshots, whatever name the
    event or the tables use. A use whose names are equal is there once."""
    factor = schema.factor_use
    wanted = select(scopes.c.model)
    columns: list[Column[Any]] = [factor.c.request_model, factor.c.response_model, factor.c.model_resolved]
    parts = [select(factor.c.factor_key, name.label("model")).where(name.in_(wanted)) for name in columns]
    return union(*parts).cte("model_names")


def _given(name: str, types: dict[str, TypeEngine[Any]], dialect: str) -> CTE:
    """The rows of a parameter: a JSON array of objects with these members."""
    if dialect == "postgresql":
        rows = func.jsonb_to_recordset(bindparam(name).cast(JSONB)).table_valued(
            *(column(member, of_type) for member, of_type in types.items())
        )
        derived = rows.render_derived(name=f"given_{name}", with_types=True)
        return select(*(derived.c[member] for member in types)).cte(name)
    value = func.json_each(bindparam(name)).table_valued("value").c.value
    members = (
        type_coerce(func.json_extract(value, f"$.{member}"), of_type).label(member) for member, of_type in types.items()
    )
    return select(*members).cte(name)
