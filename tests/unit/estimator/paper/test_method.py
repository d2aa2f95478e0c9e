"""`rice-paper` against numbers worked by hand from the paper's formulas and HELM's figures."""

import dataclasses
import math

import numpy as np
import pytest

from rice_stream.basis import Basis
from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.estimator.loading import load_paper
from rice_stream.estimator.method import Context
from rice_stream.estimator.paper.fit import parse_paper_fit
from rice_stream.estimator.paper.method import PaperMethod
from rice_stream.quantities import Range
from tests.support.paper_requests import dense, estimate, requests

PAPER = load_paper()

# The paper's Table V: parameters (B) of the leaderboard, the paper's predicted latency, and ours by hand:
# prefill of the forest at 192 tokens + 249 x beta, beta = 0.0122961 x N ^ 0.352697.
#   1.30 B: 0.02178 + 249 x 0.0134882 = 0.02178 + 3.35857     2.72 B: 0.02178 + 249 x 0.0175000 = 0.02178 + 4.35750
#   5.08 B: 0.02460 + 249 x 0.0218134 = 0.02460 + 5.43153    12.00 B: 0.02795 + 249 x 0.0295387 = 0.02795 + 7.35513
#  20.74 B: 0.05516 + 249 x 0.0358262 = 0.05516 + 8.92073
TABLE_V = [
    (1.30, 3.41, 3.38035),
    (2.72, 4.42, 4.37928),
    (5.08, 5.51, 5.45613),
    (12.00, 7.46, 7.38308),
    (20.74, 9.05, 8.97589),
]


def devices(method: PaperMethod, contexts: list[Context]) -> list[float]:
    """What each runs on."""
    return [kind.devices for kind in method.kinds(contexts)]


@pytest.mark.parametrize(("params_b", "paper_s", "by_hand_s"), TABLE_V)
def test_table_v_latencies(params_b: float, paper_s: float, by_hand_s: float) -> None:
    """The five predicted latencies of the paper's Table V: ours by hand to 5 digits, the paper's within 1.1 %."""
    latency_s = estimate(PAPER, dense(params_b), [(192, 250)]).latency_s[0]
    assert latency_s == pytest.approx(by_hand_s, abs=2e-5)
    # The paper prints two decimals; all five of its values are 0.8-1.1 % above ours.
    assert latency_s == pytest.approx(paper_s, rel=0.011)
    assert [round(s, 2) for _, _, s in TABLE_V] == [3.38, 4.38, 5.46, 7.38, 8.98]


def test_energy_of_one_request_by_hand() -> None:
    """20.74 B, 192 -> 250: n = 0.043345 x 20.74 + 0.691586 = 1.590562, x 400 W x 0.26 x 8.975894 s = 1,484.77 J."""
    one = estimate(PAPER, dense(20.74), [(192, 250)])
    power_w = 1.590562 * 400 * 0.26
    assert one.gpu_energy_j[0] == pytest.approx(power_w * 8.975894, rel=1e-6)
    assert one.prefill_j[0] == pytest.approx(power_w * 0.05516, rel=1e-6)
    assert one.decode_j[0] == pytest.approx(power_w * 249 * 0.03582624, rel=1e-6)
    assert one.it_energy_wh[0] == pytest.approx(1484.774 / 3600, rel=1e-5)


def test_devices_are_the_papers_line_never_below_one() -> None:
    """Regression 1 by hand: 0.043345 N + 0.691586; 6 B would be 0.95 devices and is one."""
    contexts = [dense(6), dense(52), dense(175), dense(530)]
    assert devices(PAPER, contexts) == pytest.approx([1.0, 2.945528, 8.276967, 23.664453], rel=1e-6)
    assert devices(load_paper(whole_devices=True), contexts) == [1.0, 3.0, 9.0, 24.0]


def test_given_devices_tdp_and_utilisation_override_the_defaults() -> None:
    """Energy scales with each of the three factors; time does not change."""
    plain = estimate(PAPER, dense(52), [(500, 100)])
    given = estimate(PAPER, dense(52, devices=4.0, tdp_w=700.0, utilisation=0.5), [(500, 100)])
    assert given.gpu_energy_j[0] == pytest.approx(4.0 * 700.0 * 0.5 * plain.latency_s[0], rel=1e-12)
    assert given.latency_s[0] == plain.latency_s[0]
    assert devices(PAPER, [dense(52, devices=4.0)]) == [4.0]


def test_devices_follow_total_parameters_and_time_follows_active_parameters() -> None:
    """A mixture of experts must be held whole and computes with its active part."""
    moe = Context(Range.exact(235.0), Range.exact(22.0), batch_size=1)
    assert devices(PAPER, [moe]) == devices(PAPER, [dense(235)])
    assert estimate(PAPER, moe, [(300, 40)]).latency_s[0] == estimate(PAPER, dense(22), [(300, 40)]).latency_s[0]


