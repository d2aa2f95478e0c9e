"""PACT 3's data model, rule by rule: what a footprint must have, in which form, and figures by hand."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

from rice_stream.reports.exports.orders import ExportOptions
from rice_stream.store.engine import Engine
from tests.behaviours.test_cost_centres import charged
from tests.behaviours.test_exports import filled, made
from tests.support.reports_store import Store, at

__all__ = ["charged"]
REQUIRED = {
    "id", "specVersion", "created", "status", "companyName", "companyIds", "productDescription", "productIds",
    "productNameCompany", "pcf",
}  # fmt: skip
REQUIRED_OF_PCF = {
    "declaredUnitOfMeasurement", "declaredUnitAmount", "productMassPerDeclaredUnit", "referencePeriodStart",
    "referencePeriodEnd", "pcfExcludingBiogenicUptake", "pcfIncludingBiogenicUptake", "fossilGhgEmissions",
    "fossilCarbonContent", "ipccCharacterizationFactors", "crossSectoralStandards", "exemptedEmissionsPercent",
}  # fmt: skip
DECIMALS = (
    "declaredUnitAmount", "productMassPerDeclaredUnit", "pcfExcludingBiogenicUptake", "pcfIncludingBiogenicUptake",
    "fossilGhgEmissions", "fossilCarbonContent", "exemptedEmissionsPercent", "primaryDataShare",
)  # fmt: skip
UNITS = {
    "liter", "kilogram", "cubic meter", "kilowatt hour", "megajoule", "ton kilometer", "square meter", "piece", "hour",
    "megabit second",
}  # fmt: skip
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:([a-zA-Z0-9()+,.:=@;$_!*'-]|%[0-9A-F]{2}|~)+")


def footprints(engine: Engine, path: Path, **options: Any) -> list[dict[str, Any]]:
    """Those of November."""
    data, manifest = made(engine, path, kind="pact", form="json", options=ExportOptions(**options))
    found: list[dict[str, Any]] = json.loads(data)["data"]
    assert manifest["file"]["rows"] == len(found)
    return found


class TestPact:
    """On every database."""

    def test_by_hand_a_thousand_prompts_of_two_and_a_half_grams(self, charged: Store, tmp_path: Path) -> None:
        """2.5 kg, whatever the number of prompts; the same id again, another one for another company."""
        engine = filled(charged)
        [footprint] = footprints(engine, tmp_path / "f")
        pcf = footprint["pcf"]
        assert (pcf["declaredUnitOfMeasurement"], pcf["declaredUnitAmount"]) == ("piece", "1000")
        assert pcf["pcfExcludingBiogenicUptake"] == pcf["fossilGhgEmissions"] == "2.500000000000"
        assert (pcf["referencePeriodStart"], pcf["referencePeriodEnd"]) == (
            "2026-11-01T00:00:00Z",
            "2026-12-01T00:00:00Z",
        )
        assert footprints(engine, tmp_path / "f")[0]["id"] == footprint["id"]
        [other] = footprints(engine, tmp_path / "f", company_name="Acme, Inc.", company_domain="acme.example")
        assert (other["companyName"], other["companyIds"]) == ("Acme, Inc.", ["urn:pact:acme.example:company-id:acme"])
        assert other["id"] != footprint["id"]

    def test_every_field_has_the_form_that_the_model_asks_for(self, charged: Store, tmp_path: Path) -> None:
        """Required fields, decimals as text, URNs, UUIDs, times in UTC; whatever a model is called."""
        engine = filled(charged)
        charged.add(at("2026-11-05T08:00:00Z", event_id="m", provider="über cloud/1", request_model='a "b"'))
        found = footprints(engine, tmp_path / "f")
        assert len({each["id"] for each in found}) == len(found) == 2
        for footprint in found:
            pcf = footprint["pcf"]
            assert set(footprint) >= REQUIRED
            assert set(pcf) >= REQUIRED_OF_PCF
            assert str(uuid.UUID(footprint["id"])) == footprint["id"]
            assert (footprint["specVersion"], footprint["status"]) == ("3.0.0", "Active")
            assert pcf["declaredUnitOfMeasurement"] in UNITS
            for name in DECIMALS:
                assert _DECIMAL.fullmatch(pcf[name]), name
            # A row is of several places, and nothing rates it.
            assert not [name for name in pcf if name.startswith(("geography", "dqi"))]
            assert all(_URN.fullmatch(urn) for urn in (*footprint["companyIds"], *footprint["productIds"]))
            assert footprint["created"].endswith("Z")

    def test_a_month_without_prompts_has_no_footprint(self, charged: Store, tmp_path: Path) -> None:
        """And no division by nothing."""
        data, manifest = made(filled(charged), tmp_path / "f", kind="pact", form="json", month="2026-01")
        assert (json.loads(data), manifest["file"]["rows"]) == ({"data": []}, 0)
