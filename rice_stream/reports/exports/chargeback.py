"""Chargeback: what each cost centre of a tenant is to be charged for a month. What nobody is charged for is a row as well."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rice_stream.quantities import MICRO
from rice_stream.reports.exports.columns import ExportColumn
from rice_stream.reports.exports.exported import ExportedRows, grounds_of
from rice_stream.reports.exports.orders import ExportOrder
from rice_stream.reports.month_amounts import MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.totals_rows import UNATTRIBUTED_WITHOUT
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

_ROWS_AT_ONCE = 4_096
_NAMED = {"team": "team_id", "project": "project_id", "user": "user_id"}
_AMOUNTS = (
    ExportColumn("unattributed", "flag"),
    ExportColumn("prompts", "whole"),
    ExportColumn("input_tokens", "large"),
    ExportColumn("output_tokens", "large"),
    ExportColumn("it_energy_wh", "micro"),
    ExportColumn("facility_energy_wh", "micro"),
    ExportColumn("carbon_low_gco2e", "micro"),
    ExportColumn("carbon_mid_gco2e", "micro"),
    ExportColumn("carbon_high_gco2e", "micro"),
    ExportColumn("carbon_market_gco2e", "micro"),
    ExportColumn("embodied_gco2e", "micro"),
    ExportColumn("water_l", "micro"),
)
_PRICED = (ExportColumn("carbon_cost", "micro"), ExportColumn("currency", "text"))


def chargeback(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedRows:
    """A row for each cost centre, and for the other names that are asked for; they add up to the month, to the microgram.

    `carbon_low_gco2e` and `carbon_high_gco2e` are the 80 % range of the row: those of rows do not add up. With a price, each row
    has its part of what the whole month costs, rounded to millionths once: the parts add up to it.
    """
    fields = ("cost_centre", *order.options.by)
    question = MonthQuestion(
        tenant=order.tenant,
        month=order.month,
        by=fields,
        amounts=order.options.amounts,
        as_of_us=order.as_of_us,
    )
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds = grounds_of(connection, scope, found)
    columns = [
        ExportColumn("tenant_id", "text"),
        ExportColumn("month", "text"),
        *(ExportColumn(_NAMED.get(name, name), "text") for name in fields),
        *_AMOUNTS,
        *(_PRICED if order.options.price is not None else ()),
    ]
    return ExportedRows(columns, _batches(order, fields, found.rows), grounds)


def _batches(order: ExportOrder, fields: Sequence[str], rows: Sequence[MonthRow]) -> Iterator[list[tuple[Any, ...]]]:
    price = order.options.price
    costs = (
        [None] * len(rows) if price is None else divided_cost([row.sums["carbon_mid_ugco2e"] for row in rows], price)
    )
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        together = zip(rows[start : start + _ROWS_AT_ONCE], costs[start : start + _ROWS_AT_ONCE], strict=True)
        yield [
            (
                order.tenant,
                order.month,
                *row.names,
                *_amounts(fields, row),
                *(() if cost is None else (cost, order.options.currency)),
            )
            for row, cost in together
        ]


def _amounts(fields: Sequence[str], row: MonthRow) -> tuple[Any, ...]:
    sums = row.sums
    named = dict(zip(fields, row.names, strict=True))
    return (
        any(named[name] is None for name in fields if name in UNATTRIBUTED_WITHOUT),
        sums["prompts"],
        sums["input_tokens"],
        sums["output_tokens"],
        sums["it_energy_uwh"],
        sums["facility_energy_uwh"],
        row.low_ugco2e,
        sums["carbon_mid_ugco2e"],
        row.high_ugco2e,
        sums["carbon_market_ugco2e"],
        row.impact("embodied_ugco2e"),
        row.impact("water_ul"),
    )


def divided_cost(amounts_ugco2e: Sequence[int], price_per_tonne: Decimal) -> list[int]:
    """What amounts cost, in millionths of the currency; together what all of it costs, rounded once (half to even).

    >>> divided_cost([500_000, 500_000, 500_000], Decimal(1))
    [0, 1, 1]
    """
    costs: list[int] = []
    so_far = charged = 0
    for amount in amounts_ugco2e:
        so_far += amount
        # A tonne is a million grams: a millionth of the currency for a gram at a price of 1.
        whole = int((Decimal(so_far) * price_per_tonne / MICRO).to_integral_value(ROUND_HALF_EVEN))
        costs.append(whole - charged)
        charged = whole
    return costs
