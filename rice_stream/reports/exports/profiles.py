"""Months as rows for carbon platforms: each profile a table of columns, what they hold, and of which words.

Headers, types and words are as public descriptions of the platforms have them; which these are, and that none was tried in the
product itself, docs/exports.md says. Amounts are the month's with all corrections, by provider, model and region.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from rice_stream.events.unnamed import UNKNOWN
from rice_stream.instants import datetime_of, rfc3339, zone
from rice_stream.quantities import MICRO
from rice_stream.reports.exports.columns import ExportColumn, Kind
from rice_stream.reports.exports.exported import ExportedRows, Grounds, grounds_of
from rice_stream.reports.exports.orders import PARTS, ExportOrder
from rice_stream.reports.month_amounts import MonthQuestion, MonthRow, month_amounts
from rice_stream.reports.month_stretch import MonthStretch
from rice_stream.reports.tier_words import MEASURED
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

BY = ("provider", "model", "region")
DATA_QUALITY = {"msm": ("Metered", "Estimated"), "envizi": ("Actual", "Estimated")}
"""The words of each platform for what is metered for more than half of its carbon, and for what is not."""
_METERED_SHARE = 0.5
_CORRELATION_LENGTH_MAX = 100
"""What Sustainability Manager keeps of an origin correlation ID."""
_NAME_LENGTH_MAX = 80
"""Of a record of Salesforce."""
_ENVIZI_STYLES = ("Scope 3 - Purchased services - kgCO2e", "Scope 2 - Electricity - kWh")


class _Of(NamedTuple):
    """One row, and the month that it is of."""

    order: ExportOrder
    stretch: MonthStretch
    row: MonthRow

    def name(self, field: str) -> str | None:
        value = self.row.names[BY.index(field)]
        return None if value in (None, "", UNKNOWN) else str(value)

    @property
    def first_day(self) -> str:
        """Of the month, in the tenant's time zone."""
        return self.stretch.month.first.isoformat()

    @property
    def last_day(self) -> str:
        """The last one that is in it."""
        end = datetime_of(self.stretch.high_us).astimezone(zone(self.stretch.month.time_zone))
        return (end - timedelta(microseconds=1)).date().isoformat()

    @property
    def is_own(self) -> bool:
        """Whether it ran on accelerators of one's own."""
        return self.name("provider") in self.order.options.own_providers

    @property
    def is_metered(self) -> bool:
        return (self.row.data_tiers.get(MEASURED) or 0) > _METERED_SHARE

    @property
    def words(self) -> str:
        """What it is, for people; the same for the same names and month, and no other's."""
        names = ", ".join(self.name(field) or f"unknown {field}" for field in BY)
        return f"LLM use, {self.order.tenant}, {self.order.month}, {names}"

    @property
    def correlation(self) -> str:
        """By what a platform knows it when it is sent again."""
        text = ":".join(("rice-stream", self.order.tenant, self.order.month, *map(str, self.row.names)))
        return _shortened(text, _CORRELATION_LENGTH_MAX)

    @property
    def account(self) -> str:
        """Of a tenant with a model of a provider."""
        return "/".join((self.order.tenant, self.name("provider") or "unknown", self.name("model") or "unknown"))

    def words_of(self, platform: str) -> str:
        metered, estimated = DATA_QUALITY[platform]
        return metered if self.is_metered else estimated


def _shortened(text: str, length: int) -> str:
    """A text of so many characters at most; what is longer ends in its digest, so that two never become one."""
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{text[: length - len(digest) - 1]}:{digest}"


Value = Callable[[_Of], Any]
Columns = Sequence[tuple[str, Kind, Value]]


def _nothing(_of: _Of) -> None:
    return None


def _said(text: str) -> Value:
    return lambda _of: text


def _sum(name: str) -> Value:
    return lambda of: of.row.sums[name]


def _double(name: str, divisor: float) -> Value:
    return lambda of: of.row.sums[name] / divisor


def _impact(name: str) -> Value:
    return lambda of: None if (amount := of.row.impact(name)) is None else amount / MICRO


def _intensity(of: _Of) -> float | None:
    energy_uwh = of.row.sums["facility_energy_uwh"]
    return of.row.sums["carbon_mid_ugco2e"] * 1000 / energy_uwh if energy_uwh > 0 else None


def _pue(of: _Of) -> float | None:
    it_uwh = of.row.sums["it_energy_uwh"]
    return of.row.sums["facility_energy_uwh"] / it_uwh if it_uwh > 0 else None


