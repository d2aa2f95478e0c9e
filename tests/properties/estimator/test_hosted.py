"""Hosted models: ranges, tokens and prices, for any model that is listed and any request."""

import math
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.estimator.registry import load_method
from rice_stream.estimator.spread import Z80, quadrature
from rice_stream.instants import us_from_iso
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import RequestEstimate, estimate_all
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.reference.loader import load_reference

REFERENCE, METHOD = load_reference(None), load_method("rice-calibrated")
AT = Estimator(REFERENCE, FactorPolicy(), METHOD).at(us_from_iso("2026-09-01"))
MODELS = (
    "gpt-4o",
    "gpt-5",
    "claude-sonnet-4-5",
    "gemini-2.0-flash",
    "deepseek-v3",
    "mistral-large-2",
    "llama-3.3-70b",
    "new",
)
models = st.sampled_from(MODELS)
providers = st.sampled_from((None, "openai", "azure", "anthropic", "aws.bedrock", "vertex_ai", "deepseek", "together"))
tokens = st.integers(0, 200_000)


def asked(model: str, inputs: int, outputs: int, cached: int = 0, **more: Any) -> RequestEstimate:
    request = Described(
        input_tokens=inputs, output_tokens=outputs, cache_read_input_tokens=min(cached, inputs), model=model, **more
    )
    return estimate_all([request], AT)[0]


@settings(deadline=None, max_examples=60)
@given(model=models, provider=providers, inputs=tokens, cached=tokens, outputs=st.integers(0, 8000))
def test_a_range_encloses_its_middle_and_is_as_wide_as_its_causes_in_quadrature(
    model: str, provider: str | None, inputs: int, cached: int, outputs: int
) -> None:
    found = asked(model, inputs, outputs, cached, provider=provider)
    carbon = found.values["carbon_gco2e"]
    assert carbon["low"] <= carbon["mid"] <= carbon["high"]
    shares = [one["share"] for one in found.values["contributions"]]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    if carbon["mid"] > 0.0:
        log_sd = quadrature(one["log_sd"] for one in found.values["contributions"])
        assert math.log(carbon["high"] / carbon["low"]) == pytest.approx(2 * Z80 * log_sd, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(model=models, provider=providers, inputs=tokens, outputs=st.integers(0, 8000), more=st.integers(1, 5000))
def test_more_tokens_never_cost_less(model: str, provider: str | None, inputs: int, outputs: int, more: int) -> None:
    """Of input and of output, and cached input never costs more than input that is not."""
    at = asked(model, inputs, outputs, provider=provider).values["facility_energy_wh"]
    for longer in ((inputs + more, outputs), (inputs, outputs + more)):
        assert asked(model, *longer, provider=provider).values["facility_energy_wh"] >= at * (1 - 1e-12)
    assert asked(model, inputs, outputs, inputs // 2, provider=provider).values["facility_energy_wh"] <= at * (
        1 + 1e-12
    )


@pytest.mark.parametrize(("uncached", "cached", "outputs"), list(product((0, 500, 100_000), (0, 90_000), (1, 4000))))
def test_no_middle_costs_more_than_the_lowest_price_of_the_request_at_1_usd_a_kwh(
    uncached: int, cached: int, outputs: int
) -> None:
    """For every model of the price list, whatever the ratio of its tokens; 472 of 486 have a fitted row."""
    names = sorted({row["model_id"] for row in REFERENCE.search_models("") if not row["benchmark_only"]})
    priced = [(name, REFERENCE.resolve_price(None, name, None, AT.at_us)) for name in names]
    listed = [(name, price.bound_usd_per_mtok) for name, price in priced if price is not None]
    assert len(listed) > 100
    requests = [
        Described(input_tokens=uncached + cached, cache_read_input_tokens=cached, output_tokens=outputs, model=name)
        for name, _ in listed
    ]
    for (name, price), found in zip(listed, estimate_all(requests, AT), strict=True):
        usd = (price.input * uncached + price.cache_read * cached + price.output * outputs) / 1e6
        assert found.values["facility_energy_wh"] <= usd * 1000 * (1 + 1e-9), name


def test_models_of_different_vendors_at_different_prices_have_different_numbers() -> None:
    """Once gpt-4o, claude-sonnet-4 and gemini-2.0-flash were all 0.88 Wh."""
    found = [asked(model, 500, 250).values["facility_energy_wh"] for model in MODELS[:6]]
    assert len({round(wh, 4) for wh in found}) == len(found)
