"""Sets over the tables: what a look-up answers then, and what does not fit them."""

import re
from typing import Any

import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.instants import us_from_iso
from rice_stream.quantities import ListPrice, Range
from rice_stream.reference.loader import load_reference
from rice_stream.reference.sets.history import with_sets
from rice_stream.reference.sets.laying import check_set
from tests.support.factor_files import BRITAIN, SWEDEN, pue_row, rci_row, set_of

BUILT_IN = load_reference()
AT_US = us_from_iso("2026-11-29T05:30:00Z")


def region(reference: Any, name: str, at_us: int = AT_US) -> Any:
    """Carbon intensity of a place."""
    return reference.resolve_region(name, None, "lifecycle", at_us)


def test_a_row_takes_the_place_of_the_built_in_one_and_names_its_set() -> None:
    """Source, digest, date and licence are in what every record says of its source; the range stays that of such a place."""
    made = set_of(rci_row(), rci_row(BRITAIN, 100))
    factor = region(with_sets(BUILT_IN, [made]), SWEDEN)
    assert (factor.rci_gco2e_per_kwh.mid, factor.year, factor.licence) == (12.5, 2025, "CC-BY-4.0")
    assert factor.source == f"Grid Co (factor set {made.digest[:12]}, published 2026-11-01, CC-BY-4.0)"
    built_in, own = (region(one, BRITAIN).rci_gco2e_per_kwh for one in (BUILT_IN, with_sets(BUILT_IN, [made])))
    assert own.low / own.mid == pytest.approx(built_in.low / built_in.mid, rel=1e-6)
    assert region(with_sets(BUILT_IN, [made]), "country:FR") == region(BUILT_IN, "country:FR")


def test_a_row_holds_within_its_dates_alone() -> None:
    """Before and after them the built-in rows do: of the place, or of where its ladder leads."""
    rows = [rci_row(one, valid_from="2026-11-29", valid_to="2026-11-30") for one in (SWEDEN, BRITAIN)]
    reference = with_sets(BUILT_IN, [set_of(*rows)])
    before, after = us_from_iso("2026-11-28T23:59:59Z"), us_from_iso("2026-11-30")
    for place in (SWEDEN, BRITAIN):
        built_in = region(BUILT_IN, place).rci_gco2e_per_kwh.mid
        found = [region(reference, place, at_us).rci_gco2e_per_kwh.mid for at_us in (before, AT_US, after)]
        assert found == [built_in, 12.5, built_in]
    assert {us_from_iso("2026-11-29"), after} <= set(reference.boundaries_us)


def test_a_price_and_a_pue_lapse_too() -> None:
    price = {
        "provider": "openai",
        "model": "our-own-thing",
        "input": 1,
        "output": 2,
        "unit": "USD/Mtok",
        "valid_to": "2026-01-01",
    }
    pue = pue_row(1.9, provider="openai", valid_to="2026-01-01")
    reference = with_sets(BUILT_IN, [set_of(price, kind="price"), set_of(pue, kind="pue")])
    then_us = us_from_iso("2025-12-31")
    assert [reference.resolve_pue(None, "openai", at_us).pue for at_us in (then_us, AT_US)] == [
        1.9,
        BUILT_IN.resolve_pue(None, "openai", AT_US).pue,
    ]
    found = [reference.resolve_price("openai", "our-own-thing", None, at_us) for at_us in (then_us, AT_US)]
    assert found[0] is not None
    assert found[1] is None


def test_hours_answer_by_the_hour_of_the_event_and_their_mean_without_one() -> None:
    """By hand: 0 to 23 at 05:30 are 5, their mean is 11.5; the range is the same share of each."""
    factor = region(with_sets(BUILT_IN, [set_of(rci_row(value=None, by_hour=list(range(24))))]), SWEDEN)
    assert factor.rci_gco2e_per_kwh == Range(10.35, 11.5, 13.11)
    assert factor.rci_at(AT_US) == Range(4.5, 5.0, 5.7)


def test_pues_of_a_provider_come_before_fleets_and_after_its_own_place() -> None:
    """The provider at a place, the place, the provider, then what the tables know; only of those that are named."""
    rows = [
        pue_row(1.31, provider="openai"),
        pue_row(1.32, provider="openai", region=SWEDEN),
        pue_row(1.33, region=BRITAIN),
    ]
    reference = with_sets(BUILT_IN, [set_of(*rows, kind="pue")])
    asked = [("openai", SWEDEN), ("openai", BRITAIN), ("openai", "country:FR"), ("openai", None), ("anthropic", None)]
    found = [reference.resolve_pue(place, provider, AT_US).pue for provider, place in asked]
    assert found[:4] == [1.32, 1.33, 1.31, 1.31]
    assert found[4] == BUILT_IN.resolve_pue(None, "anthropic", AT_US).pue


def test_prices_and_evidence_are_laid_too() -> None:
    price = {"provider": "openai", "model": "gpt-4o", "input": 7, "cache_read": 3, "output": 9, "unit": "USD/Mtok"}
    said = {
        "evidence_id": "own:1",
        "kind": "disclosure",
        "models": "gpt-4o",
        "quantity": "facility_energy",
        "value": 0.3,
    }
    said |= {"unit": "Wh", "total_output_tokens": 300, "log_sd": 0.2, "date": "2026-10"}
    reference = with_sets(BUILT_IN, [set_of(price, kind="price"), set_of(said, kind="evidence")])
    found = reference.resolve_price("openai", "gpt-4o", None, AT_US)
    assert found is not None
    assert found.usd_per_mtok == ListPrice(7, 3, 9)
    assert [one.evidence_id for one in reference.disclosures("gpt-4o", "openai")] == ["own:1"]


@pytest.mark.parametrize(
    ("rows", "kind", "said"),
    [
        ([rci_row("atlantis")], "rci", "row 1, column region: 'atlantis' is no place of the tables; see `rice-stream regions`"),
        ([pue_row(1.1, provider="nobody")], "pue", "row 1, column provider: 'nobody' is no provider of the tables"),
        ([pue_row(1.1, region="atlantis")], "pue", "row 1, column region: 'atlantis' is no place of the tables"),
        (
            [{"provider": "nobody", "model": "m", "input": 1, "output": 1, "unit": "USD/Mtok"}],
            "price",
            "row 1, column provider: 'nobody' is no provider of the tables",
        ),
        (
            [{"evidence_id": "o", "kind": "estimate", "models": "no-model", "quantity": "x", "value": 1, "unit": "Wh",
              "date": "2026"}],
            "evidence",
            "row 1, column models: 'no-model' has no row in models.csv",
        ),
        (
            [{"evidence_id": "o", "kind": "disclosure", "models": "gpt-4o", "quantity": "facility_energy", "value": 1, "unit": "J",
              "date": "2026", "total_output_tokens": 3, "log_sd": 1}],
            "evidence",
            "row 1, column unit: facility_energy is given in Wh, not 'J'",
        ),
        ([rci_row("world", 0)], "rci", "the last rung is missing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_tables_is_told_with_row_and_column(
    rows: list[dict[str, Any]], kind: str, said: str
) -> None:
    with pytest.raises(ReferenceDataError, match=re.escape(said)):
        check_set(set_of(*rows, kind=kind), BUILT_IN.tables)


def test_names_may_be_spelled_in_any_case() -> None:
    made = set_of(rci_row("Azure:SwedenCentral"))
    check_set(made, BUILT_IN.tables)
    assert region(with_sets(BUILT_IN, [made]), SWEDEN).rci_gco2e_per_kwh.mid == 12.5
