"""FOCUS: rules of the specification by number, and corrections of closed months as corrections."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from rice_stream.instants import epoch_us, parse_instant, rfc3339
from rice_stream.ledger.voiding import void_record
from rice_stream.reports.exports.orders import ExportOptions
from rice_stream.reports.record_keys import find_key
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_cost_centres import charged
from tests.behaviours.test_exports import filled, made, rows_of
from tests.support.closing import close
from tests.support.fakes import OPERATOR
from tests.support.places import ROOT
from tests.support.reports_store import Store, at

__all__ = ["charged"]
Row = dict[str, str]
Rows = list[Row]
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
TEXTS = ("BillingAccountId", "ChargeDescription", "InvoiceIssuerName", "ServiceName")
INSTANTS = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
IN_BOTH = {
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
}
OF_VERSION = {"1.2": {"ProviderName", "PublisherName"}, "1.4": {"ServiceProviderName", "HostProviderName"}}
"""There is no other column but our own: which data set knows which was looked up in the specification's repository."""
NUMBERS = (
    "ConsumedQuantity", "x_CarbonKgCo2e", "x_CarbonKgCo2eLow", "x_CarbonKgCo2eHigh", "x_CarbonMarketKgCo2e", "x_EmbodiedKgCo2e",
    "x_EnergyKwh", "x_InputTokens", "x_ItEnergyKwh", "x_OutputTokens", "x_PromptCount", "x_WaterL",
)  # fmt: skip


def both(name: str, is_right: Callable[[str], bool]) -> Callable[[Rows], bool]:
    """Of every row."""
    return lambda rows: all(is_right(row[name]) for row in rows)


def always(is_right: Callable[[Row], bool]) -> Callable[[Rows], bool]:
    """Of every row, looked at as a whole."""
    return lambda rows: all(map(is_right, rows))


def first(rows: Rows) -> list[str]:
    """The columns."""
    return list(rows[0])


RULES: dict[str, Callable[[Rows], bool]] = {
    # Presence and order of columns. D: of the data set; C: of a column.
    "CostAndUsage-D-000-M: every column is there once": lambda rows: len(first(rows)) == len(set(first(rows))),
    "ColumnHandling: names are PascalCase, those of ours begin with x_": lambda rows: all(
        re.fullmatch(r"(x_)?([A-Z][A-Za-z0-9]*)", name) for name in first(rows)
    ),
    "ColumnHandling: our own stand behind those of FOCUS": lambda rows: (
        [name.startswith("x_") for name in first(rows)] == sorted(name.startswith("x_") for name in first(rows))
    ),
    "NullHandling: what is not known is null and no word for it": always(
        lambda row: not {"null", "NULL", "None", "NaN", "N/A"} & set(row.values())
    ),
    **{f"{name}-C: is text (String) and not null": both(name, bool) for name in TEXTS},
    **{
        f"{name}-C-002-M, -003-M: DateTimeFormat, UTC to the second, not null": both(
            name, lambda v: bool(_INSTANT.fullmatch(v))
        )
        for name in INSTANTS
    },
    "BillingPeriodEnd-C-004-M: is the exclusive end, later than BillingPeriodStart": always(
        lambda row: row["BillingPeriodStart"] < row["BillingPeriodEnd"]
    ),
    "ChargePeriodEnd-C-004-M: is the exclusive end, later than ChargePeriodStart": always(
        lambda row: row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    ),
    "ChargePeriodStart-C-004-M: what is no correction lies in its billing period": always(
        lambda row: (
            bool(row["ChargeClass"])
            or row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        )
    ),
    "ChargeCategory-C-002-M, -003-M: is one of those allowed": both("ChargeCategory", lambda v: v == "Usage"),
    "ChargeClass-C-003-C, -004-C: is null where the row is no correction of an earlier billing period": always(
        lambda row: bool(row["ChargeClass"]) == (row["ChargePeriodStart"] < row["BillingPeriodStart"])
    ),
    "ChargeClass-C-005-C: is Correction where it is not null": both("ChargeClass", lambda v: v in ("", "Correction")),
    "ChargeFrequency-C-002-M, -003-M: is one of those allowed": both("ChargeFrequency", lambda v: v == "Usage-Based"),
    "ConsumedQuantity-C-001-M, -006-C, -008-C: is a decimal, and not negative but for corrections": always(
        lambda row: (
            bool(_NUMBER.fullmatch(row["ConsumedQuantity"]))
            and (bool(row["ChargeClass"]) or Decimal(row["ConsumedQuantity"]) >= 0)
        )
    ),
    "ConsumedUnit-C-006-C: is there where ConsumedQuantity is": both("ConsumedUnit", lambda v: v == "Tokens"),
    "RegionName-C-004-C, -005-C: is null where RegionId is, and else not": always(
        lambda row: bool(row["RegionId"]) == bool(row["RegionName"])
    ),
    "ResourceType-C-004-C, -005-C: is null where ResourceId is, and else not": always(
        lambda row: bool(row["ResourceId"]) == bool(row["ResourceType"])
    ),
    "ResourceName-C-006-C: does not repeat ResourceId": both("ResourceName", lambda v: not v),
    "ServiceCategory-C-003-M: is one of those allowed": both(
        "ServiceCategory", lambda v: v == "AI and Machine Learning"
    ),
    "ServiceSubcategory-C-003-M, -004-M: is one of the category's": both(
        "ServiceSubcategory", lambda v: v == "Generative AI"
    ),
    "SubAccountName-C-004-C, -005-C, SubAccountType-C-004-C, -005-C: are null where SubAccountId is": always(
        lambda row: bool(row["SubAccountId"]) == bool(row["SubAccountName"]) == bool(row["SubAccountType"])
    ),
    "Tags-C-001-M: KeyValueFormat, a JSON object of text, or null": both(
        "Tags", lambda v: not v or all(isinstance(one, str) for one in json.loads(v).values())
    ),
    "NumericFormat: numbers have no unit, sign of a currency or separator": always(
        lambda row: all(not row[name] or _NUMBER.fullmatch(row[name]) for name in NUMBERS)
    ),
}
"""What FOCUS 1.2 and 1.4 ask for in the columns that are there, by the number of the rule, or of its part."""
NOT_KNOWN = (
    "BilledCost-C-003-M",
    "BillingCurrency-C-004-M",
    "ContractedCost-C-003-M",
    "EffectiveCost-C-003-M",
    "InvoiceId-C-005-C",
    "ListCost-C-003-M",
    "PricingQuantity-C",
    "PricingUnit-C",
)
"""Must not be null, and is: a cost of 0 would be a lie, and no invoice is known here. The documents name them."""


