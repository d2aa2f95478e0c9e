"""The range of a total from shared uncertainties: worked out by hand, against draws, and what its edges give."""

import math
import random
import subprocess
import sys

import numpy as np
import pytest

from rice_stream.estimator.spread import Z80
from rice_stream.meter.shared_ranges import (
    LOG_SD_MAX,
    STORED_ENDS,
    Group,
    KindSums,
    SharedRange,
    covariance,
    groups_of,
    ratio_range,
    shared_of,
    shared_range,
    total_range,
)
from rice_stream.meter.variance_of_sums import Shared
from rice_stream.quantities import Floats

DRAWS = 200_000
CLOSE_TO_DRAWS = 0.03


def shared(**keys: float) -> Shared:
    """`provider__openai=0.3` as the key `provider:openai`."""
    return tuple(sorted((key.replace("__", ":"), sd) for key, sd in keys.items()))


def twelve_models_at_four_providers() -> list[Group]:
    """The portfolio of hosted.md: sds of 0.20, 0.30, 0.35 and 0.20, a grid of 0.15 or 0.30, a PUE of 0.06."""
    sizes = (34, 5, 2, 21, 8, 4, 9, 3, 2, 6, 5, 1)
    groups = []
    for number, size in enumerate(sizes):
        provider = number // 3
        keys = {
            "global:hosted": 0.20,
            f"provider:{provider}": 0.30,
            f"family:{number}": 0.35,
            f"model:{number}": 0.20,
            f"region:{provider % 2}": (0.15, 0.30)[provider % 2],
            f"pue:{provider}": 0.06,
        }
        groups.append((size * 10_000_000, tuple(sorted(keys.items()))))
    return groups


def drawn(groups: list[Group], seed: int) -> tuple[float, float, float]:
    """10th, 50th and 90th percentile of the sum: one normal number for each key and draw, which all who have the key share."""
    generator = np.random.default_rng(seed)
    keys = sorted({key for _, each in groups for key, _ in each})
    common = {key: generator.standard_normal(DRAWS) for key in keys}
    total = np.zeros(DRAWS)
    for subtotal, each in groups:
        total += subtotal * np.exp(sum(sd * common[key] for key, sd in each))
    low, median, high = np.quantile(total, [0.1, 0.5, 0.9])
    return float(low), float(median), float(high)


