"""How wide the 80 % carbon range of a closed model's request is, at its vendor and at a hyperscaler, in every region of theirs."""

from functools import cache

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import RequestEstimate, estimate_all
from rice_stream.meter.estimator_at import Estimator, EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.reference.loader import load_reference

AT_US = 1_795_910_400_000_000
HOSTS = {
    "openai": {"openai": "azure", "azure": "azure"},
    "anthropic": {"anthropic": "aws", "aws.bedrock": "aws", "vertex_ai": "gcp"},
    "google": {"google": "gcp", "vertex_ai": "gcp"},
    "mistral": {"mistral": "azure", "azure": "azure"},
    "amazon": {"aws.bedrock": "aws"},
    "xai": {"xai": ""},
}
"""Owner -> where its models run, and whose regions those are."""
TOKENS_OF_ANOTHER_KIND = {"gemini-2.5-flash-image"}
"""Priced by the picture: its price says little of its text."""
ELSEWHERE = ("US", "DE", "FR", "GB", "JP")


@cache
def estimator() -> EstimatorAt:
    return Estimator(load_reference(), FactorPolicy(), load_method("rice-calibrated")).at(AT_US)


@cache
def closed() -> dict[str, str]:
    """Closed models that somebody lists a price for, with their owners."""
    reference = load_reference()
    found = [factor for factor, _ in reference.models.rows(AT_US) if factor.estimated]
    priced = [one for one in found if reference.resolve_price(None, one.model_id, None, AT_US) is not None]
    return {one.model_id: one.owner for one in priced if one.model_id not in TOKENS_OF_ANOTHER_KIND}


def factor(estimate: RequestEstimate) -> float:
    carbon = estimate.values["carbon_gco2e"]
    return float(carbon["high"] / carbon["low"])


@pytest.mark.parametrize("owner", sorted(HOSTS))
def test_a_closed_model_whose_provider_and_region_are_known_is_known_within_six(owner: str) -> None:
    """Every priced closed model of the large vendors at each of its hosts, in each region of that cloud and in countries."""
    places = load_reference().regions.places.values()
    requests = [
        Described(500, 250, model=model, provider=provider, region=region)
        for model, its_owner in closed().items()
        if its_owner == owner
        for provider, cloud in HOSTS[owner].items()
        for region in [*ELSEWHERE, *(one.region_id for one in places if cloud and one.provider == cloud)]
    ]
    assert requests
    wide = [
        (request.model, request.provider, request.region, round(factor(estimate), 2))
        for request, estimate in zip(requests, estimate_all(requests, estimator()), strict=True)
        if factor(estimate) > 6.0
    ]
    assert wide == []


def test_a_closed_model_of_which_only_the_name_is_known_is_known_within_twelve() -> None:
    requests = [Described(500, 250, model=model) for model in closed()]
    assert len(requests) > 120
    wide = [(one.values["model"], factor(one)) for one in estimate_all(requests, estimator()) if factor(one) > 12.0]
    assert wide == []
