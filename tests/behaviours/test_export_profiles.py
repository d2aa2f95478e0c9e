"""Profiles of carbon platforms: headers, types and words as they are published, and amounts that add up to the month."""

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rice_stream.instants import epoch_us, parse_instant
from rice_stream.reports.exports.orders import ExportOptions
from rice_stream.store.engine import Engine
from tests.behaviours.test_cost_centres import charged
from tests.behaviours.test_exports import filled, made, rows_of
from tests.behaviours.test_focus import void
from tests.support.reports_store import Store, at

__all__ = ["charged"]
HEADERS = {
    # learn.microsoft.com, Common Data Model: PurchasedGoodAndService, by display names.
    ("msm", "activity"): (
        "Name,Organizational unit,Consumption start date,Consumption end date,Data quality type,Origin correlation ID,Quantity,"
        "Quantity unit,Cost,Cost unit,Spend type,Value chain partner,Description"
    ),
    ("msm", "emissions"): (
        "Name,Organizational unit,Consumption start date,Consumption end date,Data quality type,Origin correlation ID,Scope,"
        "Category,CO2E,CO2E unit,Market-based CO2E,Description"
    ),
    # Net Zero Cloud Developer Guide, API version 67.0: fields of Scope3PcmtItem that can be created.
    ("netzero", None): (
        "Name,ProcurementSummaryId,Scope3GhgCategory,SpendingCategory1,SpendingCategory2,SpendingCategory3,SpentAmount,SpentDate,"
        "SupplierId,VendorPrvdScope3EmssnInTco2e"
    ),
    # ibm.com/docs/en/envizi-esg-suite: Account Setup and Data Loading report fields, template PM&C.
    ("envizi", None): (
        "Organization Link,Organization,Location,Location Ref,Account Style Link,Account Style Caption,Account Subtype,"
        "Account Number,Account Reference,Account Supplier,Account Reader,Record Start YYYY-MM-DD,Record End YYYY-MM-DD,"
        "Record Data Quality,Record Billing Type,Record Subtype,Record Entry Method,Record Reference,Record Invoice Number,"
        "Quantity,Total cost (incl. Tax) in local currency"
    ),
}
SPRUCE_READS = {
    "BILLING_PERIOD": "string",
    "region": "string",
    "product_instance_type": "string",
    "product_region_code": "string",
    "line_item_product_code": "string",
    "product_servicecode": "string",
    "line_item_operation": "string",
    "line_item_line_item_type": "string",
    "line_item_unblended_cost": "double",
    "pricing_public_on_demand_cost": "double",
    "operational_energy_kwh": "double",
    "operational_emissions_co2eq_g": "double",
    "embodied_emissions_co2eq_g": "double",
    "water_cooling_l": "double",
    "water_electricity_production_l": "double",
    "water_consumption_stress_area_l": "double",
    "carbon_intensity": "double",
    "power_usage_effectiveness": "double",
}
"""What the dashboard and the report of SPRUCE (dashboard.py and report.py of its repository) read, and as what."""


def stored(store: Store) -> Engine:
    """The four prompts of 2.5 g, and one of 2.5 g that ran on accelerators of one's own."""
    engine = filled(store)
    store.add(at("2026-11-05T08:00:00Z", event_id="own", provider="vllm", inference_region="SE"))
    return engine


class TestProfiles:
    """On every database."""

    @pytest.mark.parametrize(("kind", "part"), HEADERS)
    def test_headers_words_and_amounts(self, charged: Store, tmp_path: Path, kind: str, part: str | None) -> None:
        """Dates are days of the month, names are unique, what is one's own is Scope 2, and amounts add up."""
        options = ExportOptions(part=part, own_providers=("vllm",))
        data, _ = made(stored(charged), tmp_path / "f", kind=kind, options=options)
        assert data.decode().splitlines()[0] == HEADERS[kind, part]
        rows = rows_of(data)
        known_by = {"msm": "Origin correlation ID", "netzero": "Name", "envizi": "Account Number"}[kind]
        names = [row[known_by] for row in rows]
        assert len(set(names)) == len(names)
        dates = [
            (name, value) for row in rows for name, value in row.items() if "date" in name.lower() or "YYYY" in name
        ]
        assert {value for name, value in dates} == {"2026-11-30"} | ({"2026-11-01"} if kind != "netzero" else set())
        if kind == "msm" and part == "activity":
            assert [(row["Quantity"], row["Quantity unit"]) for row in rows] == [("0.025000000", "kWh")]
        elif kind == "msm":
            assert {row["Scope"]: row["CO2E"] for row in rows} == {"Scope 3": "0.010000000", "Scope 2": "0.002500000"}
            assert {row["Data quality type"] for row in rows} == {"Estimated"}
        elif kind == "netzero":
            assert sum(Decimal(row["VendorPrvdScope3EmssnInTco2e"]) for row in rows) == Decimal("0.00001")
            assert {(row["Scope3GhgCategory"], row["SpentAmount"]) for row in rows} == {
                ("Purchased Goods and Services", "")
            }
            assert all(len(name) <= 80 for name in names)
        else:
            assert {row["Record Data Quality"] for row in rows} == {"Estimated"}
            assert {row["Account Style Caption"][:7]: row["Quantity"] for row in rows} == {
                "Scope 3": "0.010000000",
                "Scope 2": "0.006250000",
            }

    def test_spruce_reads_the_columns_that_its_dashboard_and_its_report_ask_for(
        self, charged: Store, tmp_path: Path
    ) -> None:
        """By name and type; intensity and PUE are those of the row's own energy."""
        data, _ = made(stored(charged), tmp_path / "f", kind="spruce", form="parquet")
        table = pq.read_table(io.BytesIO(data))
        types = {field.name: str(field.type) for field in table.schema}
        assert SPRUCE_READS.items() <= types.items()
        rows: list[dict[str, Any]] = table.to_pylist()
        assert sum(row["operational_emissions_co2eq_g"] for row in rows) == 12.5
        assert {(row["carbon_intensity"], row["power_usage_effectiveness"]) for row in rows} == {(400.0, 1.25)}


class TestPrompts:
    """On every database."""

    def test_every_prompt_of_the_month_as_it_was_recorded(self, charged: Store, tmp_path: Path) -> None:
        """A row each, a voided one too; what comes after the instant is left out, so that it can be made again."""
        engine, path = stored(charged), tmp_path / "f"
        before = {form: made(engine, path, kind="prompts", form=form) for form in ("csv", "parquet")}
        charged.add(at("2026-11-06T08:00:00Z", event_id="after"))
        for form, (data, manifest) in before.items():
            assert (manifest["file"]["rows"], manifest["totals"]["prompts"]) == (5, "5")
            as_of_us = epoch_us(parse_instant(manifest["as_of"]))
            assert made(engine, path, kind="prompts", form=form, as_of_us=as_of_us)[0] == data
        void(engine, "own")
        rows = rows_of(made(engine, path, kind="prompts")[0])
        assert [row["ended_at"] for row in rows] == sorted(row["ended_at"] for row in rows)
        assert sum(int(row["carbon_mid_ugco2e"]) for row in rows) == 15_000_000