class TestSharedRange:
    def test_two_groups_worked_out_by_hand(self) -> None:
        """v11 = 0.04 + 0.09, v22 = 0.04 + 0.16, v12 = 0.04; M1 = 106.716, M2 = 110.517; V / M^2 = 0.11121; s = 0.32472."""
        answer = shared_range(
            [
                (100_000_000, shared(global__hosted=0.2, model__a=0.3)),
                (100_000_000, shared(global__hosted=0.2, model__b=0.4)),
            ]
        )
        first, second = 100e6 * math.exp(0.065), 100e6 * math.exp(0.1)
        variance = first**2 * math.expm1(0.13) + second**2 * math.expm1(0.2) + 2 * first * second * math.expm1(0.04)
        s2 = math.log1p(variance / (first + second) ** 2)
        assert math.sqrt(s2) == pytest.approx(0.32472, abs=1e-5)
        median = (first + second) * math.exp(-s2 / 2)
        assert answer == (
            round(median * math.exp(-Z80 * math.sqrt(s2))),
            200_000_000,
            round(median * math.exp(Z80 * math.sqrt(s2))),
            round(median),
        )
        assert answer.low / 1e6 == pytest.approx(135.92, abs=0.01)
        assert answer.high / 1e6 == pytest.approx(312.44, abs=0.01)
        assert answer.median / 1e6 == pytest.approx(206.08, abs=0.01)

    def test_one_group_has_the_range_of_its_estimate(self) -> None:
        """Half and twice for a log-sd of ln 2 / Z80; the median is the middle."""
        assert shared_range([(5_000_000, shared(model__a=math.log(2) / Z80))]) == (
            2_500_000,
            5_000_000,
            10_000_000,
            5_000_000,
        )

    def test_groups_that_share_everything_add_up_end_by_end_and_groups_that_share_nothing_do_not(self) -> None:
        """Full correlation is the linear sum; independence narrows."""
        sd = math.log(2) / Z80
        together = shared_range([(1_000_000, shared(global__hosted=sd)), (3_000_000, shared(global__hosted=sd))])
        assert together == (2_000_000, 4_000_000, 8_000_000, 4_000_000)
        apart = shared_range([(2_000_000, shared(model__a=sd)), (2_000_000, shared(model__b=sd))])
        assert 2_000_000 < apart.low <= 4_000_000 < apart.high < 8_000_000

    @pytest.mark.parametrize("groups", [[], [(0, shared(model__a=1.0))], [(0, ())]])
    def test_nothing_is_nothing(self, groups: list[Group]) -> None:
        """No group, and groups of nothing."""
        assert shared_range(groups) == SharedRange(0, 0, 0, 0)

    def test_groups_of_nothing_and_certain_groups(self) -> None:
        """The first change no number, the second have no range."""
        some = [(7_000_000, shared(model__a=0.5))]
        assert shared_range([*some, (0, shared(model__b=2.0))]) == shared_range(some)
        assert shared_range([(3, ()), (4, ())]) == (7, 7, 7, 7)

    def test_the_exact_middle_stands_where_the_groups_give_only_shares(self) -> None:
        """Range and median are scaled with it."""
        groups = twelve_models_at_four_providers()
        whole, cut = shared_range(groups), shared_range(groups, 100_000_000)
        assert cut.mid == 100_000_000
        for end in ("low", "high", "median"):
            assert getattr(cut, end) == pytest.approx(getattr(whole, end) / 10, abs=1)
        assert shared_range([], 5) == (5, 5, 5, 5)

    def test_it_is_what_the_double_sum_gives_in_any_order(self) -> None:
        """Keys of any number of kinds, several of a kind, on some groups only."""
        draw = random.Random(12)
        names = [
            "global:hosted",
            "provider:a",
            "provider:b",
            "family:x",
            "family:y",
            "m:1",
            "m:2",
            "m:3",
            "r:1",
            "bare",
        ]
        groups = []
        for _ in range(60):
            keys = draw.sample(names, draw.randint(0, 6))
            groups.append((draw.randrange(10**6, 10**12), tuple(sorted((key, draw.uniform(0, 0.8)) for key in keys))))
        masses = [subtotal * math.exp(covariance(each, each) / 2) for subtotal, each in groups]
        variance = sum(
            one * other * math.expm1(covariance(groups[i][1], groups[j][1]))
            for i, one in enumerate(masses)
            for j, other in enumerate(masses)
        )
        s2 = math.log1p(variance / sum(masses) ** 2)
        answer = shared_range(groups)
        assert answer.median == pytest.approx(sum(masses) * math.exp(-s2 / 2), rel=1e-9)
        assert answer.high == pytest.approx(answer.median * math.exp(Z80 * math.sqrt(s2)), rel=1e-9)
        draw.shuffle(groups)
        assert shared_range(groups) == answer

    @pytest.mark.parametrize("seed", [1, 2])
    def test_it_agrees_with_draws(self, seed: int) -> None:
        """200,000 draws: within 3 % for a portfolio and for two groups."""
        for groups in (twelve_models_at_four_providers(), twelve_models_at_four_providers()[:2]):
            answer = shared_range(groups)
            low, median, high = drawn(groups, seed)
            assert answer.low == pytest.approx(low, rel=CLOSE_TO_DRAWS)
            assert answer.median == pytest.approx(median, rel=CLOSE_TO_DRAWS)
            assert answer.high == pytest.approx(high, rel=CLOSE_TO_DRAWS)

    def test_twelve_models_at_four_providers_are_known_within_a_factor_of_three(self) -> None:
        """Each of them alone is known within more than four."""
        groups = twelve_models_at_four_providers()
        answer = shared_range(groups)
        assert answer.high / answer.low <= 3.0
        for group in groups:
            alone = shared_range([group])
            assert alone.high / alone.low > 3.5

    def test_reports_need_no_numpy_for_it(self) -> None:
        """Commands that only show totals start without."""
        program = "import sys, rice_stream.meter.shared_ranges; sys.exit('numpy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestRatioRange:
    def test_what_both_share_cancels(self) -> None:
        """One model over another at one provider: only 0.3 and 0.4 of their own are left, 0.5 together."""
        ones = [(100, shared(global__hosted=0.2, provider__p=0.3, model__a=0.3))]
        others = [(250, shared(global__hosted=0.2, provider__p=0.3, model__b=0.4))]
        ratio = ratio_range(ones, others)
        assert ratio is not None
        factor = math.exp(Z80 * 0.5)
        assert (ratio.low, ratio.mid, ratio.high) == pytest.approx((2.5 / factor, 2.5, 2.5 * factor))

    def test_the_same_requests_elsewhere_differ_by_their_places_alone(self) -> None:
        """Twelve models in another grid: their own uncertainties are in both sums."""
        here = twelve_models_at_four_providers()
        there = [
            (subtotal * 2, tuple(sorted((key.replace("region:0", "region:2"), sd) for key, sd in each)))
            for subtotal, each in here
        ]
        same, moved = ratio_range(here, here), ratio_range(here, there)
        assert same is not None
        assert (same.low, same.mid, same.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)
        assert moved is not None
        assert moved.mid == 2.0
        assert 1.05 < moved.high / moved.low < 1.7

    def test_it_agrees_with_draws(self) -> None:
        """200,000 draws of two portfolios with parts in common."""
        groups = twelve_models_at_four_providers()
        ones, others = groups[:8], groups[4:]
        generator = np.random.default_rng(3)
        common = {key: generator.standard_normal(DRAWS) for key in sorted({k for _, each in groups for k, _ in each})}

        def total(parts: list[Group]) -> Floats:
            zero = np.zeros(DRAWS)
            return sum((s * np.exp(sum(sd * common[key] for key, sd in each)) for s, each in parts), zero)

        low, high = np.quantile(total(others) / total(ones), [0.1, 0.9])
        ratio = ratio_range(ones, others)
        assert ratio is not None
        assert ratio.high / ratio.low == pytest.approx(high / low, rel=CLOSE_TO_DRAWS)

    def test_nothing_has_no_ratio(self) -> None:
        """To nothing, and of nothing."""
        some = [(5, shared(model__a=0.5))]
        assert ratio_range(some, []) is None
        assert ratio_range([(0, ())], some) is None


