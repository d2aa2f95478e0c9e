"""What ranked models rest on is kept for as long as no factor changes, and is what it would be worked out as."""

from dataclasses import replace

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.instants import us_from_iso
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import uses_of
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.kept_uses import KeptUses
from rice_stream.meter.ranking import rank_document, rank_models
from rice_stream.reference.loader import load_reference

REFERENCE, METHOD = load_reference(None), load_method("rice-calibrated")
ESTIMATOR = EstimatorAt(REFERENCE, FactorPolicy(), METHOD, us_from_iso("2026-11-29"))
MODELS = ["gpt-4o", "claude-3-5-sonnet-20241022", "unheard-of", "gpt-4o-mini", "mistral-large-2411"]


@pytest.mark.parametrize("output_tokens", [1, 300, 20_000])
def test_a_ranking_with_kept_uses_is_the_ranking(output_tokens: int) -> None:
    """Also where some of the models were asked for before, in another order and for other tokens."""
    kept = KeptUses()
    rank_models(MODELS[3:1:-1], Described(7, 7, model="any", region="FR"), ESTIMATOR, kept.of)
    request = Described(1_000, output_tokens, model="any", region="FR")
    again = rank_document(rank_models(MODELS, request, ESTIMATOR, kept.of), request)
    assert again == rank_document(rank_models(MODELS, request, ESTIMATOR), request)


def test_uses_are_worked_out_once_as_long_as_no_factor_changes() -> None:
    """A minute later they are the same objects; past a boundary, with other choices or another method they are others."""
    kinds, kept = [Described(0, 0, model=name) for name in MODELS], KeptUses()
    first = kept.of(kinds, ESTIMATOR)
    later = replace(ESTIMATOR, at_us=ESTIMATOR.at_us + 60_000_000)
    assert [id(use) for use in kept.of(kinds, later)] == [id(use) for use in first]
    boundary_us = REFERENCE.boundaries_us[-1]
    others = [
        replace(ESTIMATOR, at_us=boundary_us - 1 if ESTIMATOR.at_us >= boundary_us else boundary_us),
        replace(ESTIMATOR, policy=FactorPolicy(pue=1.5)),
        replace(ESTIMATOR, method=load_method("rice-paper")),
    ]
    for other in others:
        found = kept.of(kinds, other)
        assert not {*map(id, found)} & {*map(id, first)}
        assert [use.columns for use in found] == [use.columns for use in uses_of(kinds, other)]
