"""The card of a model: evidence with source and date, assumptions, and a range whose parts make the whole."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rice_stream.estimator.method import Requests
from rice_stream.estimator.registry import load_method
from rice_stream.estimator.spread import Z80
from rice_stream.instants import us_from_iso
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator, EstimatorAt
from rice_stream.meter.factor_detail import context_from_detail
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.model_card import model_card
from rice_stream.meter.service_key import ServiceKey
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


def test_a_price_of_ones_own_moves_a_row_that_was_fitted_without(tmp_path: Path) -> None:
    """text-bison has no list price. 1 and 2 USD a million tokens are 0.001 USD for 500 and 250, at 11 USD/kWh 0.091 Wh, log-sd 0.8:
    the row's energy and that are weighted with their precisions."""
    (tmp_path / "prices.csv").write_text(
        "provider,model,usd_per_mtok_input,usd_per_mtok_cache_read,usd_per_mtok_output,source\n"
        "google,text-bison,1,,2,an old invoice\n",
        "utf-8",
    )
    own = Estimator(load_reference(tmp_path), FactorPolicy(), load_method("rice-calibrated")).at(estimator().at_us)
    before, after = card("text-bison", "google"), model_card("text-bison", "google", own)
    prior, mid = (one["request"]["facility_energy_wh"]["mid"] for one in (before, after))
    spread = math.log(before["range_factors"]["energy"]) / (2 * Z80)
    weight = spread**2 / (spread**2 + 0.8**2)
    assert mid == pytest.approx(prior ** (1 - weight) * (0.001 / 11 * 1000) ** weight, rel=1e-3)
    assert after["range_factors"]["energy"] == pytest.approx(
        math.exp(2 * Z80 * spread * math.sqrt(1 - weight)), rel=1e-3
    )


EVIDENCE = (
    "evidence_id,kind,models,provider,quantity,value,log_sd,unit,total_input_tokens,total_output_tokens,date,source\n"
    "mine:1,disclosure,gpt-4o,openai,facility_energy,{value},{log_sd},Wh,500,250,2026-10-01,letter of the vendor\n"
)


@pytest.mark.parametrize("log_sd", [0.05, 0.3])
def test_a_disclosure_moves_the_energy_as_far_as_it_is_certain(tmp_path: Path, log_sd: float) -> None:
    """Two log-normals: the middle is their mean in logarithms, weighted with their precisions."""
    (tmp_path / "evidence.csv").write_text(EVIDENCE.format(value=0.6, log_sd=log_sd), "utf-8")
    own = Estimator(load_reference(tmp_path), FactorPolicy(), load_method("rice-calibrated")).at(estimator().at_us)
    before, after = card("gpt-4o", "openai"), model_card("gpt-4o", "openai", own)
    pue = after["served"]["pue"]
    prior, mid = (one["request"]["facility_energy_wh"]["mid"] for one in (before, after))
    spread = math.log(before["range_factors"]["energy"]) / (2 * Z80)
    weight = spread**2 / (spread**2 + log_sd**2)
    assert mid == pytest.approx(math.exp((1 - weight) * math.log(prior) + weight * math.log(0.6)), rel=0.02), pue
    assert after["range_factors"]["energy"] == pytest.approx(
        math.exp(2 * Z80 * spread * math.sqrt(1 - weight)), rel=0.02
    )
    assert "mine:1" in [piece["id"] for piece in after["evidence"]]
    other = model_card("gpt-4o", "azure", own)["request"]["facility_energy_wh"]
    assert other == card("gpt-4o", "azure")["request"]["facility_energy_wh"]


def test_a_record_keeps_the_disclosure_that_moved_it(tmp_path: Path) -> None:
    (tmp_path / "evidence.csv").write_text(EVIDENCE.format(value=0.6, log_sd=0.1), "utf-8")
    own = Estimator(load_reference(tmp_path), FactorPolicy(), load_method("rice-calibrated")).at(estimator().at_us)
    use = own.factors(ServiceKey("openai", "gpt-4o", None, None))
    assert use.context.disclosures
    assert context_from_detail(json.loads(use.columns["detail"])) == use.context


def test_the_explanation_names_the_disclosure_that_moved_the_energy(tmp_path: Path) -> None:
    """With its id, what it says, and the factor on all joules: 0.6 Wh at a log-sd of 0.1 outweigh what was known."""
    (tmp_path / "evidence.csv").write_text(EVIDENCE.format(value=0.6, log_sd=0.1), "utf-8")
    told = Estimator(load_reference(tmp_path), FactorPolicy(), load_method("rice-calibrated")).at(estimator().at_us)
    contexts = [one.factors(ServiceKey("openai", "gpt-4o", None, None)).context for one in (estimator(), told)]
    request = Requests(np.array([0]), np.array([500]), np.array([0]), np.array([250]), np.array([True]))
    before, after = (told.method.explain(context, request) for context in contexts)
    [step] = [one for one in after if one.name == "disclosure_factor"]
    assert step.source == "mine:1"
    assert "0.6 Wh for 500 tokens in (0 cached) and 250 out, log-sd 0.1" in step.formula
    joules = [next(one.value for one in steps if one.name == "gpu_energy_j") for steps in (before, after)]
    assert step.value == pytest.approx(joules[1] / joules[0], rel=1e-9)
    assert [one for one in before if one.name == "disclosure_factor"] == []


def test_a_method_without_parts_gives_none() -> None:
    assert model_card("gpt-4o", None, estimator("rice-paper"))["range_factors"] == {}