def test_no_tokens_and_no_inference_cost_nothing() -> None:
    """Failed requests without tokens and gateway cache hits are zero in every column; failed ones with tokens count."""
    coefficients = PAPER.coefficients([dense(20)])
    columns = PAPER.estimate(coefficients, requests([(0, 0), (900, 90), (900, 0)], inference=[True, False, True]))
    for name in ("prefill_j", "decode_j", "gpu_energy_j", "it_energy_wh", "latency_s", "gpu_energy_j_high"):
        assert getattr(columns, name)[:2].tolist() == [0.0, 0.0], name
    assert columns.prefill_j[2] > 0
    assert columns.decode_j[2] == 0
    assert columns.flags[1] == Basis.GATEWAY_CACHE_HIT


def test_the_first_output_token_is_prefill() -> None:
    """Eq. 1: (o - 1) steps, so zero and one output tokens decode nothing."""
    columns = estimate(PAPER, dense(20), [(100, 0), (100, 1), (100, 2)])
    assert columns.decode_j.tolist()[:2] == [0.0, 0.0]
    assert columns.decode_j[2] == pytest.approx(1.558487 * 104 * 0.03537009, rel=1e-6)


def test_prompts_past_the_trained_range_continue_with_a_straight_line() -> None:
    """20 B by hand: forest 0.42279 s at 1,920, 0.22832 s at 1,024 tokens; slope 0.19447 / 896 = 2.17042e-4 s/token."""
    columns = estimate(PAPER, dense(20), [(1920, 1), (1921, 1), (10_000, 1)])
    assert columns.latency_s[0] == pytest.approx(0.42279, abs=1e-9)
    assert columns.latency_s[1] - columns.latency_s[0] == pytest.approx(2.17042e-4, rel=1e-5)
    assert columns.latency_s[2] == pytest.approx(0.42279 + 8080 * 2.170424e-4, rel=1e-6)
    flags = [int(f) & Basis.INPUT_EXTRAPOLATED for f in columns.flags]
    assert flags == [0, Basis.INPUT_EXTRAPOLATED, Basis.INPUT_EXTRAPOLATED]
    assert [bool(f & Basis.CONTEXT_EXTRAPOLATED) for f in columns.flags] == [False, False, True]


def test_cached_input_skips_its_share_of_prefill() -> None:
    """20 B by hand: prefill(1000) - (prefill(600) - prefill(0)) = 0.22832 - (0.13363 - 0.03549) = 0.13018 s."""
    columns = estimate(PAPER, dense(20), [(1000, 1)] * 3 + [(3000, 1)], cached=[0, 600, 1000, 2500])
    assert columns.latency_s[0] == pytest.approx(0.22832, abs=1e-9)
    assert columns.latency_s[1] == pytest.approx(0.13018, abs=1e-9)
    # Wholly cached: one pass over the shortest prompt is left, never nothing.
    assert columns.latency_s[2] == pytest.approx(0.03549, abs=1e-9)
    # Both past 1,920 tokens: 500 tokens of the straight line on top of that pass.
    assert columns.latency_s[3] == pytest.approx(0.03549 + 500 * 2.170424e-4, rel=1e-6)
    assert [bool(f & Basis.CACHED_INPUT) for f in columns.flags] == [False, True, True, True]


def test_parameters_past_the_trained_range_grow_with_betas_law() -> None:
    """Prefill of 1,060 B = prefill of 530 B x 2 ^ 0.352697 (1.27694); devices and beta continue as fitted; flagged."""
    inside, outside = (estimate(PAPER, dense(n), [(1000, 1)]) for n in (530, 1060))
    assert outside.latency_s[0] / inside.latency_s[0] == pytest.approx(1.27694, rel=1e-5)
    small, smaller = (estimate(PAPER, dense(n), [(1000, 1)]) for n in (0.35, 0.175))
    assert small.latency_s[0] / smaller.latency_s[0] == pytest.approx(1.27694, rel=1e-5)
    for params_b, extrapolated in ((5.9, True), (6.0, False), (530.0, False), (531.0, True)):
        flags = int(estimate(PAPER, dense(params_b), [(10, 10)]).flags[0])
        assert bool(flags & Basis.PARAMETERS_EXTRAPOLATED) is extrapolated, params_b


