"""A month in the shape of FOCUS, the FinOps Open Cost and Usage Specification: prompts as usage, carbon in columns of our own.

A row is a day of a model of a provider in a region, charged to a cost centre, team and project. Corrections of closed months are
rows of the month in which they were made: their billing period is this month, their charge period the day of the prompts. What a
prompt cost is not known here, and so null, which FOCUS does not allow: the file is of its shape, and not conformant.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from rice_stream.events.unnamed import UNKNOWN
from rice_stream.instants import day_start, epoch_us, zone
from rice_stream.reports.exports.columns import ExportColumn, Kind
from rice_stream.reports.exports.exported import TOTALLED, ExportedRows, grounds_of
from rice_stream.reports.exports.orders import FOCUS_VERSIONS, ExportOrder
from rice_stream.reports.month_amounts import MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.month_corrections import CORRECTED_BY, MonthCorrection, month_corrections
from rice_stream.reports.month_stretch import MonthStretch, month_stretch
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

_UNKNOWN = "Unknown"
_ROWS_AT_ONCE = 4_096
_EPOCH_DAY = date(1970, 1, 1)
_NAMED_PROVIDER: Mapping[str, tuple[str, ...]] = {
    "1.2": ("ProviderName", "PublisherName"),
    "1.4": ("ServiceProviderName",),
}
"""1.4 has the provider of the service in the place of the two names of before."""


class _Row(NamedTuple):
    """One row before it has its columns: `names` as of CORRECTED_BY."""

    names: Mapping[str, Any]
    sums: Mapping[str, int]
    cause: str | None
    low_ugco2e: int | None
    high_ugco2e: int | None
    tier: str | None


_Value = Callable[["_Row", "_Month"], Any]


class _Month(NamedTuple):
    stretch: MonthStretch
    tenant: str

    def day(self, row: _Row) -> tuple[int, int]:
        """From when to when the charge is: the local day, but nothing beyond the month of the prompts."""
        day = _EPOCH_DAY + timedelta(days=row.names["day"])
        place = zone(self.stretch.month.time_zone)
        start_us, end_us = (epoch_us(day_start(each, place)) for each in (day, day + timedelta(days=1)))
        if row.cause is not None:
            return start_us, end_us
        return max(start_us, self.stretch.low_us), min(end_us, self.stretch.high_us)


def _null(_row: _Row, _month: _Month) -> None:
    return None


def _provider(row: _Row, _month: _Month) -> str:
    return str(row.names["provider"] or _UNKNOWN)


def _region(row: _Row, _month: _Month) -> str | None:
    return _known(row.names["region"])


def _model(row: _Row, _month: _Month) -> str | None:
    return _known(row.names["model"])


def _known(name: str | None) -> str | None:
    """A name; None where events did not say it."""
    return None if name in (None, "", UNKNOWN) else name


def _tags(row: _Row, _month: _Month) -> str | None:
    tags = {name: row.names[name] for name in ("project", "team") if row.names[name] is not None}
    return json.dumps(tags, ensure_ascii=False, sort_keys=True) if tags else None


def _description(row: _Row, _month: _Month) -> str:
    what = f"prompts to {_known(row.names['model']) or 'a model that is not known'}"
    return f"Correction ({row.cause}) of {what}" if row.cause else f"P{what[1:]}"


def _tokens(row: _Row, _month: _Month) -> int:
    return row.sums["input_tokens"] + row.sums["output_tokens"]


def _summed(name: str) -> _Value:
    return lambda row, _month: row.sums[name]


def _columns(version: str) -> list[tuple[str, Kind, _Value]]:
    """Names, kinds and values, in order: those of FOCUS, then our own."""
    return [
        ("BilledCost", "micro", _null),
        ("BillingAccountId", "text", lambda _row, month: month.tenant),
        ("BillingAccountName", "text", lambda _row, month: month.tenant),
        ("BillingCurrency", "text", _null),
        ("BillingPeriodEnd", "instant", lambda _row, month: month.stretch.high_us),
        ("BillingPeriodStart", "instant", lambda _row, month: month.stretch.low_us),
        ("ChargeCategory", "text", lambda _row, _month: "Usage"),
        ("ChargeClass", "text", lambda row, _month: None if row.cause is None else "Correction"),
        ("ChargeDescription", "text", _description),
        ("ChargeFrequency", "text", lambda _row, _month: "Usage-Based"),
        ("ChargePeriodEnd", "instant", lambda row, month: month.day(row)[1]),
        ("ChargePeriodStart", "instant", lambda row, month: month.day(row)[0]),
        ("ConsumedQuantity", "large", _tokens),
        ("ConsumedUnit", "text", lambda _row, _month: "Tokens"),
        ("ContractedCost", "micro", _null),
        ("EffectiveCost", "micro", _null),
        *(("HostProviderName", "text", _null) for _ in range(version == "1.4")),
        ("InvoiceId", "text", _null),
        ("InvoiceIssuerName", "text", _provider),
        ("ListCost", "micro", _null),
        ("PricingQuantity", "large", _null),
        ("PricingUnit", "text", _null),
        *((name, "text", _provider) for name in _NAMED_PROVIDER["1.2"] if version == "1.2"),
        ("RegionId", "text", _region),
        ("RegionName", "text", _region),
        ("ResourceId", "text", _model),
        ("ResourceName", "text", _null),
        ("ResourceType", "text", lambda row, month: "Model" if _model(row, month) else None),
        ("ServiceCategory", "text", lambda _row, _month: "AI and Machine Learning"),
        ("ServiceName", "text", _provider),
        *((name, "text", _provider) for name in _NAMED_PROVIDER["1.4"] if version == "1.4"),
        ("ServiceSubcategory", "text", lambda _row, _month: "Generative AI"),
        ("SubAccountId", "text", lambda row, _month: row.names["cost_centre"]),
        ("SubAccountName", "text", lambda row, _month: row.names["cost_centre"]),
        ("SubAccountType", "text", lambda row, _month: "Cost centre" if row.names["cost_centre"] else None),
        ("Tags", "text", _tags),
        ("x_CarbonAccounting", "text", lambda _row, _month: "location"),
        ("x_CarbonKgCo2e", "nano", _summed("carbon_mid_ugco2e")),
        ("x_CarbonKgCo2eHigh", "nano", lambda row, _month: row.high_ugco2e),
        ("x_CarbonKgCo2eLow", "nano", lambda row, _month: row.low_ugco2e),
        ("x_CarbonMarketKgCo2e", "nano", _summed("carbon_market_ugco2e")),
        ("x_CorrectionCause", "text", lambda row, _month: row.cause),
        ("x_DataQuality", "text", lambda row, _month: row.tier),
        ("x_EmbodiedKgCo2e", "nano", lambda row, _month: _impact(row, "embodied_ugco2e")),
        ("x_EnergyKwh", "nano", _summed("facility_energy_uwh")),
        ("x_InputTokens", "large", _summed("input_tokens")),
        ("x_ItEnergyKwh", "nano", _summed("it_energy_uwh")),
        ("x_OutputTokens", "large", _summed("output_tokens")),
        ("x_PromptCount", "whole", _summed("prompts")),
        ("x_WaterL", "micro", lambda row, _month: _impact(row, "water_ul")),
    ]


def _impact(row: _Row, name: str) -> int | None:
    return row.sums[name] if row.sums["impact_prompts"] else None


def focus(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedRows:
    """Usage of the month as it stood when the month was closed (of an open one: as it stands), then what was corrected of closed
    ones in it. Over all months the rows add up to what is known, to the microgram.
    """
    with snapshot(engine, scope) as connection:
        stretch = month_stretch(connection, scope, order.tenant, order.month)
        as_of_us = order.as_of_us if order.as_of_us is not None else database_now_us(connection)
        usage_as_of_us = order.as_of_us
        if stretch.period is not None:
            usage_as_of_us = min(as_of_us, stretch.period.marked_us)
        question = MonthQuestion(tenant=order.tenant, month=order.month, by=CORRECTED_BY, as_of_us=usage_as_of_us)
        found = month_amounts(engine, scope, question)
        corrections = month_corrections(connection, scope, stretch, as_of_us)
        grounds = grounds_of(connection, scope, found)
    corrected = {
        f"corrections_{name}": sum(each.sums[name] for each in corrections)
        for name in (TOTALLED if corrections else ())
    }
    grounds = grounds._replace(as_of_us=as_of_us, totals={**grounds.totals, **corrected})
    columns = _columns(order.options.focus_version or FOCUS_VERSIONS[0])
    rows = [*map(_used, found.rows), *map(_corrected, corrections)]
    exported = [ExportColumn(name, kind) for name, kind, _ in columns]
    values = [value for _, _, value in columns]
    return ExportedRows(exported, _batches(rows, values, _Month(stretch, order.tenant)), grounds)


def _batches(rows: Sequence[_Row], values: Sequence[_Value], month: _Month) -> Iterator[list[tuple[Any, ...]]]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield [tuple(value(row, month) for value in values) for row in rows[start : start + _ROWS_AT_ONCE]]


def _used(row: MonthRow) -> _Row:
    shares = {tier: share for tier, share in row.data_tiers.items() if share}
    # Of equal ones the better: tiers are told best first.
    tier = max(shares, key=lambda each: shares[each]) if shares else None
    return _Row(dict(zip(CORRECTED_BY, row.names, strict=True)), row.sums, None, row.low_ugco2e, row.high_ugco2e, tier)


def _corrected(each: MonthCorrection) -> _Row:
    return _Row(dict(zip(CORRECTED_BY, each.names, strict=True)), each.sums, each.cause, None, None, None)
