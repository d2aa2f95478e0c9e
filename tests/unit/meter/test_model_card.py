"""The card of a model: evidence with source and date, assumptions, and a range whose parts make the whole."""

import json
import math
from functools import cache
from typing import Any

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.instants import us_from_iso
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator, EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.model_card import model_card
from rice_stream.reference.loader import load_reference

NAMES = (
    "gpt-4o",
    "claude-sonnet-4",
    "gemini-2.0-flash",
    "deepseek-v3",
    "mistral-large-2",
    "llama-3.3-70b",
    "gpt-9",
    "nobody-1",
)


@cache
def estimator(method: str = "rice-calibrated") -> EstimatorAt:
    return Estimator(load_reference(), FactorPolicy(), load_method(method)).at(us_from_iso("2026-11-29"))


def card(name: str, provider: str | None = None) -> dict[str, Any]:
    return model_card(name, provider, estimator())


@pytest.mark.parametrize("name", NAMES)
def test_every_piece_of_evidence_has_kind_value_unit_source_and_date(name: str) -> None:
    found = card(name)
    assert json.loads(json.dumps(found)) == found
    assert found["evidence"]
    for piece in found["evidence"]:
        assert all(piece[name] for name in ("kind", "unit", "source")), piece
        assert piece["value"] > 0
        assert piece["date"][:2] == "20" or not load_reference().resolve_model(None, name, None, 0).known, piece


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_the_range_make_the_whole_and_that_is_the_estimates(name: str) -> None:
    """Logarithms of independent causes add in quadrature."""
    found = card(name)
    factors = dict(found["range_factors"])
    carbon, energy = factors.pop("carbon"), factors.pop("energy")
    assert list(factors.values()) == sorted(factors.values(), reverse=True)
    assert math.log(carbon) == pytest.approx(math.sqrt(sum(math.log(one) ** 2 for one in factors.values())), rel=1e-3)
    inside = [math.log(one) ** 2 for name, one in factors.items() if name not in ("pue", "grid")]
    assert math.log(energy) == pytest.approx(math.sqrt(sum(inside)), rel=1e-3)
    (one,) = estimate_all([Described(500, 250, model=name)], estimator())
    assert found["request"]["carbon_gco2e"] == one.values["carbon_gco2e"]
    bounds = found["request"]["carbon_gco2e"]
    assert bounds["high"] / bounds["low"] == pytest.approx(carbon, rel=1e-3)


def test_the_card_of_gpt_4o_says_what_it_rests_on() -> None:
    found = card("gpt-4o")
    assert (found["model"], found["owner"], found["rung"], found["estimated"]) == ("gpt-4o", "openai", "exact", True)
    assert found["served"]["pue"] == 1.17
    assert found["served"]["region"] == "country:US"
    assert found["served"]["route"] == "hosted_posterior"
    assert (found["price"]["usd_per_mtok_input"], found["price"]["usd_per_mtok_output"]) == (2.5, 10)
    ids = [piece["id"] for piece in found["evidence"]]
    assert ids[0] == "arch:gpt-4o"
    assert {"arch:gpt-4o/medec", "price:openai/gpt-4o@2024-08-06", "host:openai"} <= set(ids)
    # 500 x 2.5 + 250 x 10 USD per million tokens are 0.00375 USD: at most 3.75 Wh at 1 USD per kWh.
    assert found["request"]["facility_energy_wh"]["mid"] <= 3.75


def test_a_provider_has_its_own_price_pue_and_places() -> None:
    at_vertex = card("claude-sonnet-4", "vertex_ai")
    assert (at_vertex["served"]["pue"], at_vertex["price"]["provider"]) == (1.09, "google-vertex")
    assert "host:gcp" in [piece["id"] for piece in at_vertex["evidence"]]


def test_a_model_with_neither_row_nor_price_says_so() -> None:
    found = card("nobody-1")
    assert (found["rung"], found["price"], found["served"]["route"]) == ("default", None, "assumed")
    assert [piece["kind"] for piece in found["evidence"]] == ["architecture", "architecture"]


def test_a_method_without_parts_gives_none() -> None:
    assert model_card("gpt-4o", None, estimator("rice-paper"))["range_factors"] == {}
