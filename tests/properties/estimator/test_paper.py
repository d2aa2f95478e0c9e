"""What holds for every model and request under `rice-paper`."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Context
from rice_stream.quantities import Range
from tests.support.paper_requests import dense, estimate

PAPER = load_paper()
STEP_DOWN = 0.04
"""The forest's own steps down over the prompt length, relative (tests/unit/training/test_paper.py bounds them)."""

sizes_b = st.floats(0.01, 5000)
tokens = st.integers(0, 200_000)
positive = st.floats(0.01, 100)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    return Range(*sorted(draw(st.tuples(sizes_b, sizes_b, sizes_b))))


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    return Context(
        draw(ranges()),
        draw(ranges()),
        devices=draw(st.none() | positive),
        batch_size=draw(st.none() | st.floats(1, 512)),
        utilisation=draw(st.none() | st.floats(0.01, 1)),
        tdp_w=draw(st.none() | st.floats(10, 1200)),
    )


@given(contexts(), tokens, tokens, st.floats(0, 1), st.booleans())
def test_low_mid_high_are_ordered_and_parts_add_up(
    context: Context, input_tokens: int, output_tokens: int, share: float, inference: bool
) -> None:
    """0 <= low <= mid <= high for GPU and server energy, prefill + decode is the whole, nothing is NaN or negative."""
    cached = int(input_tokens * share)
    one = estimate(PAPER, context, [(input_tokens, output_tokens)], cached=[cached], inference=[inference])
    assert 0 <= one.gpu_energy_j_low[0] <= one.gpu_energy_j[0] <= one.gpu_energy_j_high[0] < np.inf
    assert 0 <= one.it_energy_wh_low[0] <= one.it_energy_wh[0] <= one.it_energy_wh_high[0] < np.inf
    assert one.prefill_j[0] + one.decode_j[0] == one.gpu_energy_j[0]
    assert one.prefill_j[0] >= 0
    assert one.decode_j[0] >= 0
    assert bool(one.gpu_energy_j[0] > 0) == (inference and input_tokens + output_tokens > 0)


@given(contexts(), tokens, tokens, tokens)
def test_more_output_never_costs_less(context: Context, input_tokens: int, fewer: int, more: int) -> None:
    """Energy and time, and both ends of the range, do not fall when output tokens are added."""
    columns = estimate(PAPER, context, [(input_tokens, o) for o in sorted((fewer, more))])
    for name in ("gpu_energy_j", "gpu_energy_j_low", "gpu_energy_j_high", "latency_s"):
        before, after = getattr(columns, name)
        assert before <= after, name


@given(contexts(), tokens, tokens)
def test_more_input_costs_more_but_for_the_forests_small_steps(context: Context, fewer: int, more: int) -> None:
    """Prefill rises with the prompt up to the forest's own steps down (under 4 %), which the paper's method keeps."""
    before, after = estimate(PAPER, context, [(p, 1) for p in sorted((fewer, more))]).prefill_j
    assert before * (1 - STEP_DOWN) <= after


@given(contexts(), st.integers(1921, 100_000), st.integers(1, 100_000))
def test_past_the_trained_range_more_input_always_costs_more(context: Context, input_tokens: int, added: int) -> None:
    """The straight line of eq. 1 rises strictly."""
    before, after = estimate(PAPER, context, [(input_tokens, 1), (input_tokens + added, 1)]).prefill_j
    assert before < after


@given(contexts(), st.integers(1, 200_000), st.floats(0, 1), st.floats(0, 1))
def test_caching_never_costs_more_than_computing(context: Context, input_tokens: int, less: float, more: float) -> None:
    """Cached input lowers prefill (up to the forest's own steps) and never to nothing."""
    cached = sorted(int(input_tokens * share) for share in (less, more))
    columns = estimate(PAPER, context, [(input_tokens, 1)] * 3, cached=[0, *cached])
    without, some, many = columns.prefill_j
    floor = estimate(PAPER, context, [(1, 1)]).prefill_j[0]
    assert some <= without
    assert many <= some + STEP_DOWN * without
    assert many >= min(floor, without) * (1 - 1e-9)


@given(ranges(), ranges(), st.integers(1, 5000), st.integers(0, 5000))
def test_a_wider_range_of_parameters_gives_a_wider_range_of_energy(
    total: Range, active: Range, input_tokens: int, output_tokens: int
) -> None:
    """Widening the parameters never narrows the estimate, and never moves its middle."""
    wider = Context(Range(total.low / 2, total.mid, total.high * 2), Range(active.low / 2, active.mid, active.high * 2))
    narrow = estimate(PAPER, Context(total, active), [(input_tokens, output_tokens)])
    wide = estimate(PAPER, wider, [(input_tokens, output_tokens)])
    assert wide.gpu_energy_j[0] == narrow.gpu_energy_j[0]
    assert wide.gpu_energy_j_low[0] <= narrow.gpu_energy_j_low[0]
    assert wide.gpu_energy_j_high[0] >= narrow.gpu_energy_j_high[0]


@settings(max_examples=30)
@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=20), sizes_b)
def test_a_batch_equals_its_requests_one_by_one(pairs: list[tuple[int, int]], params_b: float) -> None:
    """How events are cut into batches never changes a number: an estimate depends on its request alone."""
    together = estimate(PAPER, dense(params_b), pairs)
    alone = [estimate(PAPER, dense(params_b), [pair]) for pair in pairs]
    for name in ("gpu_energy_j", "it_energy_wh_low", "it_energy_wh_high", "latency_s", "flags"):
        assert getattr(together, name).tolist() == [getattr(one, name)[0] for one in alone]