def test_the_plain_case_has_no_flags_and_assumptions_are_flagged() -> None:
    """A known A100 with a known batch of one is the paper's own case; whatever is assumed or scaled is marked."""

    def flags(context: Context) -> Basis:
        return Basis(int(estimate(PAPER, context, [(100, 10)]).flags[0]))

    assert flags(dense(20)) == Basis(0)
    assert flags(dense(20, batch_size=None)) == Basis.BATCH_ASSUMED
    assert flags(dense(20, batch_size=32)) == Basis.BATCH_ASSUMED
    assert flags(dense(20, hardware_known=False)) == Basis.HARDWARE_ASSUMED
    assert flags(dense(20, hardware="H100", tdp_w=700.0)) == Basis.HARDWARE_SCALED


def test_ranges_are_the_measured_error_times_the_range_of_parameters() -> None:
    """Known size at batch 1: high is q90 x mid; a range of sizes widens to its ends, an unknown batch downwards."""
    fit = PAPER.fit
    known = estimate(PAPER, dense(20), [(300, 200)])
    assert known.gpu_energy_j_high[0] == pytest.approx(fit.gpu_error.q90 * known.gpu_energy_j[0], rel=1e-12)
    assert known.it_energy_wh_high[0] == pytest.approx(fit.it_error.q90 * known.it_energy_wh[0], rel=1e-12)
    # At batch 1 even the 10th percentile of the measurements is above the paper's value: the mid value is the low end.
    assert known.gpu_energy_j_low[0] == known.gpu_energy_j[0]
    sizes = Range(10.0, 20.0, 70.0)
    ranged = estimate(PAPER, Context(sizes, sizes), [(300, 200)])
    ends = [estimate(PAPER, dense(b), [(300, 200)]) for b in (10, 70)]
    assert ranged.gpu_energy_j[0] == known.gpu_energy_j[0]
    assert ranged.it_energy_wh_low[0] <= fit.batched_error.q10 * ends[0].it_energy_wh[0] * (1 + 1e-12)
    assert ranged.it_energy_wh_high[0] >= fit.it_error.q90 * ends[1].it_energy_wh[0] * (1 - 1e-12)


def test_requests_pick_their_own_context() -> None:
    """Row i of the matrix depends on context i alone, so mixed requests equal the same requests asked one by one."""
    contexts = [dense(7), dense(70), dense(180, devices=8.0), Context(Range(3, 8, 30), Range(2, 3, 9))]
    tokens = [(10, 5), (1500, 300), (4000, 20), (0, 7)]
    mixed = PAPER.estimate(PAPER.coefficients(contexts), requests(tokens, context=[3, 0, 2, 1]))
    for position, context in enumerate([3, 0, 2, 1]):
        alone = estimate(PAPER, contexts[context], [tokens[position]])
        for field in dataclasses.fields(alone):
            assert getattr(mixed, field.name)[position] == getattr(alone, field.name)[0], field.name


@pytest.mark.parametrize(
    ("context", "named"),
    [
        (dense(0.0), "params_total_b"),
        (Context(Range.exact(10), Range(-1, 3, 9)), "params_active_b"),
        (Context(Range(1, 2, math.inf), Range.exact(1)), "params_total_b"),
        (dense(20, tdp_w=0.0), "tdp_w"),
        (dense(20, devices=-1.0), "devices"),
        (dense(20, utilisation=26.0), "utilisation"),
    ],
)
def test_impossible_factors_are_refused_by_name(context: Context, named: str) -> None:
    """A factor that would give zero, negative or infinite energy is an error that names it, never an estimate."""
    with pytest.raises(UsageError, match=named):
        PAPER.coefficients([context])


def test_the_version_pins_the_artefact() -> None:
    """Name, formula version and first 8 hex digits of the artefact's digest; rounding devices up is another version."""
    assert PAPER.version == f"rice-paper-1+{PAPER.fit.digest[:8]}"
    assert load_paper(whole_devices=True).version != PAPER.version


@pytest.mark.parametrize(("artefact", "named"), [(b"{}", "prefill"), (b"[1]", "indices"), (b'{"prefill": {', "line 1")])
def test_a_damaged_artefact_is_refused(artefact: bytes, named: str) -> None:
    """A missing field or broken JSON names the file and the fault."""
    with pytest.raises(ReferenceDataError, match=f"x.json: .*{named}"):
        parse_paper_fit(artefact, "x.json")


def test_nothing_is_written_into_the_arguments() -> None:
    """Coefficients are shared by all batches: estimating must leave them and the columns untouched."""
    coefficients = PAPER.coefficients([dense(20)])
    columns = requests([(3000, 20), (50, 3)], cached=[2500, 10])
    before = coefficients.copy(), columns.input_tokens.copy(), columns.cache_read_input_tokens.copy()
    PAPER.estimate(coefficients, columns)
    assert np.array_equal(before[0], coefficients)
    assert np.array_equal(before[1], columns.input_tokens)
    assert np.array_equal(before[2], columns.cache_read_input_tokens)
