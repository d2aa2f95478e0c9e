"""Ranges of totals: they hold the middle, depend on no order, and no total is less certain than the least certain of its parts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.estimator.spread import Z80
from rice_stream.meter.shared_ranges import (
    Group,
    KindSums,
    SharedRanges,
    covariance,
    groups_of,
    ratio_range,
    shared_range,
    total_range,
)
from rice_stream.meter.variance_of_sums import Shared

keys = st.sampled_from(
    [f"{kind}:{name}" for kind in ("global", "provider", "family", "model", "region") for name in "ab"]
)
sds = st.floats(0.0, 2.0)
spreads = st.dictionaries(keys, sds, max_size=5).map(lambda found: tuple(sorted(found.items())))
# From a milligram on: what rounding to micrograms does to a ratio is no part of these properties.
subtotals = st.integers(10**6, 10**16)
groups = st.lists(st.tuples(subtotals, spreads), max_size=12)
some_groups = st.lists(st.tuples(subtotals, spreads), min_size=1, max_size=12)
records = st.lists(
    st.builds(
        lambda shared, low, mid, high, version: KindSums(shared, version, 1, low, low + mid, low + mid + high),
        st.one_of(st.none(), spreads),
        st.integers(0, 10**13),
        st.integers(0, 10**13),
        st.integers(0, 10**13),
        st.sampled_from(["old-1", "old-2"]),
    ),
    max_size=12,
)


def log_sd(shared: Shared) -> float:
    return math.sqrt(covariance(shared, shared))


@given(records, st.one_of(st.none(), st.integers(0, 10**16)))
def test_a_range_holds_its_middle(kinds: list[KindSums], mid: int | None) -> None:
    """Whatever the records are; the middle is the exact sum, or the one that was given."""
    answer = total_range(kinds, mid)
    assert 0 <= answer.low <= answer.mid <= answer.high
    assert answer.mid == (sum(kind.mid for kind in kinds) if mid is None else mid)


@given(records, st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_nothing(kinds: list[KindSums], random: object) -> None:
    """To the last digit."""
    shuffled = list(kinds)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total_range(shuffled) == total_range(kinds)


@given(st.lists(records, max_size=4))
def test_ranges_of_several_totals_are_those_of_each_alone(several: list[list[KindSums]]) -> None:
    """Whatever was worked out before with the same kinds of records; to the last digit."""
    ranges = SharedRanges()
    for kinds in several:
        parts = [
            (None if kind.shared is None else ranges.sharing(kind.shared), kind.method_version, kind[2:])
            for kind in kinds
        ]
        assert ranges.of(parts) == total_range(kinds)


@given(groups, st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_any_partition_keeps_the_middle_additive(whole: list[Group], places: list[int]) -> None:
    """The middles of the parts add up to that of the whole, as integers."""
    parts: dict[int, list[Group]] = {}
    for place, group in zip(places, whole, strict=False):
        parts.setdefault(place, []).append(group)
    assert sum(shared_range(part).mid for part in parts.values()) == shared_range(whole).mid


@settings(deadline=None)
@given(some_groups)
def test_no_total_is_wider_than_its_widest_group(whole: list[Group]) -> None:
    """By Cauchy and Schwarz, v_ij is never more than the larger of v_ii and v_jj."""
    answer = shared_range(whole)
    widest = max(log_sd(shared) for _, shared in whole)
    assert math.log((answer.high + 1) / (answer.low + 1)) <= 2 * Z80 * widest + 1e-5


@given(subtotals, spreads)
def test_one_groups_total_has_the_range_of_its_estimate(subtotal: int, shared: Shared) -> None:
    """The ends are those of each of its records, added up."""
    factor = math.exp(Z80 * log_sd(shared))
    answer = shared_range([(subtotal, shared)])
    assert abs(answer.low - subtotal / factor) <= 1 + 1e-9 * answer.low
    assert abs(answer.high - subtotal * factor) <= 1 + 1e-9 * answer.high
    assert abs(answer.median - subtotal) <= 1 + 1e-9 * subtotal


@settings(deadline=None)
@given(some_groups, some_groups)
def test_a_ratio_holds_its_middle_and_turns_round(ones: list[Group], others: list[Group]) -> None:
    """The ratio the other way is one over it; a sum over itself is 1 for certain."""
    ratio, back = ratio_range(ones, others), ratio_range(others, ones)
    assert ratio is not None
    assert back is not None
    assert ratio.low <= ratio.mid <= ratio.high
    # A variance that is nearly nothing is the difference of two sums: its root is as much off as they are at their last digits.
    assert ratio.high * back.low == pytest.approx(1.0, rel=1e-4)
    same = ratio_range(ones, list(reversed(ones)))
    assert same is not None
    assert same.high - same.low < 1e-4


@given(subtotals, sds, st.integers(1, 10**6))
def test_records_of_one_kind_and_their_rounded_ends_are_one_group(mid: int, sd: float, prompts: int) -> None:
    """Ends that were rounded record by record add nothing to the spread."""
    shared = (("model:a", sd),)
    factor = math.exp(Z80 * sd)
    kind = KindSums(shared, "x", prompts, math.ceil(prompts * mid / factor), prompts * mid, int(prompts * mid * factor))
    assert groups_of([kind]) == [(prompts * mid, shared)]