class TestGroupsOf:
    def test_kinds_with_the_same_spread_are_one_group(self) -> None:
        """Whatever the versions of their method."""
        spread = shared(model__a=math.log(2) / Z80)
        kinds = [KindSums(spread, "x-1", 1, 50, 100, 200), KindSums(spread, "x-2", 2, 100, 200, 400)]
        assert groups_of(kinds) == [(300, spread)]

    def test_records_without_a_spread_keep_the_range_that_they_had(self) -> None:
        """One group for each version of a method; all of them err together, so that the ends add up."""
        kinds = [
            KindSums(None, "old-1", 1, 50_000_000, 100_000_000, 200_000_000),
            KindSums(None, "old-1", 1, 50_000_000, 100_000_000, 200_000_000),
            KindSums(None, "old-2", 1, 100_000_000, 200_000_000, 400_000_000),
        ]
        assert sorted(subtotal for subtotal, _ in groups_of(kinds)) == [200_000_000, 200_000_000]
        assert total_range(kinds) == (200_000_000, 400_000_000, 800_000_000, 400_000_000)

    def test_a_stored_low_end_of_zero_leaves_the_upper_half(self) -> None:
        """ln(high / mid) stands for both halves; nothing is infinite, and what has no upper half has no range."""
        assert total_range([KindSums(None, "old", 1, 0, 100, 400)]) == (25, 100, 400, 100)
        assert total_range([KindSums(None, "old", 1, 0, 100, 100)]) == (100, 100, 100, 100)
        assert total_range([KindSums(None, "old", 1, 0, 0, 400)]) == (0, 0, 0, 0)
        ((_, extreme),) = groups_of([KindSums(None, "old", 1, 0, 1, 10**13)])
        assert extreme == ((STORED_ENDS, LOG_SD_MAX),)

    def test_prompts_without_token_counts_keep_their_width(self) -> None:
        """Their stored ends are wider than the spread of their factors: the total is as wide as the ends."""
        spread = shared(model__a=math.log(2) / Z80)
        ((_, wider),) = groups_of([KindSums(spread, "x", 10, 5_000_000, 100_000_000, 2_000_000_000)])
        assert math.sqrt(covariance(wider, wider)) == pytest.approx(math.log(20) / Z80, rel=1e-5)
        assert [key for key, _ in wider] == ["model:a", STORED_ENDS]

    def test_rounding_to_micrograms_is_no_uncertainty(self) -> None:
        """Three prompts of 1.4 ug, half and twice: stored as 1, 1 and 3."""
        spread = shared(model__a=math.log(2) / Z80)
        assert groups_of([KindSums(spread, "x", 3, 3, 3, 9)]) == [(3, spread)]

    def test_the_spread_of_stored_factors(self) -> None:
        """Their `shared` in the order of the keys."""
        assert shared_of({"causes": {"size": 0.5}, "shared": {"model:a": 0.4, "global:hosted": 0.3}}) == (
            ("global:hosted", 0.3),
            ("model:a", 0.4),
        )
