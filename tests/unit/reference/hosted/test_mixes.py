"""Weighted mixes: how cells are read, and quantiles of a mix against draws."""

import math
import random

import pytest

from rice_stream.quantities import Range
from rice_stream.reference.hosted.mixes import log_sd_of, mixed, read_mix


def test_shares_are_scaled_to_sum_to_one() -> None:
    assert read_mix("H100=2|H200=6") == (("H100", 0.25), ("H200", 0.75))
    assert read_mix("country:US") == (("country:US", 1.0),)
    assert read_mix("") == ()


@pytest.mark.parametrize("cell", ["H100=0", "H100=-1", "H100=many", "=1", "H100=1|H100=2", "H100=nan", "H100=inf"])
def test_shares_that_are_none_are_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_mix(cell)


def test_a_single_place_keeps_its_middle_and_its_ratio() -> None:
    assert mixed([(1.0, Range(50, 100, 200))]) == Range(50, 100, 200)
    one = mixed([(1.0, Range(51, 100, 136))])
    assert one.mid == 100
    assert one.high / one.low == pytest.approx(136 / 51)
    assert one.low * one.high == pytest.approx(100**2)


def test_the_mix_has_the_quantiles_of_draws() -> None:
    parts = [(0.5, Range(250, 384, 590)), (0.3, Range(360, 525, 765)), (0.2, Range(30, 41, 56))]
    generator = random.Random(11)
    drawn = sorted(
        math.exp(generator.gauss(math.log(value.mid), log_sd_of(value)))
        for _, value in generator.choices(parts, [weight for weight, _ in parts], k=200_000)
    )
    low, mid, high = (drawn[int(share * len(drawn))] for share in (0.1, 0.5, 0.9))
    found = mixed(parts)
    assert found.mid == pytest.approx(mid, rel=0.01)
    assert found.high / found.low == pytest.approx(high / low, rel=0.02)


def test_places_of_known_and_equal_value_have_no_range() -> None:
    assert mixed([(0.5, Range.exact(40)), (0.5, Range.exact(40))]) == Range.exact(40)
