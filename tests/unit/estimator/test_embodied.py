"""Embodied carbon and water: by hand, ordered, sourced, and apart from operational carbon."""

from typing import Any

import numpy as np
import pytest

from rice_stream.errors import ReferenceDataError
from rice_stream.estimator.artefact_files import load_embodied
from rice_stream.estimator.embodied import embodied_gco2e_per_device_second, parse_embodied, water_l
from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.method import Context, Estimates, Impact, Impacts
from rice_stream.quantities import Range
from tests.support.paper_requests import requests

FACTORS = load_embodied()


def test_embodied_rate_of_an_h100_by_hand() -> None:
    """(164 + 500) kg over 5 years at 70 %: 664,000 g / (5 x 31,557,600 s x 0.7) = 0.0060117 g per device-second."""
    rate = embodied_gco2e_per_device_second("H100", FACTORS)
    assert rate.mid == pytest.approx(664_000 / (5 * 31_557_600 * 0.7), rel=1e-12)
    assert rate.mid == pytest.approx(0.0060117, rel=1e-4)
    assert 0 < rate.low < rate.mid < rate.high


def impacts(hardware: str, tokens: list[tuple[int, int]], **more: Any) -> tuple[Estimates, Impacts]:
    """Estimates and impacts of an 8 B model at batch 8, PUE 1.2."""
    method = load_calibrated()
    size = Range.exact(8.0)
    matrix = method.coefficients([Context(size, size, hardware=hardware, hardware_known=True, batch_size=8.0)])
    asked = requests(tokens, **more)
    estimates = method.estimate(matrix, asked)
    return estimates, method.impacts(matrix, asked, estimates, np.full(len(tokens), 1.2))


def test_embodied_follows_the_time_that_devices_are_held() -> None:
    """Alone (batch 1) a request holds its devices for its whole time: devices x seconds x the rate of the hardware."""
    method = load_calibrated()
    size = Range.exact(70.0)
    alone = Context(size, size, hardware="B200", hardware_known=True, devices=4.0, batch_size=1.0)
    matrix = method.coefficients([alone])
    asked = requests([(500, 100), (500, 1000)])
    estimates = method.estimate(matrix, asked)
    found = method.impacts(matrix, asked, estimates, np.ones(2))
    rate = embodied_gco2e_per_device_second("B200", FACTORS)
    assert found.embodied_gco2e.mid == pytest.approx(4.0 * estimates.latency_s * rate.mid)


def test_a_request_that_a_gateway_answered_carries_no_impacts() -> None:
    """More tokens hold the devices longer; where no inference ran, nothing was held and no water used."""
    _, found = impacts("B200", [(500, 100), (500, 1000), (500, 100)], inference=[True, True, False])
    assert found.embodied_gco2e.mid[1] > found.embodied_gco2e.mid[0] > found.embodied_gco2e.mid[2] == 0.0
    assert found.water_l.high[2] == 0.0


def test_impacts_are_ordered_and_water_follows_energy() -> None:
    """low <= mid <= high for both; at PUE 1.2 a kWh of IT takes 4.02 litres in the middle."""
    estimates, found = impacts("H100", [(10, 1), (4000, 500)])
    for one in (found.embodied_gco2e, found.water_l):
        assert np.all((one.low <= one.mid) & (one.mid <= one.high))
    assert found.water_l.mid == pytest.approx(estimates.it_energy_wh / 1000 * 4.02)


def test_hardware_that_is_not_listed_takes_the_general_row() -> None:
    """An unknown device is not free."""
    assert embodied_gco2e_per_device_second("unheard of", FACTORS) == embodied_gco2e_per_device_second("L40S", FACTORS)


def test_water_by_hand_counts_pue_once() -> None:
    """1 kWh of IT at PUE 1.2: 1 x 0.3 litres on site + 1.2 x 3.1 litres for electricity = 4.02 litres."""
    one_kwh = np.array([1000.0])
    assert water_l(Impact(one_kwh, one_kwh, one_kwh), np.array([1.2]), FACTORS).mid[0] == pytest.approx(4.02)


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
