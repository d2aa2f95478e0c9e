"""What a tenant's total over twelve models at four providers is known within: with the shipped method and tables, against draws."""

from collections.abc import Mapping
from functools import cache

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator, EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.shared_ranges import Group, shared_of, shared_range
from rice_stream.reference.loader import load_reference
from tests.unit.meter.test_shared_ranges import CLOSE_TO_DRAWS, drawn

AT_US = 1_795_910_400_000_000
PORTFOLIO = {
    "openai": ("gpt-4o", "o3", "gpt-4.1"),
    "anthropic": ("claude-sonnet-4", "claude-3-5-sonnet", "claude-3-7-sonnet"),
    "google": ("gemini-2.5-pro", "gemini-2.0-flash", "gemini-2.5-flash"),
    "mistral": ("mistral-large-2", "pixtral-large", "mistral-medium-3"),
}
SMALLER = {
    "openai": ("gpt-5", "gpt-4o-mini", "gpt-4.1-mini"),
    "anthropic": ("claude-sonnet-4-5", "claude-opus-4-5", "claude-3-5-haiku"),
    "google": ("gemini-2.5-pro", "gemini-2.0-flash", "gemini-2.5-flash"),
    "xai": ("grok-4", "grok-3", "grok-3-mini"),
}
PLACES = (
    "aws:us-east-1",
    "azure:eastus2",
    "gcp:us-central1",
    "aws:us-west-1",
    "aws:us-west-2",
    "US",
    "DE",
    "aws:ap-northeast-1",
    None,
)


@cache
def estimator() -> EstimatorAt:
    return Estimator(load_reference(), FactorPolicy(), load_method("rice-calibrated")).at(AT_US)


def groups(portfolio: Mapping[str, tuple[str, ...]], region: str | None, *, named: bool = True) -> list[Group]:
    """One group for each model: a thousand prompts of 500 tokens in and 250 out; the provider may be left out."""
    requests = [
        Described(500, 250, model=model, provider=provider if named else None, region=region)
        for provider, models in portfolio.items()
        for model in models
    ]
    found = []
    for answer in estimate_all(requests, estimator()):
        assert answer.use.spread is not None
        found.append((round(answer.values["carbon_gco2e"]["mid"] * 1e9), shared_of(answer.use.spread.detail())))
    return found


@pytest.mark.parametrize("region", PLACES)
@pytest.mark.parametrize("portfolio", [PORTFOLIO, SMALLER])
def test_a_portfolio_in_one_region_or_in_none_is_known_within_three(
    portfolio: Mapping[str, tuple[str, ...]], region: str | None
) -> None:
    """All twelve models share the error of one grid, or nobody said where they run: a factor of 3 at most."""
    answer = shared_range(groups(portfolio, region))
    assert answer.high / answer.low <= 3.0


@pytest.mark.parametrize("portfolio", [PORTFOLIO, SMALLER])
def test_a_portfolio_in_any_region_of_the_united_states_is_known_within_three(
    portfolio: Mapping[str, tuple[str, ...]],
) -> None:
    """One cloud region for each of the grids that clouds are on there, all twelve models in it."""
    reference = load_reference()
    places = [one for one in reference.regions.places.values() if one.kind == "cloud_region" and one.country == "US"]
    by_grid = {one.ladder[0]: one.region_id for one in places}
    assert len(by_grid) >= 13
    answers = {region: shared_range(groups(portfolio, region)) for region in by_grid.values()}
    assert {region: one.high / one.low for region, one in answers.items() if one.high / one.low > 3.0} == {}


@pytest.mark.parametrize("portfolio", [PORTFOLIO, SMALLER])
def test_a_portfolio_of_which_only_the_models_are_known_is_known_within_three(
    portfolio: Mapping[str, tuple[str, ...]],
) -> None:
    """Whoever made a closed model is taken to host it, and errs by itself."""
    answer = shared_range(groups(portfolio, None, named=False))
    assert answer.high / answer.low <= 3.0


@pytest.mark.parametrize("region", ["aws:us-east-1", None])
def test_its_closed_form_agrees_with_draws(region: str | None) -> None:
    """200,000 draws, one normal number for each key: within 3 %."""
    found = groups(PORTFOLIO, region)
    answer = shared_range(found)
    low, median, high = drawn(found, 3)
    assert (answer.low, answer.median, answer.high) == pytest.approx((low, median, high), rel=CLOSE_TO_DRAWS)


def test_where_one_provider_runs_tells_nothing_of_another() -> None:
    """Without a region both are taken to run in the United States: they share the country's own error, 0.20 of 0.35."""
    (_, one), (_, other) = groups({"openai": ("gpt-4o",), "anthropic": ("claude-sonnet-4",)}, None)
    ones, others = dict(one), dict(other)
    assert ones["region:country:US"] == others["region:country:US"] == pytest.approx(0.2014, abs=1e-4)
    assert ones["placement:openai"] == pytest.approx(0.2918, abs=1e-4)
    assert "placement:openai" not in others
    assert "placement:anthropic" in others


def test_a_region_without_a_value_of_its_own_is_placed_somewhere_in_its_country() -> None:
    """Beijing has the value of China: 0.51 to 1.24 of it, of which 0.74 to 1.24 is the country's own; Tianjin another place."""
    ((_, one),) = groups({"aws.bedrock": ("claude-sonnet-4",)}, "aws:cn-north-1")
    shares = dict(one)
    assert shares["region:country:CN"] ** 2 + shares["placement:aws:cn-north-1"] ** 2 == pytest.approx(
        0.3466**2, rel=1e-3
    )
    ((_, stated),) = groups({"aws.bedrock": ("claude-sonnet-4",)}, "CN")
    assert [key for key, _ in stated if key.startswith("placement:")] == []
