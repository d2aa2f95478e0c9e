"""Amounts in the demo's lines: the unit fits, rounding never spills over, nothing is 0 that is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.sandbox.demo import amounts


@pytest.mark.parametrize(
    ("value_g", "text"),
    [
        (0.0, "0 g"),
        (3.2e-7, "0.32 ug"),
        (0.0421, "42.1 mg"),
        (1.0, "1.00 g"),
        (12.345, "12.3 g"),
        (99.96, "100 g"),
        (999.4, "999 g"),
        (999.6, "1.00 kg"),
        (56_182.0, "56.2 kg"),
        (842_416.2, "842 kg"),
        (2_049_490.3, "2.05 t"),
        (12_345_678_901.0, "12,346 t"),
    ],
)
def test_grams_in_three_digits_of_the_unit_that_fits(value_g: float, text: str) -> None:
    """Worked by hand, the edges of rounding among them."""
    assert amounts.grams(value_g) == text


@given(st.floats(1e-6, 1e9))
def test_grams_stay_below_a_thousand_of_a_unit_and_close_to_the_value(value_g: float) -> None:
    """Within half of the third digit, and never 1000 of a unit that has a larger one."""
    number, unit = amounts.grams(value_g).split(" ")
    scale = {"t": 1e6, "kg": 1e3, "g": 1.0, "mg": 1e-3, "ug": 1e-6}[unit]
    shown = float(number.replace(",", ""))
    assert shown < 1000 or unit == "t"
    assert shown * scale == pytest.approx(value_g, rel=0.0051)
    assert re.fullmatch(r"\d{3,}|[\d,]{5,}|\d\d\.\d|\d\.\d\d", number)


def test_energy_shares_and_times() -> None:
    """The other amounts of the demo, one of each kind."""
    assert amounts.watt_hours(157_890.0, 4) == ("157.9", "kWh")
    assert [amounts.percent(r) for r in (0.0, 0.0123, 0.0994, 0.0996, 0.5, 1.875)] == [
        "0.0 %",
        "1.2 %",
        "9.9 %",
        "10 %",
        "50 %",
        "188 %",
    ]
    assert [amounts.minutes(s) for s in (0, 83.9, 3_723)] == ["00:00", "01:23", "1:02:03"]
