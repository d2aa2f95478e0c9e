"""The steps of `rice-paper` say the same numbers as its estimates, and their formulas work out to them."""

import pytest

from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Context
from rice_stream.quantities import Range
from tests.support.paper_requests import dense, estimate, requests

PAPER = load_paper()
NAMES = [
    "devices",
    "prefill_s",
    "beta_s_per_token",
    "latency_s",
    "prefill_j",
    "decode_j",
    "gpu_energy_j",
    "it_energy_wh",
    "gpu_energy_j_low",
    "gpu_energy_j_high",
    "it_energy_wh_low",
    "it_energy_wh_high",
]
UNKNOWN = Context(Range(100, 300, 1800), Range(20, 60, 300))


@pytest.mark.parametrize("context", [dense(20), dense(70, devices=4.0, tdp_w=700.0), dense(900), UNKNOWN])
@pytest.mark.parametrize("tokens", [(500, 250, 0), (9000, 30, 8192), (0, 0, 0), (77, 0, 77)])
def test_steps_equal_the_estimate(context: Context, tokens: tuple[int, int, int]) -> None:
    """Every step that `estimate` also returns has exactly its value, whatever is cached, given or extrapolated."""
    input_tokens, output_tokens, cached = tokens
    steps = {
        step.name: step.value
        for step in PAPER.explain(context, requests([(input_tokens, output_tokens)], cached=[cached]))
    }
    assert list(steps) == NAMES
    columns = estimate(PAPER, context, [(input_tokens, output_tokens)], cached=[cached])
    for name in NAMES[3:]:
        assert steps[name] == getattr(columns, name)[0], name


def test_formulas_work_out_to_the_values() -> None:
    """Someone with a pocket calculator gets each value from the formula beside it (20 B, 500 -> 250 tokens)."""
    steps = {step.name: step for step in PAPER.explain(dense(20), requests([(500, 250)]))}
    assert steps["devices"].formula == "max(1, 0.043345 x 20 + 0.691586)"
    assert steps["devices"].value == pytest.approx(0.043345 * 20 + 0.691586, rel=1e-6)
    assert steps["prefill_s"].formula == "forest(20 B, 500) [0.11214 s]"
    assert steps["beta_s_per_token"].formula == "0.0122961 x 20 ^ 0.352697"
    assert steps["beta_s_per_token"].value == pytest.approx(0.0122961 * 20**0.352697, rel=1e-5)
    assert steps["latency_s"].formula == "prefill_s + 249 x beta_s_per_token"
    assert steps["prefill_j"].formula == "1.55849 x 400 W x 0.26 x prefill_s"
    assert steps["it_energy_wh_high"].formula.startswith("4.337 x it_energy_wh with 20 B")
    assert {step.unit for step in steps.values()} == {"devices", "s", "s/token", "J", "Wh"}
    assert all(step.source for step in steps.values())


def test_long_cached_and_oversized_prompts_show_how_they_were_continued() -> None:
    """The formula of prefill names the straight line, the cached prefix and the scaling past the largest model."""
    formula = PAPER.explain(dense(1060), requests([(4000, 10)], cached=[3000]))[1].formula
    assert "2080 x 0.000955725 s" in formula
    assert "1080 x 0.000955725 s" in formula
    assert formula.endswith("x (1060 / 530) ^ 0.352697")


def test_a_gateway_cache_hit_is_explained_as_no_inference() -> None:
    """A request that ran no inference is zero, and says why."""
    steps = {step.name: step for step in PAPER.explain(dense(20), requests([(500, 250)], inference=[False]))}
    assert steps["prefill_s"].formula == "0, no inference ran"
    assert [steps[name].value for name in NAMES[3:]] == [0.0] * 9
