"""From the ends of an energy to the ends of its carbon."""

import math

import pytest

from rice_stream.estimator.spread import Z80, Spread
from rice_stream.meter.carbon_ends import site_of
from rice_stream.quantities import Range

GRID = Range(200.0, 400.0, 600.0)


def test_without_a_spread_the_ends_of_the_grid_multiply() -> None:
    """rice-paper and the first version of rice-calibrated: every low end with every low end."""
    site = site_of(1.2, GRID, None)
    assert (site.pue, site.rci_gco2e_per_kwh, site.missing_tokens) == (1.2, GRID, (0.1, 10.0))


def test_with_a_spread_only_what_the_place_adds_in_quadrature_is_added() -> None:
    """An energy of 0.3 and a grid of 0.4 are 0.5 together: the ends move by exp(Z x 0.2) more, not by exp(Z x 0.4)."""
    site = site_of(1.2, GRID, Spread({"law": 0.3, "grid": 0.4}, {}))
    added = math.exp(Z80 * 0.2)
    assert site.rci_gco2e_per_kwh.mid == 400.0
    assert site.rci_gco2e_per_kwh.low == pytest.approx(400.0 / added)
    assert site.rci_gco2e_per_kwh.high == pytest.approx(400.0 * added)


def test_unknown_tokens_are_a_cause_like_others() -> None:
    """A factor of ten each way and a spread of 0: ten; beside a wide spread they add less."""
    sure, wide = site_of(1.0, GRID, Spread({}, {})), site_of(1.0, GRID, Spread({"price": 1.8}, {}))
    assert sure.missing_tokens == pytest.approx((0.1, 10.0))
    assert 1.0 < wide.missing_tokens[1] < 5.0
    assert wide.missing_tokens[0] == pytest.approx(1.0 / wide.missing_tokens[1])