_MSM_SHARED: Columns = (
    ("Name", "text", lambda of: of.words),
    ("Organizational unit", "text", lambda of: of.order.tenant),
    ("Consumption start date", "text", lambda of: of.first_day),
    ("Consumption end date", "text", lambda of: of.last_day),
    ("Data quality type", "text", lambda of: of.words_of("msm")),
    (
        "Origin correlation ID",
        "text",
        lambda of: of.correlation,
    ),
)
PROFILES: Mapping[str, Columns] = {
    "msm-activity": (
        *_MSM_SHARED,
        ("Quantity", "nano", _sum("facility_energy_uwh")),
        ("Quantity unit", "text", _said("kWh")),
        ("Cost", "text", _nothing),
        ("Cost unit", "text", _nothing),
        ("Spend type", "text", _said("Purchased LLM inference")),
        ("Value chain partner", "text", lambda of: of.name("provider")),
        ("Description", "text", lambda of: f"{of.row.sums['prompts']} prompts"),
    ),
    "msm-emissions": (
        *_MSM_SHARED,
        ("Scope", "text", lambda of: "Scope 2" if of.is_own else "Scope 3"),
        ("Category", "text", lambda of: None if of.is_own else "1. Purchased goods and services"),
        ("CO2E", "nano", _sum("carbon_mid_ugco2e")),
        ("CO2E unit", "text", _said("kg")),
        ("Market-based CO2E", "nano", _sum("carbon_market_ugco2e")),
        (
            "Description",
            "text",
            lambda of: f"80 % range {of.row.low_ugco2e / MICRO:.6f} to {of.row.high_ugco2e / MICRO:.6f} g",
        ),
    ),
    "netzero": (
        ("Name", "text", lambda of: _shortened(of.words, _NAME_LENGTH_MAX)),
        ("ProcurementSummaryId", "text", _nothing),
        ("Scope3GhgCategory", "text", _said("Purchased Goods and Services")),
        ("SpendingCategory1", "text", _said("LLM inference")),
        ("SpendingCategory2", "text", lambda of: of.name("provider")),
        ("SpendingCategory3", "text", lambda of: of.name("model")),
        ("SpentAmount", "text", _nothing),
        ("SpentDate", "text", lambda of: of.last_day),
        ("SupplierId", "text", _nothing),
        ("VendorPrvdScope3EmssnInTco2e", "pico", _sum("carbon_mid_ugco2e")),
    ),
    "envizi": (
        ("Organization Link", "text", _nothing),
        ("Organization", "text", lambda of: of.order.tenant),
        ("Location", "text", lambda of: of.name("region") or "unknown"),
        ("Location Ref", "text", _nothing),
        ("Account Style Link", "text", _nothing),
        (
            "Account Style Caption",
            "text",
            lambda of: _ENVIZI_STYLES[of.is_own],
        ),
        ("Account Subtype", "text", _nothing),
        (
            "Account Number",
            "text",
            lambda of: of.account,
        ),
        ("Account Reference", "text", _nothing),
        ("Account Supplier", "text", lambda of: of.name("provider")),
        ("Account Reader", "text", _nothing),
        ("Record Start YYYY-MM-DD", "text", lambda of: of.first_day),
        ("Record End YYYY-MM-DD", "text", lambda of: of.last_day),
        ("Record Data Quality", "text", lambda of: of.words_of("envizi")),
        ("Record Billing Type", "text", _nothing),
        ("Record Subtype", "text", _nothing),
        ("Record Entry Method", "text", _nothing),
        ("Record Reference", "text", lambda of: f"rice-stream {of.order.month}"),
        ("Record Invoice Number", "text", _nothing),
        ("Quantity", "nano", lambda of: of.row.sums["facility_energy_uwh" if of.is_own else "carbon_mid_ugco2e"]),
        ("Total cost (incl. Tax) in local currency", "text", _nothing),
    ),
    "spruce": (
        ("BILLING_PERIOD", "text", lambda of: of.order.month),
        ("line_item_line_item_type", "text", _said("Usage")),
        ("line_item_product_code", "text", lambda of: of.name("provider")),
        ("product_servicecode", "text", lambda of: of.name("provider")),
        ("line_item_operation", "text", lambda of: of.name("model")),
        ("line_item_usage_start_date", "text", lambda of: rfc3339(of.stretch.low_us)),
        ("line_item_usage_end_date", "text", lambda of: rfc3339(of.stretch.high_us)),
        ("line_item_unblended_cost", "number", _nothing),
        ("pricing_public_on_demand_cost", "number", _nothing),
        ("product_instance_type", "text", _nothing),
        ("product_region_code", "text", lambda of: of.name("region")),
        ("region", "text", lambda of: of.name("region")),
        ("operational_energy_kwh", "number", _double("facility_energy_uwh", 1e9)),
        ("operational_emissions_co2eq_g", "number", _double("carbon_mid_ugco2e", MICRO)),
        ("embodied_emissions_co2eq_g", "number", _impact("embodied_ugco2e")),
        ("carbon_intensity", "number", _intensity),
        ("power_usage_effectiveness", "number", _pue),
        ("water_cooling_l", "number", _nothing),
        ("water_electricity_production_l", "number", _impact("water_ul")),
        ("water_consumption_stress_area_l", "number", _nothing),
        ("prompts", "whole", _sum("prompts")),
    ),
}


_PURCHASED = frozenset({"msm-activity", "netzero"})
"""Those that have no place for what ran on accelerators of one's own."""


def profile(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedRows:
    """The rows of a platform's profile; of `msm` those of emissions, or with `part` those of activity."""
    name = order.kind
    if name == "msm":
        name = f"msm-{order.options.part or PARTS[0]}"
    columns = PROFILES[name]
    question = MonthQuestion(tenant=order.tenant, month=order.month, by=BY, as_of_us=order.as_of_us)
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds: Grounds = grounds_of(connection, scope, found)
    rows = [
        tuple(value(_Of(order, found.stretch, row)) for _, _, value in columns)
        for row in found.rows
        if name not in _PURCHASED or not _Of(order, found.stretch, row).is_own
    ]
    return ExportedRows([ExportColumn(title, kind) for title, kind, _ in columns], [rows], grounds)