def void(engine: Engine, event_id: str) -> None:
    """Take an event out."""
    found = find_key(engine, EVERYTHING, event_id)
    void_record(engine, found.key, found.tenant_id, event_id, reason="a load test", by=OPERATOR)


def corrected(store: Store) -> Engine:
    """October is closed; then a prompt of it comes late, another one is voided, and one of the open November is voided."""
    engine = filled(store)
    store.add(at("2026-10-15T08:00:00Z", team_id="ads"))
    close(engine, "2026-10")
    store.add(at("2026-10-20T08:00:00Z", event_id="late", team_id="ads"))
    void(engine, "2026-10-31T23:59:59Z")
    void(engine, "2026-11-02T09:00:00Z")
    return engine


def this_month(engine: Engine) -> str:
    """The month in which corrections are recorded, by the database's clock."""
    with reading(engine) as connection:
        return rfc3339(database_now_us(connection))[:7]


def shaped(engine: Engine, path: Path, month: str, version: str = "1.4") -> Rows:
    """The rows of a month."""
    options = ExportOptions(focus_version=version)
    return rows_of(made(engine, path, kind="focus", month=month, options=options)[0])


class TestFocus:
    """On every database."""

    @pytest.mark.parametrize("version", ["1.2", "1.4"])
    def test_the_rules_hold(self, charged: Store, tmp_path: Path, version: str) -> None:
        """Of usage, and of corrections beside it."""
        engine = corrected(charged)
        for month in {"2026-10", "2026-11", this_month(engine)}:
            rows = shaped(engine, tmp_path / "focus.csv", month, version)
            assert [rule for rule, holds in RULES.items() if not holds(rows)] == []
            assert {name for name in rows[0] if not name.startswith("x_")} == IN_BOTH | OF_VERSION[version]

    def test_what_a_prompt_cost_is_not_made_up(self, charged: Store, tmp_path: Path) -> None:
        """And the documents name each rule that is broken so."""
        [row, *_] = shaped(filled(charged), tmp_path / "focus.csv", "2026-11")
        for rule in NOT_KNOWN:
            assert row[rule.partition("-")[0]] == ""
            assert f"`{rule.partition('-')[0]}`" in (ROOT / "docs/exports.md").read_text("utf-8")

    def test_by_hand_corrections_are_of_the_month_in_which_they_were_made(self, charged: Store, tmp_path: Path) -> None:
        """October stays 2 prompts of 2.5 g as it was closed. What came late, and what was voided, is in the month of now with the
        days of October; the void of November's own prompt is in its usage."""
        engine = corrected(charged)
        october = shaped(engine, tmp_path / "focus.csv", "2026-10")
        assert [(row["ChargeClass"], row["x_PromptCount"], row["x_CarbonKgCo2e"]) for row in october] == [
            ("", "1", "0.002500000"),
            ("", "1", "0.002500000"),
        ]
        usage = [row for row in shaped(engine, tmp_path / "focus.csv", "2026-11") if not row["ChargeClass"]]
        assert sum(int(row["x_PromptCount"]) for row in usage) == 3
        now = this_month(engine)
        corrections = [row for row in shaped(engine, tmp_path / "focus.csv", now) if row["ChargeClass"]]
        assert [
            (row["x_CorrectionCause"], row["ChargePeriodStart"], row["x_PromptCount"], row["x_CarbonKgCo2e"])
            for row in corrections
        ] == [
            ("late", "2026-10-20T00:00:00Z", "1", "0.002500000"),
            ("void", "2026-10-31T00:00:00Z", "-1", "-0.002500000"),
        ]
        assert {row["BillingPeriodStart"] for row in corrections} == {f"{now}-01T00:00:00Z"}

    def test_made_again_after_more_corrections_it_is_the_same(self, charged: Store, tmp_path: Path) -> None:
        """Also the corrections are as of the instant."""
        engine, path = corrected(charged), tmp_path / "focus.csv"
        now = this_month(engine)
        data, manifest = made(engine, path, kind="focus", month=now)
        void(engine, "late")
        as_of_us = epoch_us(parse_instant(manifest["as_of"]))
        assert made(engine, path, kind="focus", month=now, as_of_us=as_of_us)[0] == data
        assert made(engine, path, kind="focus", month=now)[0] != data
