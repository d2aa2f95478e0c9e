"""Amounts on the demo's screen: the unit fits, rounding never spills over, nothing is 0 that is not."""

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


def test_ranges_name_the_unit_once_where_both_ends_share_it() -> None:
    """A range over units names both."""
    assert amounts.gram_range(11.04, 92.3) == "11.0 – 92.3 g"
    assert amounts.gram_range(355.0, 2_049_490.3) == "355 g – 2.05 t"
    assert amounts.gram_range(44.9, 278_900.0, digits=2) == "45 g – 279 kg"


def test_energy_counts_shares_and_times() -> None:
    """The other amounts of the screen, one of each kind."""
    assert amounts.watt_hours(157_890.0, 4) == ("157.9", "kWh")
    assert amounts.grams_co2e(56_182.03) == ("56.18", "kgCO2e")
    assert [amounts.count(n) for n in (0, 7_317, 999_999, 1_234_567)] == ["0", "7,317", "999,999", "1.23 M"]
    assert [amounts.percent(r) for r in (0.0, 0.0123, 0.0994, 0.0996, 0.5, 1.875)] == [
        "0.0 %",
        "1.2 %",
        "9.9 %",
        "10 %",
        "50 %",
        "188 %",
    ]
    assert [amounts.minutes(s) for s in (0, 83.9, 3_723)] == ["00:00", "01:23", "1:02:03"]


def test_what_is_used_of_a_limit_is_told_in_the_limits_unit() -> None:
    """Both numbers can be compared at a glance."""
    assert amounts.limited(819.7, 44_000.0, "gco2e") == "0.82 of 44 kg"
    assert amounts.limited(9_740.0, 5_200.0, "gco2e") == "9.74 of 5.2 kg"
    assert amounts.limited(18.6, 20.0, "kwh") == "18.6 of 20 kWh"
    assert amounts.limited(0.0, 1.5, "kwh") == "0 of 1.5 kWh"
