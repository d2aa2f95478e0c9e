"""Embodied carbon and water: by hand, ordered, sourced, and apart from operational carbon."""

import numpy as np
import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.embodied import (
    embodied_gco2e,
    embodied_gco2e_per_device_second,
    load_embodied,
    parse_embodied,
    water_l,
)
from rice_stream.estimator.types import Estimates

FACTORS = load_embodied()


def test_embodied_rate_of_an_h100_by_hand() -> None:
    """(164 + 500) kg over 5 years at 70 %: 664,000 g / (5 x 31,557,600 s x 0.7) = 0.0060117 g per device-second."""
    rate = embodied_gco2e_per_device_second("H100", FACTORS)
    assert rate.mid == pytest.approx(664_000 / (5 * 31_557_600 * 0.7), rel=1e-12)
    assert rate.mid == pytest.approx(0.0060117, rel=1e-4)
    assert 0 < rate.low < rate.mid < rate.high


def test_embodied_grows_with_device_seconds() -> None:
    """Ten device-seconds carry ten times the carbon of one; none carries none."""
    impact = embodied_gco2e(np.array([0.0, 1.0, 10.0]), "B200", FACTORS)
    assert impact.mid[0] == 0.0
    assert impact.mid[2] == pytest.approx(10 * impact.mid[1])
    assert np.all(impact.low <= impact.mid)
    assert np.all(impact.mid <= impact.high)


def test_hardware_that_is_not_listed_takes_the_general_row() -> None:
    """An unknown device is not free."""
    assert embodied_gco2e_per_device_second("unheard of", FACTORS) == embodied_gco2e_per_device_second("L40S", FACTORS)


def test_water_by_hand_counts_pue_once() -> None:
    """1 kWh of IT at PUE 1.2: 1 x 0.3 litres on site + 1.2 x 3.1 litres for electricity = 4.02 litres."""
    assert water_l(np.array([1000.0]), np.array([1200.0]), FACTORS).mid[0] == pytest.approx(4.02)


def test_estimates_carry_no_embodied_carbon() -> None:
    """Operational energy has no embodied or water column that could be summed into it by accident."""
    assert not [name for name in Estimates.__slots__ if "embodied" in name or "water" in name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "columns must be"),
        ("factor,hardware,low,mid,high,unit,source\ndevice_kgco2e,*,1,2,3,kg,\n", "row 2, column source"),
        ("factor,hardware,low,mid,high,unit,source\ndevice_kgco2e,*,3,2,1,kg,x\n", "row 2, columns low, mid, high"),
        ("factor,hardware,low,mid,high,unit,source\ndevice_kgco2e,*,1,2,3,kg,x\n", "server_share_kgco2e"),
    ],
)
def test_bad_factor_files_are_told_by_row(text: str, message: str) -> None:
    """A factor without a source, out of order or missing is refused."""
    with pytest.raises(ReferenceDataError, match=message):
        parse_embodied(text)
