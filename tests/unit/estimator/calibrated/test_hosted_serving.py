"""Hosted models: what a list price says, moves and bounds."""

import math

import pytest

from rice_stream.estimator.calibrated.hosted_serving import (
    USD_PER_KWH_LOG_SD,
    ceiling_j,
    from_price,
    price_usd,
    reference_price_usd,
    with_price,
)
from rice_stream.estimator.spread import quadrature
from rice_stream.quantities import ListPrice

GPT_4O = ListPrice(2.5, 1.25, 10.0)


def test_a_price_by_hand() -> None:
    """500 uncached tokens at 2.50 and 250 answered at 10 USD a million: 0.00125 + 0.0025 USD."""
    assert reference_price_usd(GPT_4O) == pytest.approx(0.00375)
    assert price_usd(GPT_4O, 100, 400, 0) == pytest.approx(0.00075)


def test_a_price_alone_is_the_facilitys_energy_at_11_usd_a_kwh() -> None:
    """0.00375 USD / 11 USD/kWh = 0.341 Wh of the facility, whatever its PUE."""
    for pue in (1.1, 1.5):
        given = from_price(GPT_4O, pue)
        fixed, per_token, _, _, per_step, _, _ = given.cost
        gpu_j = fixed + 500 * per_token + 249 * per_step
        facility_wh = gpu_j * (1 + given.host_share) * (1 + given.idle_share) * pue / 3600
        assert facility_wh == pytest.approx(0.3409, abs=1e-4)
        assert given.causes == {"price": USD_PER_KWH_LOG_SD}


def test_price_and_physics_meet_at_the_mean_of_logarithms_weighted_with_their_precisions() -> None:
    """docs/methodology.md, by hand: physics 0.174 Wh (log-sd 0.684), price 0.341 Wh (0.80): 0.23 Wh with 0.52."""
    factor, causes = with_price({"size": 0.6, "batch": 0.328}, 0.174, GPT_4O)
    assert 0.174 * factor == pytest.approx(0.2310, abs=2e-3)
    assert quadrature(causes.values()) == pytest.approx(0.520, abs=2e-3)


def test_a_price_moves_the_middle_within_its_weight() -> None:
    """Ten times the price moves an energy of log-sd 0.8 by the square root of ten, and one that is known not at all."""
    dear = ListPrice(25.0, 12.5, 100.0)
    before, after = (with_price({"law": 0.8}, 0.2, price)[0] for price in (GPT_4O, dear))
    assert after / before == pytest.approx(math.sqrt(10.0))
    assert with_price({}, 0.2, dear) == (1.0, {})


def test_the_ceiling_is_the_price_at_one_dollar_a_kwh() -> None:
    """2.50 USD a million tokens buys 2.5 kWh = 9 MJ of the facility: 9 J a token, 7.5 J of IT at a PUE of 1.2."""
    assert ceiling_j(GPT_4O, 1.2) == pytest.approx((7.5, 3.75, 30.0))
