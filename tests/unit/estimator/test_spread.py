"""How uncertain an estimate is: causes in quadrature, and with whom they are shared."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.estimator.spread import Z80, Spread, ends, log_sd_between, quadrature, spread_of

CAUSES = st.dictionaries(
    st.sampled_from(("size", "batch", "hardware", "law", "host", "idle", "price")), st.floats(0, 2)
)


def test_causes_add_in_quadrature_and_are_told_largest_first() -> None:
    """3-4-5: 0.3 and 0.4 are 0.5 together, with 36 and 64 % of the variance."""
    spread = Spread({"law": 0.3, "batch": 0.4}, {"model:m": 0.5})
    assert spread.log_sd == pytest.approx(0.5)
    names, sds, shares = zip(*spread.contributions(), strict=True)
    assert (names, sds) == (("batch", "law"), (0.4, 0.3))
    assert shares == pytest.approx((0.64, 0.36))


def test_the_range_of_a_known_factor_of_four_has_its_ends_at_two() -> None:
    """From 0.5 to 2 around 1: log_sd is ln 4 / (2 x 1.2816) = 0.5409."""
    log_sd = log_sd_between(0.5, 2.0)
    assert log_sd == pytest.approx(0.5409, abs=1e-4)
    assert ends(log_sd) == pytest.approx((0.5, 2.0))
    assert pytest.approx(1.2815516, abs=1e-7) == Z80


def test_what_has_no_range_adds_nothing_and_a_low_end_of_0_is_a_hundredth_of_the_high_end() -> None:
    assert log_sd_between(3.0, 3.0) == 0.0
    assert log_sd_between(0.0, 0.0) == 0.0
    assert log_sd_between(0.0, 50.0) == log_sd_between(0.5, 50.0)


def test_a_hosted_models_shares_are_those_of_the_page() -> None:
    """0.20, 0.30 and 0.35 are shared; of a whole of 0.60 the model keeps sqrt(0.36 - 0.04 - 0.09 - 0.1225) = 0.3279."""
    spread = spread_of({"size": 0.48, "batch": 0.36}, hosted=True, provider="openai", family="gpt-4o", model="gpt-4o")
    assert spread.shared == pytest.approx(
        {"global:hosted": 0.2, "provider:openai": 0.3, "family:gpt-4o": 0.35, "model:gpt-4o": 0.3279}, abs=1e-4
    )


def test_shares_that_are_more_than_the_whole_shrink_alike() -> None:
    """A whole of half of what is shared halves every share, and leaves the model nothing of its own."""
    whole = quadrature((0.2, 0.3, 0.35)) / 2
    spread = spread_of({"law": whole}, hosted=True, provider="p", family="f", model="m")
    assert spread.shared["global:hosted"] == pytest.approx(0.1, abs=1e-5)
    assert spread.shared["family:f"] == pytest.approx(0.175, abs=1e-5)
    assert spread.shared.get("model:m", 0.0) < 2e-3


@given(causes=CAUSES, hosted=st.booleans())
def test_both_sides_of_a_spread_have_the_same_sum_of_squares(causes: dict[str, float], hosted: bool) -> None:
    spread = spread_of(causes, hosted=hosted, provider="p", family="f", model="m")
    assert quadrature(spread.shared.values()) == pytest.approx(spread.log_sd, rel=1e-3, abs=1e-5)
    assert spread.log_sd == pytest.approx(quadrature(causes.values()), rel=1e-4, abs=1e-5)


@given(causes=CAUSES, pue=st.floats(0, 0.2), grid=st.floats(0, 1))
def test_a_place_adds_to_the_carbon_and_nothing_to_the_energy(
    causes: dict[str, float], pue: float, grid: float
) -> None:
    energy = spread_of(causes, hosted=True, provider="p", family="f", model="m")
    carbon = energy.at_place(pue, grid, "p", "US")
    assert carbon.energy_log_sd == energy.energy_log_sd
    assert carbon.log_sd == pytest.approx(math.hypot(energy.log_sd, pue, grid), rel=1e-5, abs=1e-5)
    assert carbon.log_sd >= energy.log_sd


def test_a_spread_survives_being_stored() -> None:
    spread = spread_of({"law": 0.3}, hosted=False, provider="p", family="f", model="m").at_place(0.05, 0.2, "p", "SE")
    assert Spread.of_detail(spread.detail()) == spread
